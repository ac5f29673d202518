"""Full-ranking evaluation: every user's target against all items, in one vectorised pass.

Ranks come first, and metrics follow from ranks (`seqrec.protocol.metrics`). All items that the user
has not seen are ranked, or all items where a split keeps those; special rows never are; ties count
against the model. A row of a split is a user, unless a user has several rows.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.errors import SeqrecError
from seqrec.protocol.log_tensors import log_for, to_device
from seqrec.protocol.metrics import LIST_LENGTH
from seqrec.protocol.splits import Split

ScoreUsers = Callable[[np.ndarray], Tensor]
"""Scores `[users, items]` in float32 for an array of user indices; column i is item i + 1."""

MISS = np.iinfo(np.int32).max
"""Rank of a target that cannot be recommended: beyond every cutoff, however few items there are."""

UNRANKED = 0
"""Stands for the ranks of a batch whose scores are not all finite."""


Found = TypeVar("Found")
"""What is computed for a batch."""


class NotFinite(SeqrecError):
    """Raised when a model gives scores that are not finite: nothing can be ranked by them."""

    def __init__(self) -> None:
        super().__init__(
            "the model gives scores that are not finite, so nothing can be ranked. "
            "Lower its learning rate."
        )


def rank_all(score: ScoreUsers, split: Split, batch_size: int) -> np.ndarray:
    """Rank the targets of all rows of a split, int32 `[rows]`; see `rank_users`."""
    with torch.inference_mode():
        return rank_users(score, split, np.arange(split.num_users), batch_size)


def rank_users(score: ScoreUsers, split: Split, users: np.ndarray, batch_size: int) -> np.ndarray:
    """Rank the targets of the given users among all unseen items, int32 `[users]`.

    Users with histories of similar length are scored together, so that little is padded. An
    accelerator receives all batches before the host waits for its first answer. Raises
    `NotFinite`, a `SeqrecError`.
    """
    order = _by_length(split, users)
    batches = in_batches(
        lambda places: _rank_batch(score, split, users[order[places]])[0], len(users), batch_size
    )
    return _in_place(on_host(batches, len(users)), order)


def rank_and_recommend(
    score: ScoreUsers, split: Split, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rank all targets of all rows, and count the items that are recommended to them.

    Returns the ranks, int32 `[targets]`, in the order of `split.target_pairs`, and how many rows
    find each item among their `LIST_LENGTH` best unseen ones, int64 `[items]`; see `best_items`.
    Raises `NotFinite`, a `SeqrecError`.
    """
    users = _by_length(split, np.arange(split.num_users))
    order, rank_batch = users, _rank_batch
    if split.stops is not None:
        order, rank_batch = split.target_places(users), _rank_batch_of_sets

    def rank(places: np.ndarray) -> tuple[Tensor, Tensor]:
        ranks, scores, row, targets = rank_batch(score, split, users[places])
        return ranks, best_items(scores, row, targets, ranks, LIST_LENGTH)

    counts = torch.zeros(split.num_items + 1, dtype=torch.int64)

    def ranks() -> Iterator[Tensor]:
        nonlocal counts
        for ranked, items in in_batches(rank, len(users), batch_size):
            counts = counts.to(items.device)
            counts.index_add_(0, items.flatten(), torch.ones_like(items).flatten())
            yield ranked

    with torch.inference_mode():
        return _in_place(on_host(ranks(), len(order)), order), counts[1:].cpu().numpy()


def _by_length(split: Split, users: np.ndarray) -> np.ndarray:
    """Order the places of `users` by the lengths of their histories."""
    return np.argsort(split.lengths(users), kind="stable")


def _in_place(ranks: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Put the i-th of `ranks` at the place `order[i]`. Raises `NotFinite`."""
    if (ranks == UNRANKED).any():
        raise NotFinite
    placed = np.empty_like(ranks)
    placed[order] = ranks
    return placed


def _rank_batch(
    score: ScoreUsers, split: Split, users: np.ndarray
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rank the one target of each row of a batch.

    Returns ranks `[users]`, scores `[users, items]` that are -inf where seen, and where the targets
    stand in these: their rows and columns, `[users]` each.
    """
    scores = score(users)
    finite = _all_finite(scores)
    targets = to_device(scores.device, torch.from_numpy(split.targets(users) - 1))
    ranks = rank_targets(scores, targets, *_unranked(split, users, scores.device))
    row = torch.arange(len(scores), device=scores.device)
    return torch.where(finite, ranks, UNRANKED), scores, row, targets


def _unranked(split: Split, users: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return which scores of a batch are left out: rows and columns, `[interactions]` each."""
    log = log_for(device, split)
    row, item = log.pairs(*split.bounds(users[:0] if split.keeps_seen else users))
    return to_device(device, row), to_device(device, item - 1)


def _rank_batch_of_sets(
    score: ScoreUsers, split: Split, users: np.ndarray
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rank all targets of each row of a batch; returns as `_rank_batch`, `[targets]` for each.

    Targets with equal scores take successive ranks, the last of which each would have alone.
    """
    scores = score(users)
    finite = _all_finite(scores)
    row, item = split.target_pairs(users)
    rows, columns = (to_device(scores.device, torch.from_numpy(one)) for one in (row, item - 1))
    target_scores = scores[rows, columns]
    scores[_unranked(split, users, scores.device)] = -torch.inf
    missed = torch.isneginf(scores[rows, columns])
    parts = zip(rows.split(len(users)), target_scores.split(len(users)), strict=True)
    ranks = torch.cat([(scores[row] >= target[:, None]).sum(1) for row, target in parts])
    ranks -= _earlier_equals(rows, target_scores.masked_fill(missed, -torch.inf))
    ranks = torch.where(missed, MISS, ranks)
    return torch.where(finite, ranks, UNRANKED), scores, rows, columns


def _earlier_equals(rows: Tensor, scores: Tensor) -> Tensor:
    """Count the targets before each that have its row and its score, `[targets]` for each."""
    by_score = scores.argsort(stable=True)
    order = by_score[rows[by_score].argsort(stable=True)]
    ordered = torch.stack([rows[order].to(scores.dtype), scores[order]])
    starts = torch.ones_like(rows, dtype=torch.bool)
    starts[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(0)
    place = torch.arange(len(rows), device=rows.device)
    count = torch.empty_like(rows)
    count[order] = place - torch.where(starts, place, 0).cummax(0).values
    return count


def rank_targets(scores: Tensor, targets: Tensor, seen_user: Tensor, seen_item: Tensor) -> Tensor:
    """Rank `targets` `[users]` among the unseen items; ranks `[users]` count from 1.

    `scores` `[users, items]` are overwritten where seen; the pairs (`seen_user`, `seen_item`) are
    left out of the ranking; columns count from 0. An item with the target's score ranks above it,
    so that a constant scorer gets nothing. A target that has been seen is a miss by the protocol:
    its rank is `MISS`.
    """
    users = torch.arange(len(scores), device=scores.device)
    target_scores = scores[users, targets]
    scores[seen_user, seen_item] = -torch.inf
    ranks = (scores >= target_scores[:, None]).sum(1)
    missed = torch.isneginf(scores[users, targets])
    return torch.where(missed, MISS, ranks)


def best_items(scores: Tensor, row: Tensor, targets: Tensor, ranks: Tensor, length: int) -> Tensor:
    """Return the numbers of the best items, `[users, length]` in no order, 0 for none.

    `scores` `[users, items]` are -inf where seen, and are overwritten where the targets stand: in
    the columns `targets` of the rows `row`, `[targets]` each. The best are those with the highest
    scores. Of equal scores a target's comes last, so that it is among the best exactly if its rank
    is at most `length`, and the others come by their number.
    """
    scores[row, targets] = torch.where(ranks > length, -torch.inf, scores[row, targets])
    items = scores.shape[1]
    # Each of the best lies in one of the `length` blocks with the highest maxima. To sort these
    # maxima and blocks costs a fraction of sorting all scores.
    width = max(1, math.isqrt(items // length))
    blocks = _first_highest(F.max_pool1d(scores, width, ceil_mode=True), length).sort(1).values
    inside = torch.arange(width, device=scores.device)
    columns = (blocks[:, :, None] * width + inside).flatten(1)
    candidates = scores.gather(1, columns.clamp(max=items - 1))
    candidates.masked_fill_(columns >= items, -torch.inf)
    chosen = _first_highest(candidates, length)
    found = torch.isfinite(candidates.gather(1, chosen))
    return torch.where(found, columns.gather(1, chosen) + 1, 0)


def _first_highest(values: Tensor, count: int) -> Tensor:
    """Return where the highest of `values` `[rows, columns]` are, `[rows, count]`, or all columns
    where there are fewer; the first of equal ones."""
    return values.sort(dim=1, descending=True, stable=True).indices[:, :count]


def in_batches(
    compute: Callable[[np.ndarray], Found], count: int, batch_size: int
) -> Iterator[Found]:
    """Apply `compute` to 0, ..., `count` - 1, at most `batch_size` at a time.

    When an accelerator runs out of memory, this batch and all later ones are halved.
    """
    first = 0
    while first < count:
        batch = np.arange(first, min(first + batch_size, count))
        try:
            found = compute(batch)
        except torch.OutOfMemoryError:
            if batch_size == 1:
                raise
            batch_size //= 2
            continue
        yield found
        first += len(batch)


def on_host(batches: Iterable[Tensor], count: int) -> np.ndarray:
    """Join the ranks of batches into one array, int32 `[count]`; only at its end the host waits.

    Each is copied as it comes: small tensors that stay among the large blocks of later batches
    would keep these from being used again, and memory would grow by a block for each batch.
    """
    joined, first = torch.empty(0, dtype=torch.int32), 0
    for ranks in batches:
        if first == 0:
            joined = torch.empty(count, dtype=torch.int32, device=ranks.device)
        joined[first : first + len(ranks)] = ranks
        first += len(ranks)
    return joined.cpu().numpy()


def require_finite(scores: Tensor) -> Tensor:
    """Return `scores` if all are finite: a rank among NaNs would mean nothing.

    Raises `NotFinite`, a `SeqrecError`, otherwise.
    """
    if not bool(_all_finite(scores)):
        raise NotFinite
    return scores


def _all_finite(scores: Tensor) -> Tensor:
    """Test the sum, which one bad score spoils: testing each takes as long as computing it."""
    return torch.isfinite(scores.sum())

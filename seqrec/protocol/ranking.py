"""Full-ranking evaluation: every user's target against all items, in one vectorised pass.

Ranks come first, and metrics follow from ranks (`seqrec.protocol.metrics`). All items that the user
has not seen are ranked; special rows never are; ties count against the model.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from seqrec.errors import SeqrecError
from seqrec.protocol.splits import Split

ScoreUsers = Callable[[np.ndarray], Tensor]
"""Scores `[users, items]` in float32 for an array of user indices; column i is item i + 1."""

MISS = np.iinfo(np.int32).max
"""Rank of a target that cannot be recommended: beyond every cutoff, however few items there are."""

UNRANKED = 0
"""Stands for the ranks of a batch whose scores are not all finite."""


class NotFinite(SeqrecError):
    """Raised when a model gives scores that are not finite: nothing can be ranked by them."""

    def __init__(self) -> None:
        super().__init__(
            "the model gives scores that are not finite, so nothing can be ranked. "
            "Lower its learning rate."
        )


def rank_all(score: ScoreUsers, split: Split, batch_size: int) -> np.ndarray:
    """Rank the targets of all users of a split, int32 `[users]`; see `rank_users`."""
    with torch.inference_mode():
        return rank_users(score, split, np.arange(split.num_users), batch_size)


def rank_users(score: ScoreUsers, split: Split, users: np.ndarray, batch_size: int) -> np.ndarray:
    """Rank the targets of the given users among all unseen items, int32 `[users]`.

    Users with histories of similar length are scored together, so that little is padded. An
    accelerator receives all batches before the host waits for its first answer. Raises
    `NotFinite`, a `SeqrecError`.
    """
    users_by_length = np.argsort(split.lengths(users), kind="stable")

    def rank(places: np.ndarray) -> Tensor:
        batch = users[users_by_length[places]]
        scores = score(batch)
        finite = _all_finite(scores)
        seen_user, seen_item = split.pairs(batch)
        arrays = (split.targets(batch) - 1, seen_user, seen_item - 1)
        on_device = (to_device(scores.device, torch.from_numpy(array)) for array in arrays)
        return torch.where(finite, rank_targets(scores, *on_device), UNRANKED)

    ranks = np.empty(len(users), np.int32)
    ranks[users_by_length] = rank_in_batches(rank, len(users), batch_size)
    return ranks


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


def rank_in_batches(
    rank: Callable[[np.ndarray], Tensor], count: int, batch_size: int
) -> np.ndarray:
    """Apply `rank` to 0, ..., `count` - 1, at most `batch_size` at a time; int32 `[count]`.

    When an accelerator runs out of memory, this batch and all later ones are halved.
    """
    parts: list[Tensor] = []
    first = 0
    while first < count:
        batch = np.arange(first, min(first + batch_size, count))
        try:
            parts.append(rank(batch))
        except torch.OutOfMemoryError:
            if batch_size == 1:
                raise
            batch_size //= 2
            continue
        first += len(batch)
    ranks = torch.cat(parts).to(torch.int32).cpu().numpy()
    if (ranks == UNRANKED).any():
        raise NotFinite
    return ranks


def require_finite(scores: Tensor) -> Tensor:
    """Return `scores` if all are finite: a rank among NaNs would mean nothing.

    Raises `NotFinite`, a `SeqrecError`, otherwise.
    """
    if not bool(_all_finite(scores)):
        raise NotFinite
    return scores


def to_device(device: torch.device, tensor: Tensor) -> Tensor:
    """Send a tensor of the host to `device`; the host does not wait until it has arrived."""
    if device.type == "cpu":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def _all_finite(scores: Tensor) -> Tensor:
    """Test the sum, which one bad score spoils: testing each takes as long as computing it."""
    return torch.isfinite(scores.sum())

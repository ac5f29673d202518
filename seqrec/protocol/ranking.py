"""Full-ranking evaluation: every user's target against all items, in one vectorised pass.

Ranks come first and metrics from ranks (`seqrec.metrics`). A ranked item is any that the user has
not seen; special rows are never ranked; ties count against the model.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from seqrec.errors import SeqrecError
from seqrec.protocol.splits import Split, seen_pairs

ScoreUsers = Callable[[np.ndarray], Tensor]
"""Scores `[users, items]` in float32 for an array of user indices; column i is item i + 1."""


MISS = np.iinfo(np.int32).max
"""The rank of a target that cannot be recommended: beyond every cutoff, however few items."""


UNRANKED = 0
"""In place of the ranks of a batch whose scores are not all finite."""


def rank_targets(scores: Tensor, targets: Tensor, seen_user: Tensor, seen_item: Tensor) -> Tensor:
    """1-based ranks `[users]` of `targets` among the unseen items.

    `scores` `[users, items]` (overwritten where seen), `targets` `[users]`; the pairs (`seen_user`,
    `seen_item`) are left out of the ranking; columns count from 0. An item with the target's
    score ranks above it, so that a constant scorer gets nothing. A target that has been seen is a
    miss by the protocol: its rank is `MISS`.
    """
    users = torch.arange(len(scores), device=scores.device)
    target_scores = scores[users, targets]
    scores[seen_user, seen_item] = -torch.inf
    ranks = (scores >= target_scores[:, None]).sum(1)
    missed = torch.isneginf(scores[users, targets])
    return torch.where(missed, MISS, ranks)


def rank_users(score: ScoreUsers, split: Split, users: np.ndarray, batch_size: int) -> np.ndarray:
    """Test or validation ranks (int32 `[users]`) of the given users under full ranking.

    Users with histories of similar length are scored together, so that little is padded. An
    accelerator is given all batches before its first answer is waited for.
    """
    users_by_length = np.argsort(split.lengths(users), kind="stable")

    def rank(places: np.ndarray) -> Tensor:
        batch = users[users_by_length[places]]
        scores = score(batch)
        finite = _finite(scores)
        seen_user, seen_item = seen_pairs(split, batch)
        arrays = (split.targets(batch) - 1, seen_user, seen_item - 1)
        on_device = (to_device(scores.device, torch.from_numpy(array)) for array in arrays)
        return torch.where(finite, rank_targets(scores, *on_device), UNRANKED)

    ranks = np.empty(len(users), np.int32)
    ranks[users_by_length] = _in_batches(rank, len(users), batch_size)
    return ranks


def rank_users_sampled(
    score: ScoreUsers,
    split: Split,
    weights: np.ndarray,
    negatives: int,
    batch_size: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Ranks of every user's target among `negatives` unseen items drawn without replacement.

    `weights` `[items]`: the chance of an item to be drawn (equal for uniform, train counts for
    popularity). Successive draws by weight are the smallest of exponential keys divided by weight
    (Efraimidis and Spirakis, 2006).
    """

    def rank(batch: np.ndarray) -> Tensor:
        scores = checked_scores(score(batch)).cpu().numpy()
        seen_user, seen_item = seen_pairs(split, batch)
        targets = split.targets(batch) - 1
        rows = np.arange(len(batch))
        with np.errstate(divide="ignore"):
            keys = rng.exponential(size=scores.shape) / weights
        keys[seen_user, seen_item - 1] = np.inf
        keys[rows, targets] = np.inf
        drawable = np.isfinite(keys).sum(1).min()
        if drawable < negatives:
            raise SeqrecError(
                f"evaluation.sampled_negatives: {negatives} unseen items cannot be drawn for every "
                f"user; the fewest that a user leaves is {drawable}. Ask for fewer."
            )
        drawn = np.argpartition(keys, negatives - 1, axis=1)[:, :negatives]
        against = np.take_along_axis(scores, drawn, axis=1)
        found = 1 + (against >= scores[rows, targets, None]).sum(1)
        seen_target = np.zeros(len(batch), bool)
        seen_target[seen_user[seen_item - 1 == targets[seen_user]]] = True
        return torch.from_numpy(np.where(seen_target, MISS, found))

    return _in_batches(rank, split.num_users, batch_size)


def checked_scores(scores: Tensor) -> Tensor:
    """The scores, if all are finite: a rank among NaNs would be a number without a meaning."""
    if not bool(_finite(scores)):
        raise _not_finite()
    return scores


def _finite(scores: Tensor) -> Tensor:
    """Whether all are; one that is not makes their sum so.

    A test of each would take as long as computing it.
    """
    return torch.isfinite(scores.sum())


def _not_finite() -> SeqrecError:
    return SeqrecError(
        "the model gives scores that are not finite, so nothing can be ranked. "
        "Lower training.learning_rate, or look at the loss in history.csv."
    )


def _in_batches(rank: Callable[[np.ndarray], Tensor], count: int, batch_size: int) -> np.ndarray:
    """int32 `[count]`: `rank` of 0 to `count`, so many at a time.

    Where they are too many for the accelerator's memory, this and all later batches are halved.
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
        raise _not_finite()
    return ranks


def to_device(device: torch.device, tensor: Tensor) -> Tensor:
    """A tensor of the host, on its way to an accelerator while the host goes on."""
    if device.type == "cpu":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)

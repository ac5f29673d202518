"""Optional metrics against sampled items: each target among a few unseen ones instead of all.

As in the paper's implementation, the sampled items occur in the train part and not in the user's
history. Two things differ on purpose, so that these metrics follow the protocol of full ranking:
the target is never drawn against itself, and a target that the history holds is a miss.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seqrec.errors import SeqrecError
from seqrec.protocol.metrics import metrics_from_ranks, with_stopping_cutoff
from seqrec.protocol.ranking import MISS, ScoreUsers, in_batches, on_host, require_finite
from seqrec.protocol.splits import USERS_AT_ONCE, Split, Splits

if TYPE_CHECKING:
    from seqrec.experiment.schema import Evaluation


@dataclass(frozen=True)
class Draw:
    """How unseen items are drawn for each user, without replacement."""

    weights: np.ndarray
    """`[items]`: chance of an item to be drawn; 0 for one that never is."""
    negatives: int
    """Items drawn for each user."""
    rng: np.random.Generator


def sampled_metrics(
    score: ScoreUsers, splits: Splits, evaluation: "Evaluation", seed: int
) -> dict[str, dict[str, float]] | None:
    """Compute test metrics against sampled items, drawn uniformly and by popularity in training.

    None unless the evaluation asks for them.
    """
    negatives = evaluation.sampled_negatives
    if negatives is None:
        return None
    counts = splits.train.item_counts()[1:]
    found: dict[str, dict[str, float]] = {}
    for name, weights in (("uniform", (counts > 0).astype(float)), ("popularity", counts)):
        # A key of its own keeps these draws apart from those of training.
        draw = Draw(weights, negatives, np.random.default_rng([seed, negatives, len(found)]))
        with torch.inference_mode():
            ranks = rank_among_sampled(score, splits.test, draw, evaluation.batch_size)
        found[name] = metrics_from_ranks(ranks, with_stopping_cutoff(evaluation.cutoffs))
    return found


def require_enough_items(splits: Splits, evaluation: "Evaluation") -> None:
    """Raise `SeqrecError` if a user leaves too few items for the sampled metrics, if any.

    Call it before training, which would otherwise be in vain.
    """
    negatives = evaluation.sampled_negatives
    if negatives is None:
        return
    fewest = fewest_drawable(splits)
    if fewest < negatives:
        raise SeqrecError(
            f"evaluation.sampled_negatives: {negatives} unseen items cannot be drawn for every "
            f"user; the user with the fewest leaves {fewest}. Ask for at most {fewest}."
        )


def fewest_drawable(splits: Splits) -> int:
    """Count the train items that a user has neither seen nor as target, for the user with the
    fewest."""
    split, occurs = splits.test, splits.train.item_counts() > 0
    fewest = int(occurs.sum())
    for first in range(0, split.num_users, USERS_AT_ONCE):
        users = np.arange(first, min(first + USERS_AT_ONCE, split.num_users))
        row, item = split.unranked_pairs(users)
        row = np.concatenate([row, np.arange(len(users))])
        item = np.concatenate([item, split.targets(users)])
        taken = np.unique((row * (split.num_items + 1) + item)[occurs[item]])
        each = np.bincount(taken // (split.num_items + 1), minlength=len(users))
        fewest = min(fewest, int(occurs.sum() - each.max()))
    return fewest


def rank_among_sampled(score: ScoreUsers, split: Split, draw: Draw, batch_size: int) -> np.ndarray:
    """Rank every user's target among drawn unseen items, int32 `[users]`.

    Successive draws by weight are the smallest of exponential keys divided by weight (Efraimidis
    and Spirakis, 2006). Every user must leave enough items: see `require_enough_items`.
    """
    negatives = draw.negatives

    def rank(batch: np.ndarray) -> Tensor:
        scores = require_finite(score(batch)).cpu().numpy()
        seen_user, seen_item = split.unranked_pairs(batch)
        targets = split.targets(batch) - 1
        rows = np.arange(len(batch))
        with np.errstate(divide="ignore"):
            keys = draw.rng.exponential(size=scores.shape) / draw.weights
        keys[seen_user, seen_item - 1] = np.inf
        keys[rows, targets] = np.inf
        if np.isfinite(keys).sum(1).min() < negatives:
            raise ValueError(f"a user leaves fewer than {negatives} items to draw")
        drawn = np.argpartition(keys, negatives - 1, axis=1)[:, :negatives]
        against = np.take_along_axis(scores, drawn, axis=1)
        found = 1 + (against >= scores[rows, targets, None]).sum(1)
        seen_target = np.zeros(len(batch), bool)
        seen_target[seen_user[seen_item - 1 == targets[seen_user]]] = True
        return torch.from_numpy(np.where(seen_target, MISS, found))

    return on_host(in_batches(rank, split.num_users, batch_size), split.num_users)

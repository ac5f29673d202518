"""Models that fit themselves: fit them without their targets, and check what they return."""

import time
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqrec.experiment.custom import custom_code, is_custom, refusal
from seqrec.experiment.schema import RunConfig
from seqrec.models.fitted import Fitted
from seqrec.protocol.metrics import metrics_from_ranks
from seqrec.protocol.ranking import ScoreUsers, rank_users_sampled
from seqrec.protocol.splits import Split, Splits, item_counts, seen_pairs
from seqrec.training.building import build_model


def fitted_scorer(model: Fitted, config: RunConfig, num_items: int) -> ScoreUsers:
    """`model.score`; each answer of an own model is checked, and copied as ranking writes into it.

    The checks raise a `SeqrecError`.
    """
    if not is_custom(config.implementation):
        return model.score

    def score(users: np.ndarray) -> Tensor:
        with custom_code(config.implementation, "in score", all_of_it=True):
            scores = model.score(users)
        wanted = [len(users), num_items]
        if not isinstance(scores, Tensor):
            found = type(scores).__name__
        elif scores.dtype != torch.float32 or list(scores.shape) != wanted:
            found = f"{scores.dtype} of shape {list(scores.shape)}"
        elif not bool(torch.isfinite(scores).all()):
            found = f"{int((~torch.isfinite(scores)).sum())} numbers that are not finite"
        else:
            return scores.clone()
        raise refusal(
            config,
            f"score gives {found} for {len(users)} users, and must give scores [users, items], a "
            f"torch.float32 tensor of finite numbers of shape {wanted}; column i is item i + 1.",
        )

    return score


def checked_state(model: Fitted, config: RunConfig) -> dict[str, Tensor]:
    """`model.state()`, if a record can hold it."""
    with custom_code(config.implementation, "in state", all_of_it=True):
        state = model.state()
    values = state.values() if isinstance(state, dict) else [state]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in values):
        kinds = ", ".join(sorted({type(value).__name__ for value in values}))
        raise refusal(
            config,
            f"state gives {kinds}, and must give a dictionary of torch tensors, each by the name "
            "of its attribute (torch.from_numpy makes one of an array).",
        )
    return state


class Outcome(NamedTuple):
    """What a trained or fitted model leaves for its record."""

    history: list[dict[str, Any]]
    best_epoch: int | None
    training_seconds: float
    weights: dict[str, Tensor]
    validation_score: ScoreUsers
    test_score: ScoreUsers


def fit(model: Fitted, splits: Splits, config: RunConfig) -> Outcome:
    validated = build_model(config, splits.test.num_items)
    if not isinstance(validated, Fitted):
        raise TypeError(f"{config.implementation} is not a fitted model")
    validated.fit(_histories(splits.validation), config.seed, torch.get_num_threads())
    histories = _histories(splits.test)
    start = time.perf_counter()
    model.fit(histories, config.seed, torch.get_num_threads())
    seconds = time.perf_counter() - start
    state = checked_state(model, config)
    validation, test = (
        fitted_scorer(one, config, splits.test.num_items) for one in (validated, model)
    )
    return Outcome([], None, seconds, state, validation, test)


def _histories(split: Split) -> Split:
    """A copy of `split` in which its targets are nowhere: what is fitted by code of anybody's must
    not reach them."""
    users = np.arange(split.num_users)
    items = seen_pairs(split, users)[1].astype(np.int32)
    offsets = np.concatenate(([0], np.cumsum(split.lengths(users))))
    return Split(items, offsets, 0, split.num_items)


def sampled_metrics(
    score: ScoreUsers, splits: Splits, config: RunConfig, cutoffs: list[int]
) -> dict[str, dict[str, float]]:
    """Metrics against sampled items, uniform and by popularity in the train part."""
    negatives = config.evaluation.sampled_negatives
    if negatives is None:
        raise ValueError("no sampled metrics were asked for")
    counts = item_counts(splits.train)[1:]
    found: dict[str, dict[str, float]] = {}
    for name, weights in (("uniform", np.ones(len(counts))), ("popularity", counts)):
        # A key of its own keeps these draws apart from those of training.
        rng = np.random.default_rng([config.seed, negatives, len(found)])
        with torch.inference_mode():
            ranks = rank_users_sampled(
                score, splits.test, weights, negatives, config.evaluation.batch_size, rng
            )
        found[name] = metrics_from_ranks(ranks, cutoffs)
    return found

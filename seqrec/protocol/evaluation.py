"""Evaluate a finished model: ranks of all test targets, and every metric that a record holds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seqrec.protocol.metrics import STOPPING_METRIC, metrics_from_ranks, with_stopping_cutoff
from seqrec.protocol.ranking import ScoreUsers, rank_all, rank_and_recommend
from seqrec.protocol.sampled import sampled_metrics
from seqrec.protocol.splits import Splits

if TYPE_CHECKING:
    from seqrec.experiment.schema import RunConfig


@dataclass(frozen=True)
class Scorers:
    """The scores of a finished model."""

    validation: ScoreUsers
    """From the histories before the validation target."""
    test: ScoreUsers
    """From the histories before the test target."""


@dataclass(frozen=True)
class Quality:
    """How good a model is."""

    test_ranks: np.ndarray
    """int32 `[targets]`, from 1."""
    target_counts: np.ndarray
    """int64 `[targets]`: how often each test target occurs in the train part."""
    history_lengths: np.ndarray
    """int32 `[targets]`: length of the history that each was ranked from."""
    target_users: np.ndarray | None
    """int32 `[targets]`: whose each is, in the log; None if every user has one, in order."""
    recommended_counts: np.ndarray
    """int64 `[items]`: in how many test rankings each item is recommended."""
    validation: dict[str, float]
    test: dict[str, float]
    test_sampled: dict[str, dict[str, float]] | None
    """None unless the configuration asks for it."""


def evaluate(scorers: Scorers, splits: Splits, config: "RunConfig") -> Quality:
    """Rank all validation and test targets, and compute the metrics.

    Raises `NotFinite`, a `SeqrecError`, if a score is not finite.
    """
    evaluation = config.evaluation
    stopping_metric = config.training.stopping_metric if config.training else STOPPING_METRIC
    cutoffs = with_stopping_cutoff(evaluation.cutoffs, stopping_metric)
    test_ranks, recommended_counts = rank_and_recommend(
        scorers.test, splits.test, evaluation.batch_size
    )
    validation_ranks = rank_all(scorers.validation, splits.validation, evaluation.batch_size)
    row, item = splits.test.target_pairs(np.arange(splits.test.num_users))
    target_users = splits.test.target_users()
    sets = None if splits.test.stops is None else target_users
    return Quality(
        test_ranks,
        splits.train.item_counts()[item],
        splits.test.lengths(row).astype(np.int32),
        target_users,
        recommended_counts,
        metrics_from_ranks(validation_ranks, cutoffs),
        metrics_from_ranks(test_ranks, cutoffs, sets),
        sampled_metrics(scorers.test, splits, evaluation, config.seed),
    )

"""Which models of a dataset differ, and how they do on targets that training never saw."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records.record import Record
from seqrec.report.inference import (
    Difference,
    Interval,
    Scatters,
    bootstrap_interval,
    difference,
    holm,
    may_be_best,
)
from seqrec.report.levels import ALPHA
from seqrec.report.measured import Measured

WITHOUT_CHANCE = "popularity"
"""The implementation whose training involves no chance."""


def scatters(
    models: Mapping[str, Measured], metric: str, on: npt.NDArray[np.bool_] | None = None
) -> Scatters:
    """Estimate how much each of `models` of one dataset scatters between seeds.

    With `on`, only some of the test targets count, `[targets]`.

    Models with the same kind of loss scatter alike. The kind matters: a training with a single
    negative may stop almost anywhere and can scatter ten times as much as one with thousands. A
    model without a loss, such as a library's fit or a count, is alone of its kind.
    """
    return Scatters(
        {
            name: measured.scores[metric] if on is None else measured.on(on, metric)
            for name, measured in models.items()
        },
        {name: _kind(name, measured.records[0]) for name, measured in models.items()},
    )


def _kind(name: str, record: Record) -> tuple[str, object]:
    config = record.known_config
    if config.loss is None and record.epochs is None:
        return "alone", name
    return "loss", config.loss_kind


def of_unknown_scatter(models: Mapping[str, Measured]) -> list[str]:
    """List the models with a single seed whose kind has no model with several seeds either.

    Nothing shows how much these scatter. Popularity is never among them: counting has no seeds.
    """
    known = scatters(models, STOPPING_METRIC)
    return [
        name
        for name in models
        if not known.of(name).known
        and models[name].records[0].known_config.implementation != WITHOUT_CHANCE
    ]


def share(value: float, whole: float) -> float:
    """Return `value` as a share of `whole`; NaN if that is 0."""
    return value / whole if whole else math.nan


class Pair(NamedTuple):
    """Two models on one dataset in one metric, the better one first."""

    one: str
    other: str
    metric: str
    difference: Difference
    p: float
    """Corrected by Holm's method over all pairs of the dataset in this metric."""
    relative: float
    """The difference as a share of the other's mean; NaN if that is 0."""

    @property
    def distinguishable(self) -> bool:
        """Whether the two differ significantly."""
        return self.p < ALPHA


def pairs(models: Mapping[str, Measured], metric: str) -> list[Pair]:
    """Test every pair of `models` of one dataset, best first."""
    ordered = sorted(models, key=lambda name: -models[name].mean(metric))
    names = list(combinations(ordered, 2))
    scores = {name: models[name].scores[metric] for name in ordered}
    scatter = scatters(models, metric)
    tested = [
        difference(scores[one], scores[other], scatter.in_test(one, other)) for one, other in names
    ]
    adjusted = holm([found.p for found in tested])
    return [
        Pair(one, other, metric, found, p, share(found.value, scores[other].mean))
        for (one, other), found, p in zip(names, tested, adjusted, strict=True)
    ]


def leaders(models: Mapping[str, Measured], metric: str) -> set[str]:
    """Find the best model and all that may be the best; see `inference.may_be_best`."""
    return may_be_best(scatters(models, metric))


class TargetGroup(NamedTuple):
    """A model's metric over the users whose test target occurs in training, or over the others."""

    model: str
    occurs: bool
    users: int
    metric: str
    value: float
    interval: Interval
    median_rank: float
    """Median rank of the targets among all items, from 1, over all seeds; NaN where it lies beyond
    the lists of another library."""


def by_target(models: Mapping[str, Measured], metrics: Sequence[str]) -> list[TargetGroup]:
    """Measure `models` of one dataset on targets that occur in training, and on the others.

    A group without users is left out.
    """
    found = []
    for name, measured in models.items():
        trained_on = measured.records[0].target_counts() > 0
        ranks = np.stack([record.ranks() for record in measured.records])
        longest = min(record.list_length or math.inf for record in measured.records)
        for metric, occurs in product(metrics, (True, False)):
            group = trained_on == occurs
            if group.any():
                users = measured.on(group, metric).users
                mean, interval = float(users.mean()), bootstrap_interval(users)
                rank = float(np.median(ranks[:, group]))
                rank = math.nan if rank > longest else rank
                found.append(TargetGroup(name, occurs, len(users), metric, mean, interval, rank))
    return found

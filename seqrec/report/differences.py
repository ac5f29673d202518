"""Which models of a dataset differ, and how they do on targets that training never saw."""

from collections.abc import Mapping
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

from seqrec.experiment.naming import model_order
from seqrec.protocol.metrics import REPORTED_METRICS
from seqrec.report.inference import (
    ALPHA,
    Difference,
    Interval,
    Scatter,
    bootstrap_interval,
    difference,
    holm,
    seed_scatter,
)
from seqrec.report.measured import Measured


def scatters(models: Mapping[str, Measured], metric: str) -> dict[str, Scatter]:
    """Estimate how much each of `models` of one dataset scatters between seeds.

    Networks are assumed to scatter alike, as two or three seeds of one say little. A model without
    epochs, such as a library's fit or a count, is of another kind and is estimated alone.
    """
    scores = {name: measured.scores[metric] for name, measured in models.items()}
    networks = [name for name in models if models[name].records[0].epochs is not None]
    pooled = seed_scatter(scores[name] for name in networks)
    return {name: pooled if name in networks else seed_scatter([scores[name]]) for name in models}


class Pair(NamedTuple):
    """Two models on one dataset in one metric, the better one first."""

    one: str
    other: str
    metric: str
    difference: Difference
    p: float
    """Corrected by Holm's method over all pairs of the dataset in this metric."""

    @property
    def distinguishable(self) -> bool:
        """Whether the two differ significantly."""
        return self.p < ALPHA


def pairs(models: Mapping[str, Measured], metric: str) -> list[Pair]:
    """Test every pair of `models` of one dataset, best first."""
    ordered = sorted(models, key=lambda name: (-models[name].mean(metric), model_order(name)))
    names = list(combinations(ordered, 2))
    scores = {name: models[name].scores[metric] for name in ordered}
    scatter = scatters(models, metric)
    tested = [
        difference(scores[one], scores[other], [scatter[one], scatter[other]])
        for one, other in names
    ]
    adjusted = holm([found.p for found in tested])
    return [
        Pair(*two, metric, found, p) for two, found, p in zip(names, tested, adjusted, strict=True)
    ]


def leaders(models: Mapping[str, Measured], metric: str) -> set[str]:
    """Find the best model and all that are not significantly worse."""
    if not models:
        return set()
    best = max(models, key=lambda name: models[name].mean(metric))
    found = pairs(models, metric)
    return {best} | {p.other for p in found if p.one == best and not p.distinguishable}


class TargetGroup(NamedTuple):
    """A model's metric over the users whose test target occurs in training, or over the others."""

    model: str
    occurs: bool
    users: int
    metric: str
    value: float
    interval: Interval
    median_rank: float
    """Median rank of the targets among all items, from 1, over all seeds."""


def by_target(models: Mapping[str, Measured]) -> list[TargetGroup]:
    """Measure `models` of one dataset on targets that occur in training, and on the others.

    A group without users is left out.
    """
    found = []
    for name, measured in models.items():
        trained_on = measured.records[0].target_counts() > 0
        ranks = np.stack([record.ranks() for record in measured.records])
        for metric, occurs in product(REPORTED_METRICS, (True, False)):
            group = trained_on == occurs
            users = measured.scores[metric].users[group]
            if len(users):
                mean, interval = float(users.mean()), bootstrap_interval(users)
                rank = float(np.median(ranks[:, group]))
                found.append(TargetGroup(name, occurs, len(users), metric, mean, interval, rank))
    return found

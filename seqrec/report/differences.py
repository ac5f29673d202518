"""Which models of a dataset differ, and how they fare on targets that training never saw."""

from collections.abc import Mapping
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

from seqrec.experiment.naming import model_order
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
from seqrec.report.measured import METRICS, Measured


def scatters(models: Mapping[str, Measured], metric: str) -> dict[str, Scatter]:
    """How each of `models` of one dataset scatters between seeds.

    Networks are assumed to scatter alike: two or three seeds of one say little. A model without
    epochs, a library's fit or a count, is another kind of thing and stands for itself alone.
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
        return self.p < ALPHA


def pairs(models: Mapping[str, Measured], metric: str) -> list[Pair]:
    """Every two of `models` of one dataset, best first."""
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
    """The best model and every one that cannot be told from it."""
    if not models:
        return set()
    best = max(models, key=lambda name: models[name].mean(metric))
    found = pairs(models, metric)
    return {best} | {p.other for p in found if p.one == best and not p.distinguishable}


class OfTargets(NamedTuple):
    """A model's metric over the users whose test target occurs in training, or over the others."""

    model: str
    occurs: bool
    users: int
    metric: str
    value: float
    interval: Interval
    median_rank: float
    """Of the targets among all items, 1 the best; every seed counts."""


def by_target(models: Mapping[str, Measured]) -> list[OfTargets]:
    """Each metric of `models` of one dataset on targets that occur in training and on the others.

    A group without users has no lines.
    """
    found = []
    for name, measured in models.items():
        trained_on = measured.records[0].target_counts() > 0
        ranks = np.stack([record.ranks() for record in measured.records])
        for metric, occurs in product(METRICS, (True, False)):
            group = trained_on == occurs
            users = measured.scores[metric].users[group]
            if len(users):
                mean, interval = float(users.mean()), bootstrap_interval(users)
                rank = float(np.median(ranks[:, group]))
                found.append(OfTargets(name, occurs, len(users), metric, mean, interval, rank))
    return found

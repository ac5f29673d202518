"""Which differences a dataset's test can detect, by how many seeds each model has."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TypeAlias

from scipy.special import ndtri

from seqrec.report.differences import scatters, share
from seqrec.report.inference import Scatter, Scores
from seqrec.report.levels import ALPHA
from seqrec.report.measured import Measured

POWER = 0.8
"""Probability with which a detectable difference is found."""

MOST_PAIRED = 20
"""How many models are paired, the best: of thousands, pairs would take hours."""

ScoredModel: TypeAlias = tuple[Scores, Scatter]
"""A metric of a model, and how much it scatters between seeds."""


def detectable_difference(one: ScoredModel, other: ScoredModel, seeds: int) -> float:
    """Return the smallest difference of two models that their test finds in four of five cases.

    Each model is taken to have `seeds` seeds, and otherwise to be like these two: their users
    differ as much, and their seeds scatter as much (see `inference.contrast`), which is taken as
    known exactly.
    """
    users = len(one[0].users)
    if users < 2:
        return math.inf  # a single user says nothing
    by_users = float((one[0].users - other[0].users).var(ddof=1)) / users
    by_seeds = 0.0
    for scores, scatter in (one, other):
        variance, noise = (part * scores.mean**2 for part in (scatter.variation, scatter.noise))
        # The differences between users hold noise of single users, divided by the seeds that there
        # are; with another number of seeds there is another share of it.
        by_users += noise / seeds - noise / len(scores.seeds)
        by_seeds += max(0.0, variance - noise) / seeds
    error = math.sqrt(max(0.0, by_users) + by_seeds)
    return float(ndtri(1 - ALPHA / 2) + ndtri(POWER)) * error


def scored_models(models: Mapping[str, Measured], metric: str) -> list[ScoredModel]:
    """List the best trained models of one dataset whose scatter between seeds is known."""
    scatter = scatters(models, metric)
    known = [name for name in models if scatter.of(name).known and models[name].best_epochs]
    best = sorted(known, key=lambda name: -models[name].mean(metric))[:MOST_PAIRED]
    return [(models[name].scores[metric], scatter.of(name)) for name in best]


def detectable_shares(scored: Sequence[ScoredModel], seeds: int) -> list[float]:
    """Find what the test of each pair of models detects, as a share of the lesser one's mean."""
    found = [
        share(detectable_difference(*pair, seeds), min(one.mean for one, _ in pair))
        for pair in combinations(scored, 2)
    ]
    return [one for one in found if math.isfinite(one)]

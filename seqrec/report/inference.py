"""Which differences are real: intervals and tests over users and seeds, from per-user metrics.

Everything here takes arrays and gives numbers; which records they come from is `evidence`'s
business. The test is Student's paired t-test over users, with the scatter between seeds added where
there are several (see `contrast`). Of the tests that are common in information retrieval it
keeps its error rate and has the most power (Urbano, Lima and Hanjalic, SIGIR 2019), it agrees with
the permutation test (Smucker, Allan and Carterette, CIKM 2007), and its p-values have no floor, as
those of a fixed number of permutations do, which a correction for hundreds of pairs would run into.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from seqrec.protocol.metrics import user_metric

CONFIDENCE = 0.95


ALPHA = 1 - CONFIDENCE


RESAMPLES = 10_000


BINS = 500


Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """A 95% interval; its ends belong to it."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True, eq=False)
class Scores:
    """One metric of one model on one dataset."""

    users: Floats
    """Of each user, the mean over seeds `[users]`."""
    seeds: Floats
    """Of each seed, the mean over users `[seeds]`."""

    @classmethod
    def of(cls, ranks: Sequence[npt.ArrayLike], metric: str) -> "Scores":
        """From the test ranks of each seed, `[users]` every one; `metric` as in `ndcg@10`."""
        name, _, cutoff = metric.partition("@")
        total: Floats | float = 0.0
        seeds = []
        for one in ranks:
            values = user_metric(one, name, int(cutoff))
            seeds.append(values.mean())
            total = total + values
        return cls(np.asarray(total) / len(seeds), np.array(seeds))


class Difference(NamedTuple):
    """A weighted sum of models' means, tested against zero."""

    value: float
    interval: Interval
    effect: float
    """Cohen's d_z: the mean over users in standard deviations over users (Cohen, 1988)."""
    p: float
    """Two-sided, over users and, where it is known how models scatter, over seeds."""
    p_users: float
    """Of the users alone: would these very trainings differ for other users?"""
    p_seeds: float
    """Of these models' own seeds alone, by Welch's t-test: would other trainings differ for these
    very users? NaN where a model has only one seed."""


def mean_and_deviation(values: Iterable[float | None]) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation of what is known; no deviation of fewer than two."""
    known = [float(value) for value in values if value is not None]
    return (
        fmean(known) if known else None,
        stdev(known) if len(known) > 1 else None,
    )


def bootstrap_interval(users: Floats, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Percentile bootstrap interval of a mean over `users` `[users]` (Efron, 1979).

    A resample draws as many users with replacement. All that its mean depends on is how often each
    distinct value was drawn, and those counts are multinomial: ranks give a metric at 10 just
    eleven values, so that ten thousand resamples of any number of users take milliseconds. Means
    over seeds can take more values; beyond 500 they are put into bins of equal width, each stood
    for by its own mean, which keeps the mean and all but about a millionth of the variance.
    """
    values, counts = np.unique(users, return_counts=True)
    if len(values) > BINS:
        place = np.minimum((BINS * (users - values[0]) / np.ptp(values)).astype(int), BINS - 1)
        counts = np.bincount(place, minlength=BINS)
        sums = np.bincount(place, users, minlength=BINS)
        values, counts = sums[counts > 0] / counts[counts > 0], counts[counts > 0]
    draws = np.random.default_rng(seed).multinomial(len(users), counts / len(users), resamples)
    means = draws @ values / len(users)
    low, high = np.quantile(means, [ALPHA / 2, 1 - ALPHA / 2])
    return Interval(float(low), float(high))


class Scatter(NamedTuple):
    """How much trainings that differ in their seeds alone scatter."""

    variation: float
    """The squared coefficient of variation of a metric between seeds."""
    freedom: int
    """Degrees of freedom of its estimate; 0 if no model has several seeds."""


def seed_scatter(scores: Iterable[Scores]) -> Scatter:
    """Pooled over the models that have several seeds, as analysis of variance pools its groups.

    Two or three seeds of one model say little about its scatter; those of all like it on a dataset
    together say enough. Assumed is that these models scatter alike in relation to their means.
    """
    squares, freedom = 0.0, 0
    for one in scores:
        if len(one.seeds) > 1 and one.seeds.mean() > 0:
            relative = one.seeds / one.seeds.mean()
            squares += float(np.sum((relative - 1) ** 2))
            freedom += len(relative) - 1
    return Scatter(squares / freedom if freedom else 0.0, freedom)


def difference(one: Scores, other: Scores, scatters: Sequence[Scatter] | None = None) -> Difference:
    """`one` minus `other`, tested; see `contrast`."""
    return contrast([one, other], [1.0, -1.0], scatters)


def trend(
    scores: Sequence[Scores], x: Sequence[float], scatters: Sequence[Scatter] | None = None
) -> Difference:
    """The slope of a metric over `x`, tested: the linear contrast of repeated measures, in which
    every user has a least-squares slope of their own; see `contrast`."""
    centred = np.asarray(x, dtype=np.float64) - np.mean(x)
    return contrast(scores, list(centred / np.sum(centred**2)), scatters)


def contrast(
    scores: Sequence[Scores],
    weights: Sequence[float],
    scatters: Sequence[Scatter] | None = None,
) -> Difference:
    """The sum of `weights` times the models' means, with its interval and its test against zero.

    Two sources of chance are crossed, which users there are and which seeds were drawn, and their
    variances add up (Owen, 2007, on bootstrapping such arrays; Bouthillier et al., MLSys 2021, on
    seeds): that of the users' weighted sums over their number, and for each model, its weight
    squared times the variance between seeds over their number. The latter comes from `scatters`,
    one a model (default: pooled over these models), so that a model with one seed is as unsure as
    the others that it is pooled with. The degrees of freedom are those of Welch and Satterthwaite.
    Where no model has several seeds it is exactly the paired t-test over users, and what other
    seeds would change remains unknown. Seeds are not paired: the same number in two models draws
    different things.

    Assumed are independent users, independent seeds, and means that are close to normal, as those
    of hundreds of users are, whatever the users' own distribution.
    """
    users = np.zeros_like(scores[0].users)
    for one, weight in zip(scores, weights, strict=True):
        users += weight * one.users
    value = float(users.mean())
    variance = float(users.var(ddof=1)) if len(users) > 1 else math.inf
    by_users = [(variance / len(users), len(users) - 1)]
    own = [
        (weight**2 * float(one.seeds.var(ddof=1)) / len(one.seeds), len(one.seeds) - 1)
        for one, weight in zip(scores, weights, strict=True)
        if len(one.seeds) > 1
    ]
    # Variances from one estimate rise and fall together, so they are one part.
    between_seeds: dict[Scatter, float] = defaultdict(float)
    scatters = scatters or [seed_scatter(scores)] * len(scores)
    for one, weight, scatter in zip(scores, weights, scatters, strict=True):
        of_the_mean = (weight * float(one.seeds.mean())) ** 2 / len(one.seeds)
        between_seeds[scatter] += scatter.variation * of_the_mean
    by_seeds = [(part, scatter.freedom) for scatter, part in between_seeds.items() if part]
    p, margin = _t_test(value, by_users + by_seeds)
    return Difference(
        value,
        Interval(value - margin, value + margin),
        value / math.sqrt(variance) if variance else 0.0,
        p,
        _t_test(value, by_users)[0],
        _t_test(value, own)[0] if len(own) == len(scores) else math.nan,
    )


def holm(p: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p-values: below alpha together, they are wrong anywhere in the family
    with a probability below alpha, whatever their dependence."""
    order = np.argsort(p)
    scaled = np.asarray(p, dtype=np.float64)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(value) for value in adjusted]


def _t_test(value: float, parts: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """Two-sided p-value of `value`, and half the width of its interval.

    `parts` are independent (variance, degrees of freedom) that add up to the variance of `value`.
    """
    variance = sum(part for part, _ in parts)
    if math.isinf(variance):  # of one user nothing is known
        return 1.0, math.inf
    if variance <= 0:
        return (1.0 if value == 0 else 0.0), 0.0
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    error = math.sqrt(variance)
    p = 2 * float(stdtr(freedom, -abs(value) / error))
    return p, error * float(stdtrit(freedom, 1 - ALPHA / 2))

"""Which differences are real: intervals and tests over users and seeds, from per-user metrics.

Everything here takes arrays and returns numbers; `measured` knows which records they come from. The
test is Student's paired t-test over users, with the scatter between seeds added where there are
several (see `contrast`). Of the tests common in information retrieval it keeps its error rate and
has the most power (Urbano, Lima and Hanjalic, SIGIR 2019), and it agrees with the permutation test
(Smucker, Allan and Carterette, CIKM 2007). Unlike those of a fixed number of permutations, its
p-values have no floor, which a correction for hundreds of pairs would run into.
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
"""Beyond so many distinct values the bootstrap groups them."""

Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """A 95% interval, ends included."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True, eq=False)
class Scores:
    """One metric of one model on one dataset."""

    users: Floats
    """Mean over seeds of each user, `[users]`."""
    seeds: Floats
    """Mean over users of each seed, `[seeds]`."""

    @classmethod
    def of(cls, ranks: Sequence[npt.ArrayLike], metric: str) -> "Scores":
        """Compute a metric such as `ndcg@10` from the test ranks of each seed, `[users]` each."""
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
    """Two-sided, over users and, where their scatter is known, over seeds."""
    p_users: float
    """Over users alone: would these same trainings differ for other users?"""
    p_seeds: float
    """Over the models' own seeds alone, by Welch's t-test: would other trainings differ for these
    same users? NaN where a model has only one seed."""


def mean_and_deviation(values: Iterable[float | None]) -> tuple[float | None, float | None]:
    """Compute mean and sample standard deviation of the known values.

    The mean is None if there are none, the deviation if there are fewer than two.
    """
    known = [float(value) for value in values if value is not None]
    return (
        fmean(known) if known else None,
        stdev(known) if len(known) > 1 else None,
    )


def bootstrap_interval(users: Floats, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Compute the percentile bootstrap interval of a mean over `users` `[users]` (Efron, 1979).

    A resample draws as many users with replacement. Its mean depends only on how often each
    distinct value was drawn, and these counts are multinomial. A metric at 10 has just eleven
    values, so ten thousand resamples of any number of users take milliseconds. Means over seeds can
    have more values; beyond 500 they are grouped into bins of equal width, each represented by its
    own mean, which keeps the mean and all but about a millionth of the variance.
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
    """How much a metric scatters between trainings that differ only in their seeds."""

    variation: float
    """The squared coefficient of variation of a metric between seeds."""
    freedom: int
    """Degrees of freedom of the estimate; 0 if no model has several seeds."""


def seed_scatter(scores: Iterable[Scores]) -> Scatter:
    """Pool the scatter of the models that have several seeds, as analysis of variance pools groups.

    Two or three seeds of one model say little about its scatter; those of all similar models on a
    dataset together say enough. The models are assumed to scatter alike relative to their means.
    """
    squares, freedom = 0.0, 0
    for one in scores:
        if len(one.seeds) > 1 and one.seeds.mean() > 0:
            relative = one.seeds / one.seeds.mean()
            squares += float(np.sum((relative - 1) ** 2))
            freedom += len(relative) - 1
    return Scatter(squares / freedom if freedom else 0.0, freedom)


def difference(one: Scores, other: Scores, scatters: Sequence[Scatter] | None = None) -> Difference:
    """Test `one` minus `other`; see `contrast`."""
    return contrast([one, other], [1.0, -1.0], scatters)


def trend(
    scores: Sequence[Scores], x: Sequence[float], scatters: Sequence[Scatter] | None = None
) -> Difference:
    """Test the slope of a metric over `x`; see `contrast`.

    This is the linear contrast of repeated measures, in which every user has a least-squares slope.
    """
    centred = np.asarray(x, dtype=np.float64) - np.mean(x)
    return contrast(scores, list(centred / np.sum(centred**2)), scatters)


def contrast(
    scores: Sequence[Scores],
    weights: Sequence[float],
    scatters: Sequence[Scatter] | None = None,
) -> Difference:
    """Estimate the sum of `weights` times the models' means, and test it against zero.

    Two sources of chance are crossed, the choice of users and the choice of seeds, and their
    variances add up (Owen, 2007, on bootstrapping such arrays; Bouthillier et al., MLSys 2021, on
    seeds). The first is the variance of the users' weighted sums over the number of users; the
    second is, for each model, its squared weight times the variance between seeds over their
    number. The variance between seeds comes from `scatters`, one for each model (by default pooled
    over these models), so that a model with one seed is as uncertain as those it is pooled with.
    Degrees of freedom follow Welch and Satterthwaite. Where no model has several seeds, this is
    exactly the paired t-test over users, and the effect of other seeds remains unknown. Seeds are
    not paired, as the same seed in two models draws different things.

    Users and seeds are assumed to be independent, and means to be close to normal, as those of
    hundreds of users are whatever the distribution of a single one.
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
    # Variances from the same estimate rise and fall together, so they form one part.
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
    """Adjust p-values by Holm's (1979) method.

    If those below alpha are called significant, the probability of any error in the family is below
    alpha, however the tests depend on one another.
    """
    order = np.argsort(p)
    scaled = np.asarray(p, dtype=np.float64)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(value) for value in adjusted]


def _t_test(value: float, parts: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """Return the two-sided p-value of `value`, and half the width of its interval.

    `parts` are independent variances, with their degrees of freedom, that add up to that of
    `value`.
    """
    variance = sum(part for part, _ in parts)
    if math.isinf(variance):  # a single user says nothing
        return 1.0, math.inf
    if variance <= 0:
        return (1.0 if value == 0 else 0.0), 0.0
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    error = math.sqrt(variance)
    p = 2 * float(stdtr(freedom, -abs(value) / error))
    return p, error * float(stdtrit(freedom, 1 - ALPHA / 2))

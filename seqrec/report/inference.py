"""Which differences are real: intervals and tests over users and seeds, from per-user metrics.

Everything here takes arrays and returns numbers; `measured` knows which records they come from. One
model of variance serves all tables, claims and `seqrec compare` (see `contrast`): Student's paired
t-test over users, widened by how much the models scatter between seeds. Of the tests common in
information retrieval the paired t-test keeps its error rate and has the most power (Urbano, Lima
and Hanjalic, SIGIR 2019), and it agrees with the permutation test (Smucker, Allan and Carterette,
CIKM 2007). Unlike those of a fixed number of permutations, its p-values have no floor, which a
correction for hundreds of pairs would run into.

`tests/report/test_calibration.py` simulates how often the test errs and how often intervals cover.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtr, stdtrit

from seqrec.protocol.metrics import GAINS, set_metric, user_metric
from seqrec.report.levels import ALPHA

Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """A 95% interval, ends included."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


class Targets(NamedTuple):
    """Whose the test targets are, where a user may have several."""

    users: npt.NDArray[np.integer]
    """`[targets]`; a user's targets stand side by side."""
    at_once: bool
    """Whether a user's targets are ranked for at once, as a set of relevant items."""

    def among(self, chosen: npt.NDArray[np.bool_]) -> "Targets":
        """Return those of some targets, `[targets]`."""
        return Targets(self.users[chosen], self.at_once)


def user_values(ranks: npt.ArrayLike, metric: str, targets: Targets | None = None) -> Floats:
    """Compute a metric such as `ndcg@10` of each user from the ranks of test targets, `[users]`.

    Without `targets`, each user has one target. Where a user has several, one after another, the
    mean of the metric is that over all targets, and these are no independent observations: a
    user's targets are alike. The values of users are therefore those of a ratio estimator: the mean
    over targets, plus what the user's targets add to it in sum, in targets of the average user.
    Their mean is the mean over targets, and their variance is the cluster-robust one (Cochran,
    Sampling Techniques, 1977, section 6; Liang and Zeger, 1986).
    """
    name, _, cutoff = metric.partition("@")
    if targets is not None and targets.at_once:
        return set_metric(ranks, targets.users, name, int(cutoff))
    values = _target_values(ranks, name, int(cutoff))
    if targets is None:
        return values
    users = targets.users
    first = np.flatnonzero(np.concatenate(([True], users[1:] != users[:-1])))
    if len(first) == len(values):
        return values
    counts, mean = np.diff(np.append(first, len(values))), values.mean()
    return mean + (np.add.reduceat(values, first) - mean * counts) / counts.mean()


def _target_values(ranks: npt.ArrayLike, name: str, cutoff: int) -> Floats:
    """Compute a metric of each target, `[targets]`; one of sets as if each were the only one."""
    if name in GAINS:
        return user_metric(ranks, name, cutoff)
    return set_metric(ranks, np.arange(len(np.asarray(ranks))), name, cutoff)


@dataclass(frozen=True, eq=False)
class Scores:
    """One metric of one model on one dataset."""

    users: Floats
    """Mean over seeds of each user, `[users]`; see `user_values`."""
    seeds: Floats
    """Mean over users of each seed, `[seeds]`."""
    noise: float = 0.0
    """Variance of one user's value in one seed beyond what that user and that seed have in common
    with others, as two-way analysis of variance estimates it (the mean square of the interaction);
    0 for a single seed."""

    @classmethod
    def of(
        cls, ranks: Sequence[npt.ArrayLike], metric: str, targets: Targets | None = None
    ) -> "Scores":
        """Compute a metric such as `ndcg@10` from the test ranks of each seed, `[targets]` each."""
        total: Floats | float = 0.0
        squares = 0.0
        seeds = []
        for one in ranks:
            values = user_values(one, metric, targets)
            seeds.append(values.mean())
            total = total + values
            squares += float(np.sum(values**2))
        users, means = np.asarray(total) / len(seeds), np.array(seeds)
        return cls(users, means, _interaction(squares, users, means))

    @property
    def mean(self) -> float:
        """Mean over users and seeds."""
        return float(self.seeds.mean())


def _interaction(squares: float, users: Floats, seeds: Floats) -> float:
    """Return the mean square of the interaction in a table `[seeds, users]`.

    `squares` is the sum of all squared values; `users` and `seeds` are the means of the table over
    its other side.
    """
    freedom = (len(seeds) - 1) * (len(users) - 1)
    if freedom == 0:
        return 0.0
    whole = len(seeds) * len(users) * float(seeds.mean()) ** 2
    of_users = len(seeds) * float(np.sum(users**2))
    of_seeds = len(users) * float(np.sum(seeds**2))
    return max(0.0, squares - of_users - of_seeds + whole) / freedom


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


def bootstrap_interval(users: Floats) -> Interval:
    """Compute the percentile bootstrap interval of a mean over `users` `[users]` (Efron, 1979).

    Nothing is resampled. But for terms of the order of one over the number of users, the quantiles
    to which more and more resamples lead follow from mean, deviation and skewness, by the expansion
    of Cornish and Fisher (Hall, The Bootstrap and Edgeworth Expansion, 1992). For hundreds of users
    that is closer than ten thousand resamples come, and takes no time.
    """
    count, mean, deviation = len(users), float(users.mean()), float(users.std())
    if deviation == 0:
        return Interval(mean, mean)
    standard = (users - mean) / deviation
    skewness = float((standard**3).mean()) / math.sqrt(count)
    low, high = float(users.min()), float(users.max())

    def quantile(z: float) -> float:
        z += skewness * (z**2 - 1) / 6
        return min(max(mean + z * deviation / math.sqrt(count), low), high)

    margin = float(ndtri(1 - ALPHA / 2))
    return Interval(quantile(-margin), quantile(margin))


class Scatter(NamedTuple):
    """How much a metric scatters between trainings that differ only in their seeds.

    Variances are relative to the squared mean of the metric.
    """

    variation: float
    """Variance of the metric between seeds, for the same users: the squared coefficient of
    variation."""
    noise: float
    """The part of `variation` that is noise of single users and would vanish with more of them."""
    freedom: int
    """Degrees of freedom of the estimate; 0 if no model has several seeds."""

    @property
    def known(self) -> bool:
        """Whether any model has several seeds."""
        return self.freedom > 0


UNKNOWN = Scatter(0.0, 0.0, 0)

ENOUGH_FREEDOM = 2
"""Degrees of freedom, those of three seeds, from which a model's scatter is estimated alone."""


def seed_scatter(scores: Iterable[Scores]) -> Scatter:
    """Pool the scatter of the models that have several seeds, as analysis of variance pools groups.

    One or two seeds of one model say little about its scatter; those of all models that scatter
    alike, relative to their means, say more.
    """
    squares, noise, freedom = 0.0, 0.0, 0
    for one in scores:
        if len(one.seeds) > 1 and one.mean > 0:
            own = len(one.seeds) - 1
            squares += float(np.sum((one.seeds / one.mean - 1) ** 2))
            noise += own * one.noise / len(one.users) / one.mean**2
            freedom += own
    return Scatter(squares / freedom, noise / freedom, freedom) if freedom else UNKNOWN


class Scatters:
    """How much the models of one dataset scatter between seeds, in one metric.

    A model with three seeds or more speaks for itself, so that no wilder relative makes it less
    certain. One with fewer borrows the pooled scatter of the models of its kind. In a test, these
    must be at least as good as the worst of the tested models, unless none of those has several
    seeds: so a worse model changes nothing for the tests among better ones, unless it is the first
    to show how much its kind scatters.
    """

    def __init__(self, scores: Mapping[str, Scores], kinds: Mapping[str, Hashable]) -> None:
        self.scores = scores
        self.kinds = kinds
        self._own = {name: seed_scatter([one]) for name, one in scores.items()}
        self._pooled: dict[tuple[Hashable, float], Scatter] = {}

    def of(self, name: str, least: float = -math.inf) -> Scatter:
        """Estimate the scatter of a model, in a test whose worst model has the mean `least`."""
        own = self._own[name]
        if own.freedom >= ENOUGH_FREEDOM:
            return own
        kind = self.kinds[name]
        near = self._pool(kind, least)
        return near if near.known else self._pool(kind, -math.inf)

    def in_test(self, *names: str) -> list[Scatter]:
        """Estimate the scatter of each of the models that are tested together."""
        least = min(self.scores[name].mean for name in names)
        return [self.of(name, least) for name in names]

    def _pool(self, kind: Hashable, least: float) -> Scatter:
        if (kind, least) not in self._pooled:
            self._pooled[kind, least] = seed_scatter(
                one
                for name, one in self.scores.items()
                if self.kinds[name] == kind and one.mean >= least
            )
        return self._pooled[kind, least]


def difference(one: Scores, other: Scores, scatters: Sequence[Scatter]) -> Difference:
    """Test `one` minus `other`; see `contrast`."""
    return contrast([one, other], [1.0, -1.0], scatters)


def trend(scores: Sequence[Scores], x: Sequence[float], scatters: Sequence[Scatter]) -> Difference:
    """Test the slope of a metric over `x`; see `contrast`.

    This is the linear contrast of repeated measures, in which every user has a least-squares slope.
    """
    centred = np.asarray(x, dtype=np.float64) - np.mean(x)
    return contrast(scores, list(centred / np.sum(centred**2)), scatters)


def contrast(
    scores: Sequence[Scores],
    weights: Sequence[float],
    scatters: Sequence[Scatter],
) -> Difference:
    """Estimate the sum of `weights` times the models' means, and test it against zero.

    Every value is taken as the sum of what a user, a seed, and the two together contribute, and
    users and seeds are random (variance components of a crossed design; Owen, 2007, on
    bootstrapping such arrays; Bouthillier et al., MLSys 2021, on seeds). The variance of the sum is
    that of the users' weighted sums over the number of users, plus, for each model, its squared
    weight times the variance between its seeds over their number. Noise of single users in single
    seeds is in both, so it is subtracted once: users + seeds - interaction. The variance between
    seeds comes from `scatters`, one for each model, so that a model with one seed is as uncertain
    as those it borrows from. An estimate of it below zero
    counts as zero. Degrees of freedom follow Welch and Satterthwaite. Where no scatter is known,
    this is exactly the paired t-test over users, and the effect of other seeds remains unknown.
    Seeds are not paired, as the same seed in two models draws different things.

    Means are assumed to be close to normal, as those of hundreds of users are whatever the
    distribution of a single one. Only where scatter is known from two trainings of one model (one
    degree of freedom) and is many times the noise of users does the test err much more often than
    it says: simulated at the 5% level, in up to 12% of cases, and in 8% with two of each model.
    """
    users = np.zeros_like(scores[0].users)
    for one, weight in zip(scores, weights, strict=True):
        users += weight * one.users
    value = float(users.mean())
    variance = float(users.var(ddof=1)) if len(users) > 1 else math.inf
    by_users = [_Part(variance / len(users), len(users) - 1)]
    own = [
        _Part(weight**2 * float(one.seeds.var(ddof=1)) / len(one.seeds), len(one.seeds) - 1)
        for one, weight in zip(scores, weights, strict=True)
        if len(one.seeds) > 1
    ]
    # Variances from the same estimate rise and fall together, so they form one part.
    squared_means: dict[Scatter, float] = defaultdict(float)
    for one, weight, scatter in zip(scores, weights, scatters, strict=True):
        squared_means[scatter] += (weight * one.mean) ** 2 / len(one.seeds)
    by_seeds = [
        _Part(scatter.variation * factor, scatter.freedom, scatter.noise * factor)
        for scatter, factor in squared_means.items()
        if scatter.known
    ]
    p, margin = _t_test(value, by_users + by_seeds)
    return Difference(
        value,
        Interval(value - margin, value + margin),
        value / math.sqrt(variance) if variance else 0.0,
        p,
        _t_test(value, by_users)[0],
        _t_test(value, own)[0] if len(own) == len(scores) else math.nan,
    )


def prediction_interval(mean: float, seeds: int, variance: float, freedom: int) -> Interval:
    """Predict one more training, for the same users, from the mean of `seeds` trainings.

    `variance` is that between seeds, estimated with `freedom` degrees of freedom; the mean itself
    is uncertain by a share of 1 / `seeds` of it.
    """
    margin = float(stdtrit(freedom, 1 - ALPHA / 2)) * math.sqrt(variance * (1 + 1 / seeds))
    return Interval(mean - margin, mean + margin)


def may_be_best(scatters: Scatters) -> set[str]:
    """Select the models of which one can believe that they are the best.

    A model is left out if it is significantly worse than the model with the highest mean, at the 5%
    level over the number of models whose means are above its own: it would be the best only if each
    of these were ahead by luck. The best model is left out in less than 5% of cases (as by multiple
    comparisons with the best; Hsu, 1996), and a model's fate does not depend on those below it, but
    for the exception that `Scatters` names.
    """
    means = {name: one.mean for name, one in scatters.scores.items()}
    if not means:
        return set()
    best = max(means, key=means.__getitem__)
    found = {best}
    for name in means.keys() - found:
        above = sum(mean > means[name] for mean in means.values())
        sides = (scatters.scores[best], scatters.scores[name])
        tested = difference(*sides, scatters.in_test(best, name))
        # A model that is level with the best has none above it.
        if max(1, above) * tested.p >= ALPHA:
            found.add(name)
    return found


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


class _Part(NamedTuple):
    """An independent part of a variance."""

    estimate: float
    freedom: int
    counted_elsewhere: float = 0.0
    """What of the estimate other parts hold already."""

    @property
    def variance(self) -> float:
        return max(0.0, self.estimate - self.counted_elsewhere)


def _t_test(value: float, parts: Sequence[_Part]) -> tuple[float, float]:
    """Return the two-sided p-value of `value`, and half the width of its interval."""
    variance = sum(part.variance for part in parts)
    if math.isinf(variance):  # a single user says nothing
        return 1.0, math.inf
    if variance <= 0:
        return (1.0 if value == 0 else 0.0), 0.0
    welch = variance**2 / sum(part.estimate**2 / part.freedom for part in parts)
    # Without the subtracted noise, no sum would have less freedom than its least certain part.
    freedom = max(welch, min(part.freedom for part in parts))
    error = math.sqrt(variance)
    p = 2 * float(stdtr(freedom, -abs(value) / error))
    return p, error * float(stdtrit(freedom, 1 - ALPHA / 2))

"""What the best of fewer trials would have been: how much of a result is the number of tries.

After Dodge et al., "Show Your Work" (EMNLP 2019), who take the expected best of n trials from the
empirical distribution of all. Their estimate draws with replacement and comes out too low (Tang et
al., "Showing Your Work Doesn't Always Work", ACL 2020). Here every subset of n trials counts once,
which is unbiased for independent trials, and exact.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from seqrec.report.inference import Interval
from seqrec.report.levels import CONFIDENCE

MOST_NUMBERS = 100
"""Most numbers of trials that a curve has; of more trials, some are left out."""


class Expected(NamedTuple):
    """A value of the best of some trials, over all subsets of that many."""

    trials: int
    mean: float
    interval: Interval
    """Where it lies in 95% of the subsets."""


def expected_of_best(
    validation: Sequence[float], values: Sequence[float] | None = None
) -> list[Expected]:
    """Estimate a value of the best of n trials, for each n up to that of all trials.

    The best is that with the highest `validation` `[trials]`; of equal ones, the first. `values`
    `[trials]` are what is estimated, such as a test metric; by default the validation itself.
    """
    measured = np.asarray(validation if values is None else values, dtype=np.float64)
    # From worst to best: the first of equal ones wins, so it comes last.
    order = np.lexsort((-np.arange(len(measured)), np.asarray(validation, dtype=np.float64)))
    return [
        _expected(count, measured[order], chances_of_best(len(measured), count))
        for count in _numbers(len(measured))
    ]


def chances_of_best(trials: int, count: int) -> npt.NDArray[np.float64]:
    """Return the share of subsets of `count` trials in which each trial is the best, `[trials]`.

    Trials go from worst to best. The i-th is the best where the others are among the i - 1 worse
    ones: C(i - 1, count - 1) of C(trials, count) subsets.
    """
    worse = np.arange(count - 1, trials)
    chances = np.zeros(trials)
    chances[count - 1 :] = np.exp(_log_subsets(worse, count - 1) - _log_subsets(trials, count))
    return chances


def _log_subsets(of: npt.ArrayLike, size: int) -> npt.NDArray[np.float64]:
    """Return the logarithm of the number of subsets of a size."""
    of = np.asarray(of)
    logarithm: npt.NDArray[np.float64] = (
        gammaln(of + 1) - gammaln(size + 1) - gammaln(of - size + 1)
    )
    return logarithm


def _numbers(trials: int) -> Iterable[int]:
    if trials <= MOST_NUMBERS:
        return range(1, trials + 1)
    return map(int, np.unique(np.geomspace(1, trials, MOST_NUMBERS).round()))


def _expected(
    count: int, values: npt.NDArray[np.float64], chances: npt.NDArray[np.float64]
) -> Expected:
    """Describe a value that is each of `values` with a chance."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(chances[order])
    outside = (1 - CONFIDENCE) / 2
    # Within rounding of the sum of chances.
    low, high = np.searchsorted(below, (outside + 1e-9, 1 - outside - 1e-9))
    ends = [float(values[order][min(end, len(values) - 1)]) for end in (low, high)]
    return Expected(count, float(values @ chances), Interval(*ends))

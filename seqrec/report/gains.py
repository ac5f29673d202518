"""By how much a dataset's models are above some of them."""

from collections.abc import Collection
from typing import NamedTuple

from seqrec.report.differences import Pair, share
from seqrec.report.evidence import Evidence
from seqrec.report.inference import Interval


class Gain(NamedTuple):
    """By how much a model is above another, as a share of the other's mean; NaN if that is 0."""

    share: float
    interval: Interval
    pair: Pair
    """The test of the two, among all pairs of the dataset."""


def gains(
    evidence: Evidence, dataset: str, metric: str, over: Collection[str]
) -> dict[tuple[str, str], Gain]:
    """Measure how far each model of a dataset is above each of the models `over`."""
    models = evidence.comparable[dataset]
    found = {}
    for pair in evidence.pairs(dataset, metric):
        for one, other, sign in ((pair.one, pair.other, 1), (pair.other, pair.one, -1)):
            if other in over:
                mean = models[other].mean(metric)
                low, high = sorted(sign * end for end in pair.difference.interval)
                value = share(sign * pair.difference.value, mean)
                ends = Interval(share(low, mean), share(high, mean))
                found[one, other] = Gain(value, ends, pair)
    return found

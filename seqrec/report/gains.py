"""By how much a dataset's models are above the baselines among them."""

from collections.abc import Mapping
from typing import NamedTuple

from seqrec.experiment.naming import baselines
from seqrec.report.differences import pairs, share
from seqrec.report.inference import Interval
from seqrec.report.levels import ALPHA
from seqrec.report.measured import Measured


class Gain(NamedTuple):
    """By how much a model is above another, as a share of the other's mean."""

    share: float
    interval: Interval
    p: float
    """Corrected over all pairs of the dataset, as in the table of pairs."""

    @property
    def is_significant(self) -> bool:
        """Whether the two models differ."""
        return self.p < ALPHA


def gains(models: Mapping[str, Measured], metric: str) -> dict[tuple[str, str], Gain]:
    """Measure how far each of `models` of one dataset is above each baseline among them."""
    over = baselines(models)
    found = {}
    for pair in pairs(models, metric):
        ends = pair.difference.interval
        for one, other, sign in ((pair.one, pair.other, 1), (pair.other, pair.one, -1)):
            if other in over:
                mean = models[other].mean(metric)
                low, high = sorted(share(sign * end, mean) for end in ends)
                value = share(sign * pair.difference.value, mean)
                found[one, other] = Gain(value, Interval(low, high), pair.p)
    return found

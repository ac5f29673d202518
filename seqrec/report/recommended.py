"""What a model recommends to the test users, beside how accurate that is."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqrec.records.record import Record


class Recommended(NamedTuple):
    """What a model recommends, over the ten items recommended to each test user."""

    coverage: float
    """Share of all items that are recommended to anybody."""
    gini: float
    """Gini index of how often items are recommended: 0 if all are equally often, near 1 if few
    items are all that is recommended."""
    popularity: float | None
    """How often a recommended item occurs in the train part, on average."""


def gini(counts: npt.ArrayLike) -> float:
    """Compute the Gini index of `counts` `[items]` (Gini, 1912); 0 if all are 0.

    It is half the mean absolute difference of two counts over their mean.
    """
    ordered = np.sort(np.asarray(counts, dtype=np.float64))
    total, number = ordered.sum(), len(ordered)
    places = np.arange(1, number + 1)
    return float((2 * places - number - 1) @ ordered / (number * total)) if total else 0.0


def recommended(records: Sequence[Record]) -> Recommended | None:
    """Average over the seeds of a model that recorded what they recommend; None if none did."""
    counted = [(one, counts) for one in records if (counts := one.recommended_counts()) is not None]
    if not counted:
        return None
    popularity = [
        one.recommended_popularity for one, _ in counted if one.recommended_popularity is not None
    ]
    return Recommended(
        fmean(float((counts > 0).mean()) for _, counts in counted),
        fmean(gini(counts) for _, counts in counted),
        fmean(popularity) if popularity else None,
    )

"""Columns that several tables share: metrics, and tested differences."""

import math
import sys
from collections.abc import Sequence

from seqrec.report.cells import Cell, MarkedText
from seqrec.report.inference import Difference
from seqrec.report.levels import CONFIDENCE
from seqrec.report.numbers import p_value, percent, signed, signed_interval

DIFFERENCE_HEADINGS = (
    *("Difference", f"{CONFIDENCE:.0%} interval", "relative"),
    *("d_z", "p", "p, Holm"),
)

DIFFERENCE_NAMES = (
    *("difference", "low", "high", "relative", "effect"),
    *("p", "p_holm", "p_users", "p_seeds"),
)
"""Names of the same columns, and two more, in a table for programs."""

OVER_SEEDS = "Over seeds: the mean, with both values of two and the standard deviation of more."
"""Explains what `over_seeds` writes."""

TEST_NOTE = (
    "Paired t-test over users, each user's metric averaged over seeds, widened by how much "
    "trainings scatter between seeds. A model with three seeds or more has the scatter of its own "
    "seeds; one with fewer borrows that of the dataset's models with the same kind of loss and "
    "several seeds, if it has a loss: of those at least as good as the worse of the two, if there "
    "are any. Noise that users and seeds share is counted once. relative: "
    "the difference in percent of the second model's value. d_z: the difference in standard "
    "deviations over users (Cohen's d for pairs)."
)


def scatter_notes(unknown: Sequence[str]) -> list[MarkedText]:
    """Say of which models, by their titles, nothing shows how they scatter between seeds."""
    if not unknown:
        return []
    return [
        f"Scatter between seeds unknown: {', '.join(unknown)}. No model of their kind has several "
        "seeds, so their tests are about these trainings only: other seeds may change more than "
        "the intervals say."
    ]


def difference_cells(found: Difference, p_holm: float, relative: float) -> list[Cell]:
    """Show a difference under `DIFFERENCE_HEADINGS`."""
    texts = [
        signed(found.value, 4),
        signed_interval(found.interval, lambda value: signed(value, 4)),
        percent(relative),
        signed(found.effect, 3),
        p_value(found.p),
        p_value(p_holm),
    ]
    return [Cell(text) for text in texts]


def difference_values(found: Difference, p_holm: float, relative: float) -> list[float]:
    """List the values of a difference under `DIFFERENCE_NAMES`; no p-value is ever 0."""
    tested = (found.p, p_holm, found.p_users, found.p_seeds)
    return [found.value, *found.interval, relative, found.effect, *map(above_zero, tested)]


def above_zero(p: float) -> float:
    """Return a p-value, or the least number above 0 in place of 0: no p-value is that small."""
    return p if math.isnan(p) else max(p, sys.float_info.min)

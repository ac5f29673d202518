"""Columns that several tables share: metrics, and tested differences."""

from seqrec.report.cells import Cell
from seqrec.report.inference import Difference
from seqrec.report.numbers import p_value, signed, signed_interval

METRIC_TITLES = {"hit_rate@10": "HitRate@10", "ndcg@10": "NDCG@10"}

DIFFERENCE_HEADINGS = ("Difference", "95% interval", "Effect", "p", "p, Holm")

DIFFERENCE_NAMES = (
    *("difference", "low", "high", "effect"),
    *("p", "p_holm", "p_users", "p_seeds"),
)
"""Names of the same columns, and two more, in a table for programs."""

TEST_NOTE = (
    "Paired t-test over users, each user's metric averaged over seeds. Where networks have several "
    "seeds, the pooled scatter between seeds is part of every network's error, also of one with a "
    "single seed; any other model has only the scatter of its own seeds. Effect: Cohen's d, the "
    "difference in standard deviations over users."
)


def difference_cells(found: Difference, p_holm: float) -> list[Cell]:
    """Show a difference under `DIFFERENCE_HEADINGS`."""
    texts = [
        signed(found.value, 4),
        signed_interval(found.interval, lambda value: signed(value, 4)),
        signed(found.effect, 3),
        p_value(found.p),
        p_value(p_holm),
    ]
    return [Cell(text) for text in texts]


def difference_values(found: Difference, p_holm: float) -> list[float]:
    """List the values of a difference under `DIFFERENCE_NAMES`."""
    values = [found.value, *found.interval, found.effect]
    return [*values, found.p, p_holm, found.p_users, found.p_seeds]

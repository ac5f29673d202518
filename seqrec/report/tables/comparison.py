"""The table that `seqrec compare` prints."""

from collections.abc import Sequence

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.report.cells import Cell, MarkedText, Table
from seqrec.report.comparison import Comparison
from seqrec.report.levels import CONFIDENCE
from seqrec.report.measured import Measured
from seqrec.report.metrics import metric_title
from seqrec.report.numbers import interval, over_seeds
from seqrec.report.tables.columns import (
    DIFFERENCE_HEADINGS,
    DIFFERENCE_NAMES,
    TEST_NOTE,
    difference_cells,
    difference_values,
    scatter_notes,
)


def comparison_table(title: str, compared: Sequence[Comparison]) -> Table:
    """Tabulate what was compared, one metric a line."""
    return Table(
        title,
        ["Dataset", "Model", "Metric", "A", "B", *DIFFERENCE_HEADINGS],
        [_cells(row) for row in compared],
        pd.DataFrame(
            [_values(row) for row in compared],
            columns=["dataset", "metric", "model_a", "model_b", "a", "b", *DIFFERENCE_NAMES],
        ),
        _notes(compared),
        "lll" + "r" * (2 + len(DIFFERENCE_HEADINGS)),
    )


def _cells(row: Comparison) -> list[Cell]:
    texts = [dataset_title(row.one.records[0].task), _models(row), metric_title(row.metric)]
    texts += [_side(side, row.metric) for side in (row.one, row.other)]
    return [*map(Cell, texts), *difference_cells(row.difference, row.p, row.relative)]


def _models(row: Comparison) -> str:
    return " and ".join(dict.fromkeys(side.title for side in row.sides))


def _side(side: Measured, metric: str) -> str:
    """Show a metric over seeds, with its interval over users."""
    seeds = over_seeds([float(value) for value in side.scores[metric].seeds], 4)
    return f"{seeds} [{interval(side.interval(metric))}]"


def _values(row: Comparison) -> list[object]:
    sides = row.one, row.other
    return [
        *(row.one.records[0].task, row.metric),
        *(side.model for side in row.sides),
        *(side.mean(row.metric) for side in sides),
        *difference_values(row.difference, row.p, row.relative),
    ]


def _notes(compared: Sequence[Comparison]) -> list[MarkedText]:
    notes: list[MarkedText] = []
    unknown: dict[str, None] = {}
    first_of_pair = {id(row.sides): row for row in reversed(compared)}
    for row in reversed(first_of_pair.values()):
        name = f"{dataset_title(row.one.records[0].task)}, {_models(row)}"
        if overlap := row.overlap():
            notes.append(f"{name}: {overlap.value}.")
        if settings := row.settings_that_differ():
            notes.append(f"{name}: A and B differ in {'; '.join(settings)}.")
        unknown |= dict.fromkeys(side.title for side in row.sides if not side.scatter_is_known)
    return [
        *notes,
        "A and B: mean over seeds, with both values of two and the standard deviation of more, and "
        f"in brackets a {CONFIDENCE:.0%} bootstrap interval over users. Difference: A minus B.",
        f"{TEST_NOTE} Scatter is that of the experiment in which A or B lies. p, Holm: corrected "
        "over all lines of this table; `tables/pairs/` corrects over all pairs of a dataset.",
        *scatter_notes(list(unknown)),
    ]

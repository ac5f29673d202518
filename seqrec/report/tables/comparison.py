"""The table that `seqrec compare` prints."""

from collections.abc import Sequence

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.protocol.metrics import REPORTED_METRICS
from seqrec.report.cells import Cell, Table, Text
from seqrec.report.comparison import Comparison
from seqrec.report.inference import mean_and_deviation
from seqrec.report.looks import display
from seqrec.report.measured import Measured
from seqrec.report.numbers import interval, with_deviation
from seqrec.report.tables.columns import (
    DIFFERENCE_HEADINGS,
    DIFFERENCE_NAMES,
    METRIC_TITLES,
    TEST_NOTE,
    difference_cells,
    difference_values,
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
        "lll" + "r" * 7,
    )


def _cells(row: Comparison) -> list[Cell]:
    first, second = row.one.records[0], row.other.records[0]
    names = dict.fromkeys(display(record.model).title for record in (first, second))
    texts = [dataset_title(first.dataset), " and ".join(names), METRIC_TITLES[row.metric]]
    texts += [_side(side, row.metric) for side in (row.one, row.other)]
    return [*map(Cell, texts), *difference_cells(row.difference, row.p)]


def _side(side: Measured, metric: str) -> str:
    """Show a metric as `mean ± deviation (interval)`."""
    deviation = mean_and_deviation(side.scores[metric].seeds)[1]
    mean = with_deviation(side.mean(metric), deviation, 4)
    return f"{mean} ({interval(side.intervals[metric])})"


def _values(row: Comparison) -> list[object]:
    sides = row.one, row.other
    return [
        *(row.one.records[0].dataset, row.metric),
        *(side.records[0].model for side in sides),
        *(side.mean(row.metric) for side in sides),
        *difference_values(row.difference, row.p),
    ]


def _notes(compared: Sequence[Comparison]) -> list[Text]:
    notes: list[Text] = [
        "A and B: mean over seeds ± their standard deviation, with a 95% bootstrap interval over "
        "users. Difference: A minus B.",
        f"{TEST_NOTE} p, Holm: corrected over all lines of this table.",
    ]
    for row in compared[:: len(REPORTED_METRICS)]:
        if settings := row.settings_that_differ():
            record = row.one.records[0]
            name = f"{dataset_title(record.dataset)}, {display(record.model).title}"
            notes.append(f"{name}: A and B differ in {'; '.join(settings)}.")
    return notes

"""Which models of a dataset differ."""

import pandas as pd

from seqrec.protocol.metrics import REPORTED_METRICS
from seqrec.report.cells import Cell, Table, Text
from seqrec.report.contents import Item
from seqrec.report.differences import of_unknown_scatter, pairs
from seqrec.report.evidence import Evidence
from seqrec.report.looks import display
from seqrec.report.tables.columns import (
    DIFFERENCE_HEADINGS,
    DIFFERENCE_NAMES,
    METRIC_TITLES,
    TEST_NOTE,
    difference_cells,
    difference_values,
    scatter_notes,
)


def pairs_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate every pair of a dataset's models, and whether they differ significantly."""
    models = evidence.comparable[item.dataset]
    tested = [pair for metric in REPORTED_METRICS for pair in pairs(models, metric)]
    cells = [
        [
            Cell(METRIC_TITLES[pair.metric]),
            Cell(display(pair.one).title),
            Cell(display(pair.other).title),
            Cell("yes" if pair.distinguishable else "no", bold=not pair.distinguishable),
            *difference_cells(pair.difference, pair.p, pair.relative),
        ]
        for pair in tested
    ]
    lines = [
        [
            *(pair.metric, pair.one, pair.other),
            *difference_values(pair.difference, pair.p, pair.relative),
            pair.distinguishable,
        ]
        for pair in tested
    ]
    notes: list[Text] = ["No two finished models were trained on the same data."]
    if tested:
        notes = [
            f"{TEST_NOTE} p, Holm: corrected over all pairs in the same metric; significant below "
            "0.05. Intervals are not corrected, so one that excludes zero does not always mean a "
            "significant difference.",
            *scatter_notes(of_unknown_scatter(models)),
        ]
    return Table(
        item.title,
        ["Metric", "Model", "minus", "significant", *DIFFERENCE_HEADINGS],
        cells,
        pd.DataFrame(
            lines, columns=["metric", "model", "other", *DIFFERENCE_NAMES, "distinguishable"]
        ),
        notes,
        "llll" + "r" * len(DIFFERENCE_HEADINGS),
    )

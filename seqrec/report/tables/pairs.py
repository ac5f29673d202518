"""Which models of a dataset differ."""

import pandas as pd

from seqrec.report.cells import Cell, MarkedText, Table
from seqrec.report.contents import Item
from seqrec.report.differences import of_unknown_scatter
from seqrec.report.evidence import Evidence
from seqrec.report.levels import ALPHA
from seqrec.report.metrics import metric_title
from seqrec.report.tables.columns import (
    DIFFERENCE_HEADINGS,
    DIFFERENCE_NAMES,
    TEST_NOTE,
    difference_cells,
    difference_values,
    scatter_notes,
)
from seqrec.report.tables.notes import none_comparable_notes


def pairs_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate every pair of a dataset's models, and whether they differ significantly."""
    models = evidence.comparable[item.dataset]
    tested = [pair for metric in evidence.metrics for pair in evidence.pairs(item.dataset, metric)]
    cells = [
        [
            Cell(metric_title(pair.metric)),
            Cell(evidence.found.title(pair.one)),
            Cell(evidence.found.title(pair.other)),
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
    notes: list[MarkedText] = []
    if not models:
        notes = none_comparable_notes(evidence, item.dataset)
    elif not tested:
        notes = ["Only one model has finished."]
    else:
        notes = [
            f"{TEST_NOTE} p, Holm: corrected over all pairs in the same metric; significant below "
            f"{ALPHA:g}. Intervals are not corrected, so one that excludes zero does not always "
            "mean a significant difference.",
            *scatter_notes([*map(evidence.found.title, of_unknown_scatter(models))]),
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

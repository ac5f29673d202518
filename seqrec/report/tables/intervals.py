"""How certain the test metrics of one dataset are."""

import pandas as pd

from seqrec.report.cells import Cell, MarkedText, Table
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence
from seqrec.report.levels import CONFIDENCE
from seqrec.report.metrics import metric_title
from seqrec.report.numbers import interval, number
from seqrec.report.tables.notes import missing_notes

NOTES: list[MarkedText] = [
    f"Mean over seeds, with a {CONFIDENCE:.0%} bootstrap interval over users, each user's metric "
    "averaged over seeds: where the mean of other users like these would lie. How much other "
    "seeds would change is in the tables of results, and both are in the tests of which models "
    "differ."
]


def intervals_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate the metrics of a dataset's models with their intervals over users."""
    models, metrics = evidence.comparable[item.dataset], evidence.metrics
    headings = ["Model", "Seeds"]
    for metric in metrics:
        headings += [metric_title(metric), f"{CONFIDENCE:.0%} interval"]
    cells, lines = [], []
    for model, measured in models.items():
        row = [Cell((evidence.title(item.dataset, model),)), Cell(str(len(measured.records)))]
        for metric in metrics:
            mean, ends = measured.mean(metric), measured.interval(metric)
            row += [Cell(number(mean, 4)), Cell(interval(ends))]
            lines.append([model, metric, len(measured.records), mean, *ends])
        cells.append(row)
    data = pd.DataFrame(lines, columns=["model", "metric", "seeds", "mean", "low", "high"])
    notes = NOTES if models else missing_notes(evidence, item.dataset)
    return Table(item.title, headings, cells, data, [*notes])

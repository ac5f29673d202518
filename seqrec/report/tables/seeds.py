"""What each seed of a model reached."""

from collections.abc import Sequence
from statistics import fmean, stdev

import pandas as pd

from seqrec.experiment.naming import dataset_title, sampled_negatives
from seqrec.report.cells import Cell, MarkedText, Table
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence
from seqrec.report.metrics import main_metric, metric_title
from seqrec.report.numbers import number
from seqrec.report.tables.notes import mark_notes

LISTED = 5
"""Seeds whose values are listed; of more, the smallest and the largest are shown."""

NOTES: list[MarkedText] = [
    "In the order of the seeds; of more than five, the smallest and the largest. varies by: "
    "standard deviation over seeds in percent of the mean, from three seeds. paper: the published "
    "value, of one run.",
]


def seeds_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate the models with several seeds: the main metric and the best epoch of each seed."""
    metric = main_metric(evidence.metrics)
    cells, lines = [], []
    for dataset, models in evidence.measured.items():
        for model, measured in models.items():
            values = [float(value) for value in measured.scores[metric].seeds]
            if len(values) < 2:
                continue
            published = _published(evidence, dataset, model, metric)
            cells.append(
                [
                    Cell(dataset_title(dataset)),
                    Cell((evidence.title(dataset, model),)),
                    Cell(_listed(values, 4)),
                    Cell("" if published is None else number(published, 4)),
                    Cell(_variation(values)),
                    Cell(_listed(measured.best_epochs, 0)),
                ]
            )
            lines += [
                [dataset, model, record.seed, value, record.best_epoch]
                for record, value in zip(measured.records, values, strict=True)
            ]
    headings = ["Dataset", "Model", metric_title(metric), "paper", "varies by", "Best epochs"]
    data = pd.DataFrame(lines, columns=["dataset", "model", "seed", metric, "best_epoch"])
    data = data.astype({"best_epoch": "Int64"})
    notes = NOTES if cells else ["No model has several seeds."]
    table = Table(item.title, headings, cells, data, [*notes], "llrrrr", grouped=True)
    table.notes.extend(mark_notes(table.marks))
    return table


def _variation(values: Sequence[float]) -> str:
    mean = fmean(values)
    return f"{stdev(values) / mean:.1%}" if len(values) > 2 and mean else ""


def _listed(values: Sequence[float], decimals: int) -> str:
    if len(values) > LISTED:
        return f"{number(min(values), decimals)}–{number(max(values), decimals)}"
    return ", ".join(number(value, decimals) for value in values)


def _published(evidence: Evidence, dataset: str, model: str, metric: str) -> float | None:
    """Return the value of the paper's table, or else that of its figure."""
    row = evidence.paper.of(dataset, model)
    if not row:
        row = evidence.paper.curve.get((dataset, str(sampled_negatives(model))), {})
    return row.get(metric)

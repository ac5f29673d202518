"""Models that are not the paper's, against those that are."""

from collections.abc import Sequence

import pandas as pd

from seqrec.experiment.naming import baselines, newcomers
from seqrec.report.cells import NOT_FINISHED, Cell, MarkedText, Table, marks_in
from seqrec.report.contents import Item
from seqrec.report.differences import leaders, of_unknown_scatter
from seqrec.report.evidence import Evidence
from seqrec.report.gains import Gain, gains
from seqrec.report.levels import ALPHA, CONFIDENCE
from seqrec.report.measured import Measured
from seqrec.report.metrics import main_metric, metric_title
from seqrec.report.numbers import number, over_seeds, percent, signed_interval
from seqrec.report.operations import millions_to_best
from seqrec.report.tables.columns import scatter_notes
from seqrec.report.tables.notes import mark_notes, missing_notes

COLUMNS = [
    *("model", "seeds", "mean", "million_multiplications"),
    *("baseline", "relative", "low", "high", "p_holm"),
]
"""Columns of the table for programs, which has a line for each model and baseline."""


def newcomers_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate by how much each model is above the paper's models, and what its training costs."""
    dataset, metric = item.dataset, main_metric(evidence.metrics)
    models, wanted = evidence.comparable[dataset], evidence.wanted(dataset)
    over = baselines(wanted)
    shown = [*over, *newcomers(wanted)]
    if not models:
        return Table(
            item.title, [], [], pd.DataFrame([], columns=COLUMNS), _without(evidence, dataset)
        )
    best, above = leaders(models, metric), gains(models, metric)
    cells, lines = [], []
    for name in shown:
        one = models.get(name)
        cost = millions_to_best(one.records) if one else None
        cells.append(
            [
                Cell((evidence.title(dataset, name),)),
                _quality(one, metric, name in best),
                *(_gain(above.get((name, baseline))) for baseline in over),
                Cell("" if cost is None else number(cost, 1)),
            ]
        )
        for baseline in over:
            if one and (gain := above.get((name, baseline))):
                about = [name, len(one.records), one.mean(metric), cost]
                lines.append([*about, baseline, gain.share, *gain.interval, gain.p])
    headings = [
        *("Model", metric_title(metric)),
        *(f"above {evidence.found.title(name)}" for name in over),
        "Cost",
    ]
    data = pd.DataFrame(lines, columns=COLUMNS)
    return Table(item.title, headings, cells, data, _notes(evidence, dataset, shown))


def _quality(one: Measured | None, metric: str, may_be_best: bool) -> Cell:
    if one is None:
        return NOT_FINISHED
    return Cell(over_seeds([float(value) for value in one.scores[metric].seeds], 4), may_be_best)


def _gain(gain: Gain | None) -> Cell:
    if gain is None:
        return Cell("")
    ends = signed_interval(gain.interval, percent)
    return Cell(f"{percent(gain.share)} {ends}", gain.is_significant)


def _notes(evidence: Evidence, dataset: str, shown: Sequence[str]) -> list[MarkedText]:
    models = evidence.comparable[dataset]
    unknown = [name for name in of_unknown_scatter(models) if name in shown]
    return [
        "Bold: the models that may be the best, and differences that the paired test finds "
        f"({ALPHA:.0%} level, Holm's correction over all pairs of the dataset). In brackets: the "
        f"{CONFIDENCE:.0%} interval over users and seeds, without correction. Cost: million "
        "multiplications for each interaction of the training, up to the best epoch.",
        *scatter_notes([*map(evidence.found.title, unknown)]),
        *mark_notes(marks_in(evidence.title(dataset, name) for name in shown)),
        *missing_notes(evidence, dataset),
    ]


def _without(evidence: Evidence, dataset: str) -> list[MarkedText]:
    if evidence.records(dataset):
        return ["No two finished models were trained on the same data."]
    return missing_notes(evidence, dataset)

"""Models that are not the paper's, against those that are."""

import math
from collections.abc import Sequence

import pandas as pd

from seqrec.experiment.naming import baselines, newcomers
from seqrec.report.cells import NOT_FINISHED, Cell, MarkedText, Table
from seqrec.report.contents import Item
from seqrec.report.differences import leaders, of_unknown_scatter
from seqrec.report.evidence import Evidence
from seqrec.report.gains import Gain, gains
from seqrec.report.levels import ALPHA, CONFIDENCE
from seqrec.report.measured import Measured
from seqrec.report.metrics import main_metric, metric_title
from seqrec.report.numbers import number, over_seeds, signed, signed_interval
from seqrec.report.operations import millions_to_best
from seqrec.report.tables.columns import OVER_SEEDS, above_zero, scatter_notes
from seqrec.report.tables.notes import (
    elsewhere_note,
    mark_notes,
    missing_notes,
    none_comparable_notes,
)

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
        nothing = pd.DataFrame([], columns=COLUMNS)
        return Table(item.title, [], [], nothing, none_comparable_notes(evidence, dataset))
    best, above = leaders(models, metric), gains(evidence, dataset, metric, over)
    cells, lines = [], []
    for name in shown:
        one = models.get(name)
        cost = millions_to_best(one.records) if one else None
        cells.append(
            [
                Cell((evidence.title(dataset, name),)),
                _quality(one, metric, name in best),
                Cell("" if cost is None else number(cost, 1)),
                *(_gain(above.get((name, baseline))) for baseline in over),
            ]
        )
        for baseline in over:
            if one and (gain := above.get((name, baseline))):
                about = [name, len(one.records), one.mean(metric), cost]
                p = above_zero(gain.pair.p)
                lines.append([*about, baseline, gain.share, *gain.interval, p])
    headings = [
        *("Model", metric_title(metric), "Cost"),
        *(f"above {evidence.found.title(name)}" for name in over),
    ]
    data = pd.DataFrame(lines, columns=COLUMNS)
    table = Table(item.title, headings, cells, data, _notes(evidence, dataset, shown))
    table.notes.extend([*mark_notes(table.marks), *missing_notes(evidence, dataset)])
    return table


def _quality(one: Measured | None, metric: str, may_be_best: bool) -> Cell:
    if one is None:
        return NOT_FINISHED
    return Cell(over_seeds([float(value) for value in one.scores[metric].seeds], 4), may_be_best)


def _gain(gain: Gain | None) -> Cell:
    if gain is None or math.isnan(gain.share):
        return Cell("")
    text = f"{_percents(gain.share)}% {signed_interval(gain.interval, _percents)}"
    return Cell(text, gain.pair.distinguishable)


def _percents(share: float) -> str:
    """Format a share in percent; from ten on without a decimal, which would only take space."""
    percents = 100 * share
    return signed(percents, 0 if abs(percents) >= 9.95 else 1)


def _notes(evidence: Evidence, dataset: str, shown: Sequence[str]) -> list[MarkedText]:
    unknown = [name for name in of_unknown_scatter(evidence.comparable[dataset]) if name in shown]
    return [
        f"{OVER_SEEDS} Bold: the models that may be the best, and differences that the paired "
        f"test finds ({ALPHA:.0%} level, Holm's correction over all pairs of the dataset). In "
        f"brackets: the {CONFIDENCE:.0%} interval over users and seeds in percent, without "
        "correction. Cost: million multiplications for each interaction of the training, up to the "
        "best epoch; blank where they cannot be counted.",
        *scatter_notes([*map(evidence.found.title, unknown)]),
        *elsewhere_note(evidence, dataset),
    ]

"""The paper's results table for one dataset, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from seqrec.experiment.naming import in_order
from seqrec.protocol.metrics import REPORTED_METRICS
from seqrec.records.record import Record
from seqrec.report.cells import NOT_FINISHED, Cell, Mark, Piece, Table, Text, marks_in
from seqrec.report.contents import Item
from seqrec.report.differences import leaders, of_unknown_scatter
from seqrec.report.evidence import Evidence
from seqrec.report.inference import Interval, mean_and_deviation
from seqrec.report.numbers import interval, number, over_seeds, percent
from seqrec.report.tables.columns import METRIC_TITLES, scatter_notes
from seqrec.report.tables.notes import (
    mark_notes,
    missing_notes,
    trained_on_different_data,
)

QUANTITIES = {
    **{name: (METRIC_TITLES[name], 4) for name in REPORTED_METRICS},
    "best_epoch": ("Best epoch", 0),
}
"""What is shown of a model: the heading, and how many decimals a value has."""


@dataclass(frozen=True)
class Value:
    """One quantity of one model."""

    seeds: Sequence[float]
    """The values of the seeds that have finished and have one."""
    published: float | None
    interval: Interval | None = None
    """95% bootstrap interval of a metric."""

    @property
    def mean(self) -> float | None:
        """Mean over seeds."""
        return mean_and_deviation(self.seeds)[0]

    @property
    def deviation(self) -> float | None:
        """Standard deviation over seeds."""
        return mean_and_deviation(self.seeds)[1]

    @property
    def difference(self) -> float | None:
        """Our mean relative to the published value."""
        if self.mean is None or self.published is None:
            return None
        return self.mean / self.published - 1


@dataclass(frozen=True)
class Line:
    """One model on one dataset."""

    model: str
    title: Piece
    finished: int
    """How many of its seeds have finished."""
    wanted: int
    values: Mapping[str, Value]
    """By the names of `QUANTITIES`."""

    @property
    def seeds(self) -> str:
        """How many seeds have finished, and out of how many unless all have."""
        return (
            str(self.finished) if self.finished == self.wanted else f"{self.finished}/{self.wanted}"
        )

    def data(self) -> dict[str, Any]:
        """Return the line of the table for programs."""
        line: dict[str, Any] = {
            "model": self.model,
            "title": self.title.text,
            "seeds": self.finished,
            "seeds_wanted": self.wanted,
            "stale": Mark.STALE in self.title.marks,
        }
        for name, value in self.values.items():
            line[f"{name}_mean"] = value.mean
            line[f"{name}_sd"] = value.deviation
            line[f"{name}_published"] = value.published
            if name in REPORTED_METRICS:
                line[f"{name}_low"], line[f"{name}_high"] = value.interval or (None, None)
                line[f"{name}_difference"] = value.difference
        return line


def dataset_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate the models of a dataset beside the paper's, with intervals and the best in bold."""
    dataset = item.dataset
    wanted = evidence.wanted(dataset)
    models = evidence.comparable[dataset]
    lines = [_line(evidence, dataset, model) for model in in_order(wanted)]
    compared = any((dataset, model) in evidence.paper.results for model in wanted)

    columns = [("Model", [Cell((line.title,)) for line in lines])]
    if any(line.wanted > 1 for line in lines):
        columns.append(("Seeds", [Cell(line.seeds) for line in lines]))
    for name, (title, _) in QUANTITIES.items():
        best = leaders(models, name) if name in REPORTED_METRICS else set()
        columns.append((title, [_mean(line, name, line.model in best) for line in lines]))
        if name in REPORTED_METRICS and models:
            columns.append(("95% interval", [_interval(line.values[name]) for line in lines]))
        if compared:
            columns.append(("paper", [_published(line, name) for line in lines]))
        if compared and name in REPORTED_METRICS:
            columns.append(("diff.", [_difference(line.values[name]) for line in lines]))

    records = evidence.records(dataset)
    notes: list[Text] = [
        _reading_note(compared, bool(models), any(line.finished > 1 for line in lines))
    ]
    notes += scatter_notes(of_unknown_scatter(models))
    notes += mark_notes(marks_in(line.title for line in lines))
    if trained_on_different_data(records):
        notes.append("Not all runs were trained on the same data: compare them with care.")
    notes += missing_notes(one for one in evidence.found.missing if one.run.dataset == dataset)
    return Table(
        item.title,
        [heading for heading, _ in columns],
        [list(row) for row in zip(*(column for _, column in columns), strict=True)],
        pd.DataFrame([line.data() for line in lines]),
        notes,
    )


def _line(evidence: Evidence, dataset: str, model: str) -> Line:
    records = [record for record in evidence.records(dataset) if record.model == model]
    measured = evidence.comparable[dataset].get(model)
    published = evidence.paper.results.get((dataset, model), {})
    values = {
        name: Value(
            [value for record in records if (value := _quantity(record, name)) is not None],
            published.get(name),
            measured.intervals.get(name) if measured else None,
        )
        for name in QUANTITIES
    }
    title = evidence.title(dataset, model)
    return Line(model, title, len(records), evidence.wanted(dataset)[model], values)


def _quantity(record: Record, name: str) -> float | None:
    return record.test.get(name) if name in REPORTED_METRICS else getattr(record, name)


def _mean(line: Line, name: str, bold: bool) -> Cell:
    value, (_, decimals) = line.values[name], QUANTITIES[name]
    if not value.seeds:
        # Blank where nothing applies, such as the best epoch of a model without epochs.
        return Cell("") if line.finished else NOT_FINISHED
    return Cell(over_seeds(value.seeds, decimals), bold)


def _interval(value: Value) -> Cell:
    return Cell(interval(value.interval) if value.interval else "")


def _published(line: Line, name: str) -> Cell:
    published, (_, decimals) = line.values[name].published, QUANTITIES[name]
    return Cell("" if published is None else number(published, decimals))


def _difference(value: Value) -> Cell:
    return Cell("" if value.difference is None else percent(value.difference))


def _reading_note(compared: bool, tested: bool, several: bool) -> str:
    """Explain the columns; `several`: some model has more than one seed."""
    sentences = []
    if tested:
        over = "users and seeds" if several else "users"
        sentences.append(
            "Bold: the models that may be the best: the one with the highest value, and those that "
            f"a paired test over {over} does not find significantly worse than it (5% level, over "
            "the number of models above)."
        )
        averaged = ", each user's metric averaged over seeds" if several else ""
        sentences.append(f"95% interval: bootstrap over users{averaged}.")
    if several:
        sentences.append(
            "Over seeds: the mean, with both values of two and the standard deviation of more."
        )
    if compared:
        sentences.append("paper: published values, of one run each; diff.: ours relative to them.")
    return " ".join(sentences)

"""Test metrics and best epochs beside the paper's, of one dataset and of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from seqrec.experiment.naming import dataset_title, sampled_negatives
from seqrec.report.cells import NOT_FINISHED, Cell, Mark, MarkedText, Piece, Table, marks_in
from seqrec.report.contents import Item
from seqrec.report.differences import leaders, of_unknown_scatter
from seqrec.report.evidence import Evidence
from seqrec.report.inference import Interval, mean_and_deviation
from seqrec.report.levels import ALPHA
from seqrec.report.measured import measure
from seqrec.report.metrics import metric_title
from seqrec.report.numbers import number, over_seeds
from seqrec.report.splits import target_notes
from seqrec.report.tables.columns import OVER_SEEDS, scatter_notes
from seqrec.report.tables.notes import (
    elsewhere_note,
    follow_up_note,
    mark_notes,
    missing_notes,
    not_run_note,
    trained_on_different_data,
)
from seqrec.report.verdicts import BEST_EPOCH


@dataclass(frozen=True)
class Value:
    """One quantity of one model: a metric, or the best epoch."""

    seeds: Sequence[float]
    """The values of the seeds that have finished and have one."""
    published: float | None
    interval: Interval | None = None
    """Bootstrap interval of a metric."""

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
class ResultLine:
    """One model on one dataset."""

    model: str
    title: Piece
    finished: int
    """How many of its seeds have finished."""
    wanted: int
    metrics: Mapping[str, Value]
    best_epoch: Value

    @property
    def seeds(self) -> str:
        """How many seeds have finished, and out of how many unless all have."""
        return (
            str(self.finished) if self.finished == self.wanted else f"{self.finished}/{self.wanted}"
        )

    def value(self, name: str) -> Value:
        """Return a metric, or the best epoch."""
        return self.best_epoch if name == BEST_EPOCH else self.metrics[name]

    def data(self) -> dict[str, Any]:
        """Return the line of the table for programs."""
        line: dict[str, Any] = {
            "model": self.model,
            "title": self.title.text,
            "seeds": self.finished,
            "seeds_wanted": self.wanted,
            "stale": Mark.STALE in self.title.marks,
        }
        for name in (*self.metrics, BEST_EPOCH):
            value = self.value(name)
            line[f"{name}_mean"] = value.mean
            line[f"{name}_sd"] = value.deviation
            line[f"{name}_published"] = value.published
            if name in self.metrics:
                line[f"{name}_low"], line[f"{name}_high"] = value.interval or (None, None)
                line[f"{name}_difference"] = value.difference
        return line


def dataset_lines(evidence: Evidence, dataset: str) -> list[ResultLine]:
    """Collect what is known of each model of a dataset, finished or not."""
    return [_line(evidence, dataset, model) for model in evidence.wanted(dataset)]


def dataset_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate the models of a dataset beside the paper's, the best in bold."""
    dataset = item.dataset
    lines, models = dataset_lines(evidence, dataset), evidence.comparable[dataset]
    data = pd.DataFrame([line.data() for line in lines])
    if not evidence.records(dataset):
        return Table(item.title, [], [], data, missing_notes(evidence, dataset))
    columns = [("Model", [Cell((line.title,)) for line in lines])]
    if any(line.wanted > 1 for line in lines):
        columns.append(("Seeds", [Cell(line.seeds) for line in lines]))
    columns += _quantities(evidence, {dataset: lines})
    notes = _reading_notes(lines, bool(models))
    notes += scatter_notes([*map(evidence.found.title, of_unknown_scatter(models))])
    notes += mark_notes(marks_in(line.title for line in lines))
    if trained_on_different_data(evidence.records(dataset)):
        notes.append("Not all runs were trained on the same data: compare them with care.")
    notes += target_notes(evidence.records(dataset))
    notes += elsewhere_note(evidence, dataset)
    notes += follow_up_note(evidence, [dataset])
    notes += missing_notes(evidence, dataset)
    return _table(item, columns, data, notes)


def paper_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate all datasets in one, as the paper has it.

    The models SASRec+ N that only the paper's figure has are left out on the paper's datasets.
    """
    papers = {dataset for dataset, _ in evidence.paper.results}
    of_datasets = {
        dataset: [
            line
            for line in dataset_lines(evidence, dataset)
            if dataset not in papers
            or sampled_negatives(line.model) is None
            or (dataset, line.model) in evidence.paper.results
        ]
        for dataset in evidence.datasets
        if evidence.records(dataset)
    }
    shown = [(dataset, line) for dataset, lines in of_datasets.items() for line in lines]
    data = pd.DataFrame([{"dataset": dataset, **line.data()} for dataset, line in shown])
    columns = [
        ("Dataset", [Cell(dataset_title(dataset)) for dataset, _ in shown]),
        ("Model", [Cell((line.title,)) for _, line in shown]),
        *_quantities(evidence, of_datasets),
    ]
    notes = _reading_notes(
        [line for _, line in shown], any(evidence.comparable[name] for name in of_datasets)
    )
    notes += not_run_note(evidence, evidence.datasets)
    notes += mark_notes(marks_in(line.title for _, line in shown))
    table = _table(item, columns if shown else [], data, notes)
    return replace(table, columns="ll" + "r" * (len(columns) - 2), grouped=True)


def _table(
    item: Item,
    columns: Sequence[tuple[str, list[Cell]]],
    data: pd.DataFrame,
    notes: list[MarkedText],
) -> Table:
    cells = zip(*(column for _, column in columns), strict=True)
    return Table(item.title, [heading for heading, _ in columns], [*map(list, cells)], data, notes)


def _quantities(
    evidence: Evidence, of_datasets: Mapping[str, Sequence[ResultLine]]
) -> list[tuple[str, list[Cell]]]:
    """Make a column for each metric and the best epoch, each beside the paper's if it has any."""
    lines = [line for some in of_datasets.values() for line in some]
    columns = []
    for name in (*evidence.metrics, BEST_EPOCH):
        metric, decimals = name != BEST_EPOCH, 4 if name != BEST_EPOCH else 0
        values = []
        for dataset, some in of_datasets.items():
            best = leaders(evidence.comparable[dataset], name) if metric else set()
            values += [_shown(one, one.value(name), decimals, one.model in best) for one in some]
        columns.append((metric_title(name) if metric else "Best epoch", values))
        papers = [line.value(name).published for line in lines]
        if any(value is not None for value in papers):
            columns.append(("paper", [_published(value, decimals) for value in papers]))
    return columns


def _line(evidence: Evidence, dataset: str, model: str) -> ResultLine:
    records = [record for record in evidence.records(dataset) if record.model == model]
    measured = evidence.measured[dataset].get(model)
    published = evidence.paper.of(dataset, model)
    tested = evidence.comparable[dataset].get(model)

    def value(metric: str) -> Value:
        # Seeds that were trained on different data are measured each by itself.
        alone = (
            [] if measured else [measure([record], [metric]).scores[metric] for record in records]
        )
        scores = [measured.scores[metric]] if measured else alone
        seeds = [float(seed) for one in scores for seed in one.seeds]
        interval = tested.interval(metric) if tested else None
        return Value(seeds, published.get(metric), interval)

    return ResultLine(
        model,
        evidence.title(dataset, model),
        len(records),
        evidence.wanted(dataset)[model],
        {metric: value(metric) for metric in evidence.metrics},
        Value(
            [record.best_epoch for record in records if record.best_epoch is not None],
            published.get(BEST_EPOCH),
        ),
    )


def _shown(line: ResultLine, value: Value, decimals: int, bold: bool) -> Cell:
    if not value.seeds:
        # Blank where nothing applies, such as the best epoch of a model without epochs.
        return Cell("") if line.finished else NOT_FINISHED
    return Cell(over_seeds(value.seeds, decimals), bold)


def _published(value: float | None, decimals: int) -> Cell:
    return Cell("" if value is None else number(value, decimals))


def _reading_notes(lines: Sequence[ResultLine], tested: bool) -> list[MarkedText]:
    """Explain the columns of these lines."""
    several = any(line.finished > 1 for line in lines)
    sentences = []
    if tested:
        over = "users and seeds" if several else "users"
        sentences.append(
            "Bold: the models that may be the best: the one with the highest value, and those that "
            f"a paired test over {over} does not find significantly worse than it "
            f"({ALPHA:.0%} level, over the number of models above)."
        )
    if several:
        sentences.append(OVER_SEEDS)
    if any(line.value(name).published for line in lines for name in (*line.metrics, BEST_EPOCH)):
        sentences.append("paper: published values, of one run each.")
    return [" ".join(sentences)] if sentences else []

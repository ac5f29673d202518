"""What an experiment found, for a terminal: a table, what stands out, and where to go on."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seqrec.experiment.naming import tasks_together
from seqrec.layout import ResultFiles
from seqrec.report.cells import NOT_FINISHED, Piece, marks_in
from seqrec.report.differences import leaders
from seqrec.report.evidence import Evidence
from seqrec.report.metrics import main_metric, metric_title
from seqrec.report.next_steps import next_steps
from seqrec.report.numbers import number
from seqrec.report.page.findings import findings
from seqrec.report.rendering import plain
from seqrec.report.tables.notes import mark_notes
from seqrec.report.tables.results import ResultLine, dataset_lines
from seqrec.report.verdicts import BEST_EPOCH

BEST, ABSENT = "bold green", "dim"
MOST_DATASETS = 5
"""Datasets that have room beside each other in 80 columns; more go below."""
MOST_METRICS = 3
"""Metrics that have room there, beside the paper's; the tables have all."""


def summary(results: Path, evidence: Evidence) -> RenderableType:
    """Lay out the results of an experiment in at most 80 columns.

    The best models of each column are green. Claims and verdicts are there where the experiment has
    the paper's datasets.
    """
    names = evidence.datasets
    if len(names) == 1:
        tables = [_of_dataset(evidence, names[0])]
    else:
        tables = [
            _of_datasets(evidence, dataset, dict(some[n : n + MOST_DATASETS]))
            for dataset, tasks in tasks_together(names).items()
            for some in [[*tasks.items()]]
            for n in range(0, len(some), MOST_DATASETS)
        ]
    marks = marks_in(
        evidence.title(name, model) for name in names for model in evidence.wanted(name)
    )
    notes = [Text(plain(note), ABSENT) for note in mark_notes(marks)]
    found = [Text(plain(sentence)) for sentence in findings(evidence).lead]
    parts: list[RenderableType] = [*tables, *notes, *found, _places(ResultFiles(results))]
    return Group(*(piece for part in parts for piece in (Text(), part)), Text())


def way_on(results: Path, evidence: Evidence) -> str:
    """Write the commands that lead on, each in a line of its own, however wide."""
    if not (commands := next_steps(results, evidence)):
        return ""
    first = "" if shutil.which("seqrec") else ", after `. .venv/bin/activate`"
    return "\n".join([f"Next{first}:", *(f"  {command}" for command in commands)])


def _of_dataset(evidence: Evidence, dataset: str) -> Table:
    """Tabulate the first metrics of one dataset's models, beside the paper's."""
    lines = dataset_lines(evidence, dataset)
    table = _table(f"{dataset}, test")
    columns: list[list[Text]] = []
    for name in (*evidence.metrics[:MOST_METRICS], BEST_EPOCH):
        is_metric = name != BEST_EPOCH
        if not is_metric and not any(line.value(name).seeds for line in lines):
            continue
        table.add_column(metric_title(name) if is_metric else "Epoch", justify="right")
        columns.append([_mean(evidence, dataset, line, name) for line in lines])
        if is_metric and any(line.value(name).published for line in lines):
            table.add_column("paper", justify="right")
            columns.append([_published(line, name) for line in lines])
    for line, *cells in zip(lines, *columns, strict=True):
        table.add_row(Text(plain((line.title,))), *cells)
    return table


def _of_datasets(evidence: Evidence, dataset: str, datasets: Mapping[str, Sequence[str]]) -> Table:
    """Tabulate one metric of all models on several datasets, or on `dataset` under its splits.

    `datasets` are the lines of their headings.
    """
    metric = main_metric(evidence.metrics)
    lines = {name: {one.model: one for one in dataset_lines(evidence, name)} for name in datasets}
    heading = f"Test {metric_title(metric)}"
    table = _table(*([dataset, heading] if dataset else [heading]))
    for title in datasets.values():
        table.add_column(_heading(*title), justify="right", overflow="fold")
    for model in dict.fromkeys(model for models in lines.values() for model in models):
        cells = [
            Text.assemble(
                _mean(evidence, name, lines[name][model], metric),
                plain((Piece("", evidence.marks(name, model)),)),
            )
            if model in lines[name]
            else Text()
            for name in datasets
        ]
        table.add_row(Text(plain(evidence.found.title(model))), *cells)
    return table


def _table(*first: str) -> Table:
    """Begin a table, whose first column has these lines as its heading."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(_heading(*first), overflow="fold")
    return table


def _heading(*lines: str) -> Text:
    return Text("\n".join(map(plain, lines)))


def _mean(evidence: Evidence, dataset: str, line: ResultLine, name: str) -> Text:
    """Write the mean over seeds of a metric or the best epoch, and mark the best models."""
    mean = line.value(name).mean
    if mean is None:
        return Text() if line.finished else Text(plain(NOT_FINISHED.text), ABSENT)
    if name == BEST_EPOCH:
        return Text(number(mean))
    is_best = line.model in leaders(evidence.comparable[dataset], name)
    return Text(number(mean, 4), BEST if is_best else "")


def _published(line: ResultLine, name: str) -> Text:
    value = line.value(name).published
    return Text("" if value is None else number(value, 4), ABSENT)


def _places(files: ResultFiles) -> Table:
    """Say where the page, the figures and the tables are, as far as they have been made."""
    table = Table.grid(padding=(0, 2))
    for name, path in (
        ("Page", files.report),
        ("Figures", files.figures),
        ("Tables", files.tables),
    ):
        if path.exists():
            table.add_row(name, Text(f"{path}{'/' if path.is_dir() else ''}"))
    return table

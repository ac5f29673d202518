"""What the models of an experiment reach on a dataset under each of its splits."""

import pandas as pd

from seqrec.layout import SPLIT_MARK
from seqrec.report.cells import NOT_FINISHED, Cell, Table
from seqrec.report.contents import Item
from seqrec.report.differences import leaders
from seqrec.report.evidence import Evidence
from seqrec.report.levels import ALPHA, CONFIDENCE, REPRODUCED_WITHIN
from seqrec.report.metrics import main_metric, metric_title
from seqrec.report.numbers import interval, number, over_seeds
from seqrec.report.tables.columns import OVER_SEEDS
from seqrec.report.tables.notes import follow_up_note, mark_notes
from seqrec.report.tables.results import ResultLine, dataset_lines
from seqrec.report.verdicts import Outcome, verdicts

COLUMNS = [
    *("dataset", "split", "model", "metric", "seeds"),
    *("mean", "sd", "low", "high", "published", "verdict"),
]
"""Columns of the table for programs."""


def by_split_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate one metric of every model, split by split, with verdicts on the published values."""
    metric = main_metric(evidence.metrics)
    judged = {
        (one.published.dataset, one.published.model): one.outcome
        for one in verdicts(evidence)
        if one.published.quantity == metric
    }
    cells, data = [], []
    tasks = evidence.tasks(item.dataset)
    lines = {task: dataset_lines(evidence, task) for task in tasks}
    published = any(line.value(metric).published for some in lines.values() for line in some)
    for task in tasks:
        dataset, _, split = task.partition(SPLIT_MARK)
        best = leaders(evidence.comparable[task], metric)
        for line in lines[task]:
            value, outcome = line.metrics[metric], judged.get((task, line.model), Outcome.NOT_RUN)
            verdict = "" if outcome is Outcome.NOT_RUN else outcome.value
            mean = Cell(over_seeds(value.seeds, 4), line.model in best) if value.seeds else None
            paper = "" if value.published is None else number(value.published, 4)
            cells.append(
                [
                    *(Cell(split), Cell((line.title,)), Cell(line.seeds), mean or NOT_FINISHED),
                    Cell(interval(value.interval) if value.interval else ""),
                    *([Cell(paper), Cell(verdict)] if published else []),
                ]
            )
            data.append([dataset, split, *_numbers(line, metric), verdict or None])
    title = metric_title(metric)
    headings = ["Split", "Model", "Seeds", title, f"{CONFIDENCE:.0%} interval"]
    table = Table(
        f"{item.title}, test {title}",
        [*headings, *(["paper", "Verdict"] if published else [])],
        cells,
        pd.DataFrame(data, columns=COLUMNS),
        columns="llrrr" + "rl" * published,
        grouped=True,
    )
    table.notes.append(
        f"{OVER_SEEDS} Interval: over users. Bold: the models that may be the best under the "
        f"split, by a paired test at the {ALPHA:.0%} level."
    )
    if published:
        table.notes.append(
            f"Reproduced: within {REPRODUCED_WITHIN:.0%} of the published value; plausible: one "
            "more run of ours may come out so."
        )
    table.notes.extend(follow_up_note(evidence, tasks))
    table.notes.extend(mark_notes(table.marks))
    return table


def _numbers(line: ResultLine, metric: str) -> list[object]:
    value = line.metrics[metric]
    ends = value.interval or (None, None)
    return [line.model, metric, line.finished, value.mean, value.deviation, *ends, value.published]

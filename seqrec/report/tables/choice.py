"""The table that `seqrec best` prints."""

from collections.abc import Sequence

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.layout import results_of
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records.choice import validation
from seqrec.report.cells import NOT_FINISHED, Cell, MarkedText, Table
from seqrec.report.choice import Choice
from seqrec.report.experiments import Experiments
from seqrec.report.measured import measure
from seqrec.report.metrics import metric_title
from seqrec.report.numbers import number, over_seeds
from seqrec.report.tables.notes import mark_notes


def choice_table(title: str, chosen: Sequence[Choice]) -> Table:
    """Tabulate the chosen models, one a line, with the metrics that their experiments show."""
    metrics = Experiments().shown(one.records[0] for one in chosen)
    several = len({results_of(one.records[0].folder) for one in chosen}) > 1
    headings = ["Dataset", "Model", "of", "Seeds", "Settings"]
    headings.append(f"Validation {metric_title(STOPPING_METRIC)}")
    headings += [f"Test {metric_title(metric)}" for metric in metrics]
    searched = "model that was searched, and each other " if _any_trial(chosen) else ""
    notes: list[MarkedText] = [
        f"For each {searched}network and kind of loss, the model with the best validation NDCG@10, "
        "averaged over its seeds; the test metrics played no part. of: number of candidates. "
        "Settings: those that vary among them."
    ]
    if any(one.tested != one.records for one in chosen):
        notes.append("Seeds and test metrics of a trial are those of its setting with new seeds.")
    cells = []
    for one in chosen:
        folder = one.records[0].folder.parent.as_posix()
        cells.append(_cells(one, folder if several else one.title, metrics))
    columns = "llrrl" + "r" * (1 + len(metrics))
    table = Table(title, headings, cells, pd.DataFrame(), notes, columns)
    table.notes.extend(mark_notes(table.marks))
    return table


def _any_trial(chosen: Sequence[Choice]) -> bool:
    return any(one.is_trial for one in chosen)


def _cells(one: Choice, model: str, metrics: Sequence[str]) -> list[Cell]:
    scores = measure(one.tested, metrics).scores if one.tested else {}
    is_rerun = one.tested != one.records
    by_seed = [record.validation[STOPPING_METRIC] for record in one.records]
    texts = [
        dataset_title(one.records[0].task),
        model,
        str(one.candidates),
        str(len(one.tested)),
        ", ".join(f"{name}={value}" for name, value in one.settings.items()),
        number(validation(one.records), 4) if is_rerun else over_seeds(by_seed, 4),
    ]
    tests = [
        Cell(over_seeds([float(seed) for seed in scores[metric].seeds], 4))
        if metric in scores
        else NOT_FINISHED
        for metric in metrics
    ]
    return [*map(Cell, texts), *tests]

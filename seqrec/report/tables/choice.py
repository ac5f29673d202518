"""The table that `seqrec best` prints."""

from collections.abc import Sequence

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.layout import results_of
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.report.cells import Cell, MarkedText, Table
from seqrec.report.choice import Choice
from seqrec.report.experiments import Experiments
from seqrec.report.measured import measure
from seqrec.report.metrics import metric_title
from seqrec.report.numbers import over_seeds


def choice_table(title: str, chosen: Sequence[Choice]) -> Table:
    """Tabulate the chosen models, one a line, with the metrics that their experiments show."""
    experiments = Experiments()
    metrics = experiments.shown(one.records[0] for one in chosen)
    several = len({results_of(one.records[0].folder) for one in chosen}) > 1
    headings = ["Dataset", "Model", "of", "Seeds", "Settings"]
    headings.append(f"Validation {metric_title(STOPPING_METRIC)}")
    headings += [f"Test {metric_title(metric)}" for metric in metrics]
    notes: list[MarkedText] = [
        "For each network and kind of loss, the model with the best validation NDCG@10, averaged "
        "over its seeds; the test metrics played no part. of: number of candidates. Settings: "
        "those that vary among them."
    ]
    cells = []
    for one in chosen:
        first = one.records[0]
        model = first.folder.parent.as_posix() if several else experiments.title(first)
        cells.append(_cells(one, model, metrics))
    return Table(title, headings, cells, pd.DataFrame(), notes, "llrrl" + "r" * (1 + len(metrics)))


def _cells(one: Choice, model: str, metrics: Sequence[str]) -> list[Cell]:
    first = one.records[0]
    scores = measure(one.records, metrics).scores
    texts = [
        dataset_title(first.dataset),
        model,
        str(one.candidates),
        str(len(one.records)),
        ", ".join(f"{name} {value}" for name, value in one.settings.items()),
        over_seeds([record.validation[STOPPING_METRIC] for record in one.records], 4),
        *(over_seeds([float(seed) for seed in scores[metric].seeds], 4) for metric in metrics),
    ]
    return [Cell(text) for text in texts]

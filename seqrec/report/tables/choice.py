"""The table that `seqrec best` prints."""

from collections.abc import Sequence

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.protocol.metrics import REPORTED_METRICS, STOPPING_METRIC
from seqrec.report.cells import Cell, Table, Text
from seqrec.report.choice import Choice
from seqrec.report.looks import display
from seqrec.report.numbers import over_seeds
from seqrec.report.tables.columns import METRIC_TITLES


def choice_table(title: str, chosen: Sequence[Choice]) -> Table:
    """Tabulate the chosen models, one a line."""
    headings = ["Dataset", "Model", "of", "Seeds", "Settings"]
    headings.append(f"Validation {METRIC_TITLES[STOPPING_METRIC]}")
    headings += [f"Test {METRIC_TITLES[metric]}" for metric in REPORTED_METRICS]
    notes: list[Text] = ["No run has finished."]
    if chosen:
        notes = [
            "For each network and kind of loss, the model with the best validation NDCG@10, "
            "averaged over its seeds; the test metrics played no part. of: number of candidates. "
            "Settings: those that vary among them."
        ]
    return Table(
        title, headings, [_cells(one) for one in chosen], pd.DataFrame(), notes, "llrrlrrr"
    )


def _cells(one: Choice) -> list[Cell]:
    first = one.records[0]
    texts = [
        dataset_title(first.dataset),
        display(first.model).title,
        str(one.candidates),
        str(len(one.records)),
        ", ".join(f"{name} {value}" for name, value in one.settings.items()),
        over_seeds([record.validation[STOPPING_METRIC] for record in one.records], 4),
        *(over_seeds([r.test[metric] for r in one.records], 4) for metric in REPORTED_METRICS),
    ]
    return [Cell(text) for text in texts]

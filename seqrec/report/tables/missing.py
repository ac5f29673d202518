"""The runs that have no finished record."""

from collections.abc import Iterable

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.layout import Run
from seqrec.records.survey import Missing
from seqrec.report.cells import Cell, Table, Text
from seqrec.report.looks import display
from seqrec.report.tables.order import in_paper_order


def missing_table(missing: Iterable[Missing]) -> Table:
    """Tabulate missing runs with the reason and what to do."""
    missing = in_paper_order(missing)
    texts = [
        [dataset_title(run.dataset), display(run.model).title, str(run.seed), reason, remedy]
        for run, reason, remedy in missing
    ]
    notes: list[Text] = [] if missing else ["Nothing is missing: every run has finished."]
    return Table(
        "Runs without a finished record",
        ["Dataset", "Model", "Seed", "Reason", "What to do"],
        [[*map(Cell, row)] for row in texts],
        pd.DataFrame(
            [(*run, reason, remedy) for run, reason, remedy in missing],
            columns=[*Run._fields, "reason", "remedy"],
        ),
        notes,
        "llrss",
    )

"""The runs that have no finished record."""

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.layout import Run
from seqrec.report.cells import Cell, Table, Text
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence
from seqrec.report.looks import display
from seqrec.report.tables.order import in_paper_order


def missing_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate missing runs with the reason and what to do."""
    missing = in_paper_order(evidence.found.missing)
    texts = [
        [dataset_title(run.dataset), display(run.model).title, str(run.seed), reason, remedy]
        for run, reason, remedy in missing
    ]
    notes: list[Text] = [] if missing else ["Nothing is missing: every run has finished."]
    return Table(
        item.title,
        ["Dataset", "Model", "Seed", "Reason", "What to do"],
        [[*map(Cell, row)] for row in texts],
        pd.DataFrame(
            [(*run, reason, remedy) for run, reason, remedy in missing],
            columns=[*Run._fields, "reason", "remedy"],
        ),
        notes,
        "llrss",
    )

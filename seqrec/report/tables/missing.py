"""The runs that have no finished record."""

from collections import Counter

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.records.survey import grouped, in_short
from seqrec.report.cells import Cell, MarkedText, Table
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence


def missing_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate missing runs with the reason and what to do, a line for each reason."""
    found = evidence.everything
    missing, asked = found.missing, Counter(run.task for run in found.runs)
    alike = grouped(missing, lambda one: (one.run.task, one.reason, one.remedy))
    texts = []
    for (dataset, reason, remedy), some in alike.items():
        runs = in_short((one.run for one in some), found.title)
        if len(some) == asked[dataset] > 1:
            runs = f"all {len(some)} runs"
        texts.append([dataset_title(dataset), runs, reason, remedy])
    notes: list[MarkedText] = [] if missing else ["Nothing is missing: every run has finished."]
    return Table(
        item.title,
        ["Dataset", "Runs", "Reason", "What to do"],
        [[*map(Cell, row)] for row in texts],
        pd.DataFrame(
            [(*run, reason, remedy) for run, reason, remedy in missing],
            columns=["dataset", "model", "seed", "reason", "remedy"],
        ),
        notes,
        "lsss",
    )

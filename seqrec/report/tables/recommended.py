"""What the models recommend: how many of the items, how evenly, and how popular ones."""

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.report.cells import Cell, MarkedText, Table
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence
from seqrec.report.numbers import number
from seqrec.report.recommended import Recommended, recommended
from seqrec.report.tables.notes import mark_notes, not_run_note

NOTES: list[MarkedText] = [
    "Over the ten items with the highest scores for each test user, without those in the user's "
    "history; mean over seeds. Coverage@10: share of all items that are recommended to anybody. "
    "Gini: how unevenly items are recommended, from 0, all equally often, to 1, one item alone. "
    "Popularity: how often a recommended item occurs in the train part, on average.",
]
OLDER: MarkedText = "A dash stands for models whose records are older than these numbers."
NONE_COUNTED: MarkedText = (
    "No finished run has recorded what it recommends; those of older versions lack it."
)


def recommended_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate what the models recommend; a dash for those with older records alone."""
    found = {
        (dataset, model): recommended(measured.records)
        for dataset, models in evidence.measured.items()
        for model, measured in models.items()
    }
    lines = [[*key, *(one or (None, None, None))] for key, one in found.items()]
    data = pd.DataFrame(lines, columns=["dataset", "model", "coverage@10", "gini", "popularity"])
    if not any(found.values()):
        return Table(item.title, [], [], data, [NONE_COUNTED])
    cells = [
        [Cell(dataset_title(dataset)), Cell((evidence.title(dataset, model),)), *_cells(one)]
        for (dataset, model), one in found.items()
    ]
    headings = ["Dataset", "Model", "Coverage@10", "Gini", "Popularity"]
    table = Table(item.title, headings, cells, data, [*NOTES], "llrrr", grouped=True)
    if None in found.values():
        table.notes.append(OLDER)
    table.notes.extend(not_run_note(evidence, evidence.datasets))
    table.notes.extend(mark_notes(table.marks))
    return table


def _cells(one: Recommended | None) -> list[Cell]:
    if one is None:
        return [Cell("—")] * 3
    popularity = "—" if one.popularity is None else number(one.popularity, 1)
    return [Cell(f"{one.coverage:.1%}"), Cell(number(one.gini, 3)), Cell(popularity)]

"""What others have published of the same models, each with the protocol that it was measured by."""

from collections.abc import Iterator

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.layout import dataset_of
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.report.cells import NOT_FINISHED, Cell, Table, joined
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence
from seqrec.report.measured import LEAVE_ONE_OUT, split_of
from seqrec.report.metrics import metric_title
from seqrec.report.numbers import number
from seqrec.report.paper import AS_HERE, ELSEWHERE, Elsewhere
from seqrec.report.tables.notes import mark_notes


def published_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate what others have published of an experiment's models under leave-one-out."""
    sources: dict[str, int] = {}
    cells, lines = [], []
    for task, one in _shown(evidence):
        place = sources.setdefault(one.source, len(sources) + 1)
        title, published = evidence.title(task, one.model), one.metrics[STOPPING_METRIC]
        as_here = one.variant == AS_HERE
        measured = evidence.measured[task].get(one.model) if as_here else None
        ours = measured.mean(STOPPING_METRIC) if measured else None
        lacking = NOT_FINISHED if as_here else Cell("")
        cells.append(
            [
                Cell(dataset_title(task)),
                Cell((title,) if as_here else joined(title, f", {one.variant}")),
                Cell(number(published, 4)),
                lacking if ours is None else Cell(number(ours, 4)),
                Cell(f"{one.file} file, {one.protocol} [{place}]"),
            ]
        )
        lines.append([task, *(getattr(one, name) for name in ELSEWHERE[1:]), published, ours])
    data = pd.DataFrame(lines, columns=["task", *ELSEWHERE[1:], "published", "ours"])
    there = f"{metric_title(STOPPING_METRIC)} there"
    headings = ["Dataset", "Model", there, "ours", "Measured by"]
    table = Table(item.title, headings, cells, data, columns="llrrs", grouped=True)
    if not cells:
        table.notes.append(
            "Nothing that others have published of these models on these datasets is on file."
        )
        return table
    table.notes.append(
        "Context, and nothing to reproduce: a number of another file, or of another stopping rule, "
        "does not compare with ours, which is a mean over seeds. Ours is blank where the model "
        "there differs from this one."
    )
    table.notes.append(" ".join(f"[{place}] {source}." for source, place in sources.items()))
    table.notes.extend(mark_notes(table.marks))
    return table


def _shown(evidence: Evidence) -> Iterator[tuple[str, Elsewhere]]:
    """Find what is published of each task, in the order of the other tables."""
    for task in evidence.datasets:
        if split_of(evidence.records(task)) == LEAVE_ONE_OUT:
            for model in evidence.wanted(task):
                for one in evidence.paper.elsewhere:
                    if (one.dataset, one.model) == (dataset_of(task), model):
                        yield task, one

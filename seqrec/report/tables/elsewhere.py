"""What others have published of the same models, each with the protocol that it was measured by."""

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.report.cells import NOT_FINISHED, Cell, Table
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence
from seqrec.report.metrics import metric_title
from seqrec.report.numbers import number
from seqrec.report.paper import ELSEWHERE
from seqrec.report.tables.notes import mark_notes


def elsewhere_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate published numbers of an experiment's models beside ours."""
    cells, lines = [], []
    for key, published in evidence.paper.elsewhere.items():
        dataset, model, file, protocol, _ = key
        if model not in evidence.wanted(dataset):
            continue
        measured = evidence.measured[dataset].get(model)
        ours = measured.mean(STOPPING_METRIC) if measured else None
        cells.append(
            [
                Cell(dataset_title(dataset)),
                Cell((evidence.title(dataset, model),)),
                Cell(number(published[STOPPING_METRIC], 4)),
                NOT_FINISHED if ours is None else Cell(number(ours, 4)),
                Cell(f"{file} file, {protocol}"),
            ]
        )
        lines.append([*key, published[STOPPING_METRIC], ours])
    data = pd.DataFrame(lines, columns=[*ELSEWHERE, "published", "ours"])
    headings = ["Dataset", "Model", f"{metric_title(STOPPING_METRIC)} there", "ours", "Measured by"]
    table = Table(item.title, headings, cells, data, columns="llrrs", grouped=True)
    if not cells:
        table.notes.append("config/published/beyond.csv has no numbers of these models.")
        return table
    sources = "; ".join(dict.fromkeys(data["source"]))
    table.notes.append(
        "Context, and nothing to reproduce: no number of another file, or of another way to stop, "
        f"compares with ours, which are means over seeds by one protocol. Sources: {sources}."
    )
    table.notes.extend(mark_notes(table.marks))
    return table

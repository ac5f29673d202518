"""The paper's table of datasets."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.layout import dataset_of
from seqrec.records.record import Record
from seqrec.report.cells import Cell, MarkedText, Table
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence
from seqrec.report.numbers import number
from seqrec.report.tables.notes import not_run_note, trained_on_different_data

SIZES = {
    "users": "Users",
    "items": "Items",
    "interactions": "Interactions",
    "mean_length": "Mean length",
    "density": "Density",
}
"""Statistics that are always shown."""

COUNTED = {
    "users_left_out": (
        "Users left out",
        "users with fewer than three interactions, which cannot be split",
    ),
    "repeated_test_targets": (
        "Repeated test targets",
        "items that are already in the user's history, so a miss by the protocol",
    ),
    "unseen_test_targets": ("Unseen test targets", "items that occur in no user's train part"),
    "tied_targets": (
        "Tied targets",
        "users with a target that has the same time as another item, so that the order of "
        "equal times decided",
    ),
}
"""Statistics that are shown, and explained, where a dataset has any."""

FORMATS: dict[str, Callable[[float], str]] = {
    "mean_length": lambda value: number(value, 1),
    "density": lambda value: f"{100 * value:.3g}%",
}
"""How statistics other than counts are shown."""


def sizes_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate the datasets as the runs saw them."""
    names = dict.fromkeys(dataset_of(task) for task in evidence.datasets)
    lines = [_line(evidence, dataset) for dataset in names]
    counted = [name for name in COUNTED if any(line.get(name) for line in lines)]
    columns = [*SIZES, *counted]
    cells = [
        [Cell(line["title"]), *(_size(name, line.get(name)) for name in columns)]
        for line in lines
        if _records(evidence, line["dataset"])
    ]
    first = ["dataset", "title", *SIZES]
    others = sorted({name for line in lines for name in line} - set(first))
    notes = _notes(evidence, lines)
    notes += [f"{COUNTED[name][0]}: {COUNTED[name][1]}." for name in counted]
    return Table(
        item.title,
        ["Dataset", *SIZES.values(), *(COUNTED[name][0] for name in counted)],
        cells,
        pd.DataFrame(lines, columns=[*first, *others], dtype=object),
        notes,
    )


def _line(evidence: Evidence, dataset: str) -> dict[str, Any]:
    """Collect what the records say about a dataset; records on the same data agree."""
    records = _records(evidence, dataset)
    statistics = records[0].data.statistics if records else {}
    return {**statistics, "dataset": dataset, "title": dataset_title(dataset)}


def _records(evidence: Evidence, dataset: str) -> list[Record]:
    """List the records of a dataset under all of its splits."""
    tasks = [task for task in evidence.datasets if dataset_of(task) == dataset]
    return [record for task in tasks for record in evidence.records(task)]


def _size(name: str, value: float | None) -> Cell:
    return Cell("—" if value is None else FORMATS.get(name, number)(value))


def _notes(evidence: Evidence, lines: list[dict[str, Any]]) -> list[MarkedText]:
    """Compare the sizes with the paper's."""
    notes: list[MarkedText] = []
    confirmed = []
    for line in lines:
        dataset, title = line["dataset"], line["title"]
        records = _records(evidence, dataset)
        published = evidence.paper.sizes.get((dataset,), {})
        if trained_on_different_data(records):
            notes.append(f"{title}: not all runs were trained on the same data; one is shown.")
        if not records:
            continue
        if differing := _differing(line, published):
            notes.append(f"{title}: the paper has {' and '.join(differing)}.")
        elif published:
            confirmed.append(title)
    if confirmed:
        notes.append(f"Users, items and interactions as in the paper: {', '.join(confirmed)}.")
    return notes + not_run_note(evidence, evidence.datasets)


def _differing(ours: Mapping[str, Any], published: Mapping[str, float]) -> list[str]:
    return [
        f"{number(published[name])} {name}"
        for name in ("users", "items", "interactions")
        if name in published and published[name] != ours.get(name)
    ]

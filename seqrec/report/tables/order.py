"""The order in which tables list runs."""

from collections.abc import Iterable
from typing import TypeVar

from seqrec.experiment.naming import dataset_order, in_order
from seqrec.records.record import Record
from seqrec.records.survey import Missing

Line = TypeVar("Line", Record, Missing)


def in_paper_order(lines: Iterable[Line]) -> list[Line]:
    """Sort by dataset and model in the paper's order, own models as they come, then by seed."""
    lines = list(lines)
    places = {name: place for place, name in enumerate(in_order(line.run.model for line in lines))}
    return sorted(
        lines,
        key=lambda line: (dataset_order(line.run.dataset), places[line.run.model], line.run.seed),
    )

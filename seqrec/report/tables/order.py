"""The order in which tables list runs."""

from collections.abc import Iterable
from typing import TypeVar

from seqrec.experiment.naming import run_order
from seqrec.records.record import Record
from seqrec.records.survey import Missing

Line = TypeVar("Line", Record, Missing)


def in_paper_order(lines: Iterable[Line]) -> list[Line]:
    """Sort by dataset and model in the paper's order, then by seed."""
    return sorted(lines, key=lambda line: run_order(*line.run))

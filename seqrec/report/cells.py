"""Tables as data: cells, notes, and the marks that warn a reader, before they take a form."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import NamedTuple, TypeAlias

import pandas as pd

from seqrec.errors import printable


class Mark(Flag):
    """What a reader must know before believing a number; each form of a table has signs for it."""

    STALE = auto()
    """Trained by other training code than today's."""
    OUTDATED = auto()
    """Trained with another configuration than the experiment asks for now, or than other seeds."""
    OTHER_SETTINGS = auto()
    """Bears the name of a model of the paper, but was not trained like it."""
    NOT_FINISHED = auto()
    """There is no number, as no run has finished."""


NO_MARK = Mark(0)


class Piece(NamedTuple):
    """A part of a text in plain Unicode, and the marks that follow it."""

    text: str
    marks: Mark = NO_MARK


MarkedText: TypeAlias = str | tuple[Piece, ...]
"""A text, in pieces where a mark stands within it."""


def joined(*parts: MarkedText | Piece) -> MarkedText:
    """Concatenate texts and pieces."""
    return tuple(piece for part in parts for piece in pieces(part))


def pieces(text: MarkedText | Piece) -> tuple[Piece, ...]:
    """Split a text into its pieces, each on one line and without codes that steer a terminal.

    What a record names, such as its device, may come from anybody.
    """
    if isinstance(text, str):
        found: tuple[Piece, ...] = (Piece(text),)
    else:
        found = (text,) if isinstance(text, Piece) else text
    return tuple(Piece(printable(one.text.replace("\n", " ")), one.marks) for one in found)


def marked_note(mark: Mark, note: str) -> MarkedText:
    """Build the note that explains a mark; it starts with the mark."""
    return Piece("", mark), Piece(f" {note}")


@dataclass(frozen=True)
class Cell:
    """One entry of a table."""

    text: MarkedText
    bold: bool = False

    @property
    def marks(self) -> Mark:
        """All marks in the cell."""
        return marks_in([self.text])


NOT_FINISHED = Cell((Piece("", Mark.NOT_FINISHED),))
"""Stands where a number is missing because no run has finished."""


def marks_in(texts: Iterable[MarkedText | Piece]) -> Mark:
    """Collect all marks in some texts."""
    found = NO_MARK
    for text in texts:
        for piece in pieces(text):
            found |= piece.marks
    return found


@dataclass(frozen=True)
class Table:
    """A table for people (title, headings, cells, notes) and, in full precision, for programs."""

    title: str
    headings: list[str]
    cells: list[list[Cell]]
    data: pd.DataFrame
    notes: list[MarkedText] = field(default_factory=list)
    columns: str = ""
    """One letter for each column: `l` for names, `r` for numbers, `s` for sentences, which break
    into lines. By default the first column holds names and the others numbers."""

    grouped: bool = False
    """Whether rows with the same first cell belong together; LaTeX shows the cell once and rules
    between the groups."""

    @property
    def kinds(self) -> str:
        """The letters of `columns`, or those of the default."""
        return self.columns or "l" + "r" * (len(self.headings) - 1)

    @property
    def marks(self) -> Mark:
        """All marks in the cells."""
        return marks_in(cell.text for row in self.cells for cell in row)

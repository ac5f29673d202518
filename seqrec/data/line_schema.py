"""What the lines of a raw file look like: their kind, their columns and the types in them."""

from dataclasses import dataclass
from typing import Any

from seqrec.data.conditions import Condition
from seqrec.data.formats import Column, Format, Where
from seqrec.data.time_columns import TimeColumn

BLANK = b" \r\n"
"""A line of nothing else is blank and skipped; a line of tabs holds empty fields."""
DELIMITERS = {"text": " ", "csv": ",", "semicolon": ";", "tsv": "\t", "double-colon": "\x1f"}
"""A double colon is replaced by its delimiter before Arrow reads it."""
QUOTING = ("csv", "semicolon")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass
class Field:
    """A column to read."""

    title: str
    """What messages call it: `user`, `item`, `timestamp` or `value of rating`."""
    column: Column
    """The column's name or position, as the dataset's YAML gives it."""
    time: TimeColumn | None = None
    """How to read it if it holds times."""
    condition: Condition | None = None
    """What its values must meet for the filter, whose columns are read for nothing else."""
    index: int = -1
    """The column's position; known from the first line."""
    type: type = str
    """Type of the first value of an id or a time; only JSON has others than text."""

    was_seen: bool = False
    """Whether a value was there, which keys of JSON do not tell beforehand."""

    @property
    def holds_ids(self) -> bool:
        return self.time is None and self.condition is None

    @property
    def purpose(self) -> str:
        """What the column is read for, as the end of a clause that names it."""
        return f" for the {self.title}" if self.condition is None else ", which 'where' tests"


def fields_of(format: Format, where: Where) -> list[Field]:
    """Return the columns to read: user, item, times, and those of the filter's conditions."""
    columns = format.columns
    alone = len(columns.times) == 1

    def name(column: Column) -> str:
        return f"column {column}" if isinstance(column, int) else column

    return [
        Field("user", columns.user),
        Field("item", columns.item),
        *(
            Field(
                "timestamp" if alone else f"timestamp {name(column)}",
                column,
                time=TimeColumn(format.time, must_have_form=alone and format.time is not None),
            )
            for column in columns.times
        ),
        *(
            Field(f"value of {name(column)}", column, condition=Condition.of(written))
            for column, written in where.items()
        ),
    ]


@dataclass
class LineSchema:
    """How to read the lines of a file. The file's first lines fill in what the YAML leaves open."""

    kind: str
    fields: list[Field]
    width: int = 0
    """Number of columns."""
    header: bytes = b""
    """The header line, without its line break; empty if there is none."""
    missing_words: frozenset[str] | None = None
    """Words that stand for a missing id; None if every line must have its ids."""

    @classmethod
    def of(cls, format: Format, where: Where) -> "LineSchema":
        """Return the schema as far as `format` and the filter's conditions tell it."""
        return cls(format.kind, fields_of(format, where), missing_words=format.missing_words)

    @property
    def quotes(self) -> bool:
        """Whether fields may be quoted, and so hold line breaks."""
        return self.kind in QUOTING

    def is_missing(self, id: Any) -> bool:
        """Whether an id is missing in a way that the format allows."""
        if self.missing_words is None:
            return False
        text = "" if id is None else str(id).strip()
        return not text or text in self.missing_words

    def may_be_joined(self, block: bytes) -> bool:
        """Whether `block` may hold the seam of files joined end to end, each with its start."""
        if block.startswith(BYTE_ORDER_MARK) or b"\n" + BYTE_ORDER_MARK in block:
            return True
        if not self.header or self.header not in block:
            return False
        again = b"\n" + self.header
        return block.startswith(self.header) or again + b"\n" in block or again + b"\r" in block

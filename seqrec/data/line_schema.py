"""What the lines of a raw file look like: their kind, their columns and the types in them."""

from dataclasses import dataclass
from typing import Any

from seqrec.data.datasets import Column, Format

BLANK = b" \r\n"
"""A line of nothing else is blank and skipped; a line of tabs holds empty fields."""
DELIMITERS = {"text": " ", "csv": ",", "semicolon": ";", "tsv": "\t", "double-colon": "\x1f"}
"""A double colon is replaced by its delimiter before Arrow reads it."""
QUOTING = ("csv", "semicolon")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass
class Field:
    """A column to read."""

    role: str
    """`user`, `item` or `timestamp`."""
    column: Column
    """The column's name or position, as the dataset's YAML gives it."""
    index: int = -1
    """The column's position; known from the first line."""
    type: type = str
    """Type of the first value; only JSON has others than text."""


@dataclass
class LineSchema:
    """How to read the lines of a file. The file's first lines fill in what the YAML leaves open."""

    kind: str
    fields: list[Field]
    width: int = 0
    """Number of columns."""
    dates: bool = False
    """Whether times are dates."""
    zoned: bool = False
    """Whether dates have a time zone."""
    header: bytes = b""
    """The header line, without its line break; empty if there is none."""
    missing_words: frozenset[str] | None = None
    """Words that stand for a missing id; None if every line must have its ids."""

    @classmethod
    def of(cls, format: Format) -> "LineSchema":
        """Return the schema as far as `format` tells it."""
        fields = [Field(*item) for item in format.columns.by_role().items()]
        return cls(format.kind, fields, missing_words=format.missing_words)

    @property
    def quotes(self) -> bool:
        """Whether fields may be quoted, and so hold line breaks."""
        return self.kind in QUOTING

    @property
    def has_times(self) -> bool:
        return any(field.role == "timestamp" for field in self.fields)

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

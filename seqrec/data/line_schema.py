"""What the lines of a raw file look like: their kind, their columns and the types in them."""

from dataclasses import dataclass

from seqrec.data.datasets import Column, Format

BLANK = b" \r\n"
"""A line of nothing else is blank and skipped; a line of tabs holds empty fields."""
DELIMITERS = {"text": " ", "csv": ",", "semicolon": ";", "tsv": "\t", "double-colon": "\x1f"}
"""A double colon is replaced by its delimiter before Arrow reads it."""
QUOTING = ("csv", "semicolon")


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

    @classmethod
    def of(cls, format: Format) -> "LineSchema":
        """Return the schema as far as `format` tells it."""
        return cls(format.kind, [Field(*item) for item in format.columns.by_role().items()])

    @property
    def quotes(self) -> bool:
        """Whether fields may be quoted, and so hold line breaks."""
        return self.kind in QUOTING

    @property
    def has_times(self) -> bool:
        return any(field.role == "timestamp" for field in self.fields)

"""How a dataset's YAML says which columns to read, how they are written, and which rows to keep."""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_serializer,
    model_validator,
)

from seqrec.data.conditions import Condition, Wanted
from seqrec.typed_yaml import Strict

Column = Annotated[int, Field(ge=0, strict=True)] | Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]

DIRECTIVES = tuple("YymbBdjaAHIpMSfz")
"""Letters of strptime that mean the same everywhere and can be read fast."""
PARTS = {"year": "Yy", "month": "mbBj", "day": "dj", "hour": "HI"}
"""Letters that tell the same part of a date; %j is the day of the year."""


def _names_a_day(form: str) -> str:
    letters = re.findall("%(.?)", form.replace("%%", ""), re.DOTALL)
    if unknown := [letter for letter in letters if letter not in DIRECTIVES]:
        known = " ".join(f"%{letter}" for letter in DIRECTIVES)
        raise ValueError(f"%{unknown[0]} is not known; there are {known}")
    told = {part: [letter for letter in letters if letter in of] for part, of in PARTS.items()}
    if twice := [part for part, found in told.items() if len(found) > 1]:
        raise ValueError(f"names the {twice[0]} twice")
    if len(set(letters)) < len(letters):
        raise ValueError("each letter may be there only once")
    if not (told["year"] and told["month"] and told["day"]):
        raise ValueError("names no day; a form is such as %d/%m/%Y or '%b %d, %Y %H:%M'")
    if ("I" in letters) != ("p" in letters):
        raise ValueError("%I, hours up to 12, and %p, morning or evening, need each other")
    return form


TimeForm = Annotated[str, AfterValidator(_names_a_day)]
Word = Annotated[int, Field(strict=True)] | str | None
"""An id as YAML reads it: -1 is a number, and null is nothing."""
NULL_WORDS = ("null", "Null", "NULL")
"""What YAML reads as nothing."""


class Columns(Strict):
    """The columns to read, each given by its name or by its position, counted from 0."""

    user: Column = 0
    """The column of users."""
    item: Column = 1
    """The column of items."""
    timestamp: Column | Annotated[tuple[Column, ...], Field(min_length=1)] | None = None
    """The column of times: unix times or ISO 8601 dates (`format.time` for dates of another form).
    Several, as in [date, hour], are sorted by in order of importance; the first of dates or unix
    times is the time that the log keeps. Without a column of times, the order of a user's lines is
    taken for the order in time."""

    @property
    def times(self) -> tuple[int | str, ...]:
        """The columns of times, the most important first; empty if there are none."""
        if isinstance(self.timestamp, tuple):
            return self.timestamp
        return () if self.timestamp is None else (self.timestamp,)

    @property
    def places(self) -> tuple[int | str, ...]:
        """All columns: user, item and times."""
        return (self.user, self.item, *self.times)


class Grown(Strict):
    """A model with keys that were added after logs had been made.

    A log counts as current only while the settings that it was made by are written the same, so new
    keys must not appear in the settings of datasets that do without them.
    """

    added: ClassVar[frozenset[str]]
    """The keys that are written only where they are used."""

    @model_serializer(mode="wrap")
    def _without_unused_keys(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        unused = {key: type(self).model_fields[key].default for key in self.added}
        return {key: value for key, value in write(self).items() if unused.get(key, ...) != value}


class Format(Grown):
    """How to read a file. Its first bytes tell whether it is compressed (gzip, bzip2, xz, Zstandard
    or zip)."""

    added = frozenset({"missing", "on_bad_line", "ties", "time"})

    kind: Literal["text", "csv", "semicolon", "tsv", "double-colon", "parquet", "jsonl"] = "text"
    """text: fields separated by white space; csv, semicolon: fields separated by `,` or `;`, which
    may be quoted; tsv: by tabs; double-colon: by `::` (MovieLens); jsonl: one JSON object per line.
    Blank lines are skipped."""
    columns: Columns = Columns()
    """Which columns hold the user, the item and the time."""
    header: bool | None = None
    """Whether the first line names the columns. Default: it does if `columns` gives names. Not
    allowed for parquet and jsonl."""
    missing: Literal["keep"] | tuple[Word, ...] | None = None
    """Words that stand for a missing user or item, such as [NA]: lines with one of them or with an
    empty id are dropped and counted; with [], only lines with an empty id are. keep: no word stands
    for a missing id. Default: an empty id is an error, and so is one that reads like a missing
    value (NA, NaN, None, null and the like)."""
    time: TimeForm | None = None
    """How dates are written if not by ISO 8601, in the letters of Python's strptime, such as
    "%d/%m/%y". With several columns of times, those are read so whose first value has this form."""
    ties: Literal["file", "item"] = "file"
    """Order of a user's interactions at the same time: that of the file, or that of the items' ids,
    which is the same in whatever order a file is handed on."""
    on_bad_line: Literal["error", "drop"] = "error"
    """What to do with malformed lines: report them, or drop and count them unless they are more
    than half of all lines."""

    @model_validator(mode="after")
    def _columns_can_be_found(self) -> "Format":
        places = self.columns.places
        if len(set(places)) < len(places):
            raise ValueError("user, item and timestamp must be different columns")
        named = any(isinstance(place, str) for place in places)
        if self.kind == "jsonl" and not all(isinstance(place, str) for place in places):
            raise ValueError("columns of a jsonl file are keys: give them by name")
        if self.kind in ("parquet", "jsonl"):
            if self.header is not None:
                raise ValueError(f"a {self.kind} file has no header line: leave 'header' out")
        elif named and self.header is False:
            raise ValueError("columns given by name need a header line: give positions from 0")
        if self.time is not None and not self.columns.times:
            raise ValueError(
                "'time' says how a column is read: give it as 'timestamp' in 'columns'"
            )
        if self.ties == "item" and not self.columns.times:
            raise ValueError("'ties: item' orders equal times: give 'timestamp' in 'columns'")
        return self

    @property
    def has_header(self) -> bool:
        """Whether the first line names the columns."""
        if self.header is not None or self.kind in ("parquet", "jsonl"):
            return bool(self.header)
        return any(isinstance(column, str) for column in self.columns.places)

    @property
    def missing_words(self) -> frozenset[str] | None:
        """The words that stand for a missing id; None if no line may be dropped for one."""
        if not isinstance(self.missing, tuple):
            return None
        words = (NULL_WORDS if word is None else (str(word).strip(),) for word in self.missing)
        return frozenset(word for group in words for word in group)


def _makes_sense(written: Wanted | tuple[Wanted, ...]) -> Wanted | tuple[Wanted, ...]:
    Condition.of(written)
    return written


Value = StrictBool | StrictInt | StrictFloat | StrictStr
Where = dict[
    Column,
    Annotated[
        Value | Annotated[tuple[Value, ...], Field(min_length=1)], AfterValidator(_makes_sense)
    ],
]
"""Conditions by the column that they are about."""


class Filter(Grown):
    """Which interactions to keep: those that meet the conditions, then the rule for repeated pairs
    applies, then the minimum counts."""

    added = frozenset({"where"})

    where: Where = {}
    """Keep interactions by other columns, given by name or by position from 0. A condition is a
    value or a list of values to keep, or a comparison: {rating: ">= 4", event: [purchase, cart],
    country: "!= XX"}. All must hold."""
    duplicates: Literal["keep", "first", "last", "consecutive"] = "keep"
    """Which of a user's interactions with the same item to keep: all, the first, or the last.
    consecutive: the first of those that directly follow each other, also after other interactions
    between them were dropped by the minimum counts."""
    min_interactions_per_user: Count = 1
    """Drop users with fewer interactions."""
    min_interactions_per_item: Count = 1
    """Drop items with fewer interactions."""
    distinct_items: bool = False
    """Count a user's distinct items instead of the interactions."""
    mode: Literal["one-pass", "k-core"] = "one-pass"
    """one-pass: count once, before anything is dropped; k-core: keep dropping until every
    remaining user and item reaches its minimum. A k-core also drops users with fewer than three
    interactions, which cannot be split."""

"""Read files of lines (text, CSV, JSON Lines): fast by the block, and line by line to find a fault."""

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from seqrec.data.datasets import Column, Format
from seqrec.data.raw_bytes import blocks, every_line_end, line_ends, open_raw, shown
from seqrec.errors import SeqrecError

if TYPE_CHECKING:
    import pyarrow as pa


# A line of nothing else is blank and passed over; one of tabs is a line of empty fields.
BLANK = b" \r\n"


DAY_FIRST = re.compile(r"\d{4}-\d\d-\d\d")


DELIMITERS = {"text": " ", "csv": ",", "semicolon": ";", "tsv": "\t", "double-colon": "\x1f"}


QUOTING = ("csv", "semicolon")


class _Unreadable(Exception):
    """Some line of a block is malformed, or blank."""


@dataclass
class _Field:
    """A column that is read."""

    role: str
    place: Column
    index: int = -1
    type: type = str


class _Lines:
    """How one file's lines are read: what its first line fixes, and where errors are said to be."""

    def __init__(self, path: Path, format: Format) -> None:
        self.path = path
        self.kind = format.kind
        self.quotes = format.kind in QUOTING
        self.header = format.has_header
        self.width = 0
        columns = format.columns
        self.fields = [_Field("user", columns.user), _Field("item", columns.item)]
        if columns.timestamp is not None:
            self.fields.append(_Field("timestamp", columns.timestamp))
        self.dates = self.zoned = False

    def fail(self, line: int, what: str, got: bytes | str) -> NoReturn:
        raise SeqrecError(
            f"{self.path}:{line}: {what}; got {shown(got)}; mend or remove the line, "
            "or correct 'format' in the dataset's YAML."
        )

    # What the first line fixes

    def begin(self, line: int, text: bytes) -> None:
        """Fix the columns by the first line; with a header that is the header."""
        if self.kind == "jsonl":
            return
        values = self.split(line, text)
        self.width = len(values)
        if self.width == 1:
            self.fail(line, f"only one field by 'kind: {self.kind}'; is it another kind?", text)
        names = [value.strip() for value in values]
        for field in self.fields:
            if isinstance(field.place, str):
                if names.count(field.place) != 1:
                    self.fail(line, f"the header must name one column {field.place!r}", text)
                field.index = names.index(field.place)
            elif field.place < self.width:
                field.index = field.place
            else:
                self.fail(
                    line,
                    f"no column {field.place} (counted from 0) for the {field.role}, "
                    f"only {self.width} columns",
                    text,
                )

    def begin_values(self, line: int, text: bytes) -> None:
        """Fix by the first line of values the types of JSON ids, and whether times are dates."""
        values = self.split(line, text)
        self.check_width(line, values, text)
        for field in self.fields:
            value = self.value(values, field)
            field.type = type(value)
            if field.role == "timestamp" and isinstance(value, str) and not _is_number(value):
                date = _as_date(value)
                if date is None:
                    due = "a number or an ISO 8601 date, as 2024-01-31 or 2024-01-31T12:00"
                    self.fail(line, f"the timestamp {value!r} is not {due}", text)
                self.dates, self.zoned = True, date.tzinfo is not None
        self.check(line, text)

    @property
    def has_time(self) -> bool:
        return len(self.fields) > 2

    # Slow: one line at a time

    def split(self, line: int, text: bytes) -> Any:
        """The fields of a line: a list, or a dict for a JSON object."""
        try:
            decoded = text.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            remedy = "convert the file if it is in another encoding: iconv -f cp1252 -t utf-8"
            self.fail(line, f"not UTF-8 text ({remedy})", text)
        if self.kind == "text":
            return [field.decode() for field in text.split()]
        if self.quotes:
            source = io.StringIO(decoded, newline="")
            try:
                rows = list(csv.reader(source, delimiter=DELIMITERS[self.kind]))
            except csv.Error as error:
                self.fail(line, f"not valid CSV ({error})", text)
            if len(rows) > 1:
                self.fail(line, "a carriage return or a quotation mark inside of a field", text)
            return rows[0] if rows else []
        if self.kind != "jsonl":
            if "\r" in decoded:
                self.fail(line, "a carriage return inside of a field", text)
            return decoded.split("\t" if self.kind == "tsv" else "::")
        try:
            value = json.loads(decoded)
        except (ValueError, RecursionError) as error:
            self.fail(line, f"not valid JSON ({error})", text)
        if not isinstance(value, dict):
            self.fail(line, "not a JSON object", text)
        return value

    def value(self, values: Any, field: _Field) -> Any:
        return values.get(field.place) if isinstance(values, dict) else values[field.index]

    def check_width(self, line: int, values: Any, text: bytes) -> None:
        if isinstance(values, list) and len(values) != self.width:
            found = f"{len(values)} {'field' if len(values) == 1 else 'fields'}"
            self.fail(line, f"{found} where {self.width} are due", text)

    def check(self, line: int, text: bytes) -> None:
        """Raise if this line is malformed."""
        values = self.split(line, text)
        self.check_width(line, values, text)
        for field in self.fields:
            if isinstance(values, dict) and field.place not in values:
                self.fail(line, f"no key {field.place!r} (the {field.role})", text)
            value = self.value(values, field)
            if field.role == "timestamp":
                same = isinstance(value, str) == (field.type is str)
                if not (same and (self.is_date(value) if self.dates else _is_number(value))):
                    zone = " with a time zone" if self.zoned else " without a time zone"
                    due = f"a date{zone}, as the first line has" if self.dates else "a number"
                    self.fail(line, f"the timestamp {value!r} is not {due}", text)
            elif isinstance(values, dict) and (
                type(value) not in (str, int)
                or type(value) is not field.type
                or (isinstance(value, int) and not -(2**63) <= value < 2**63)
            ):
                whole = "a whole number of 64 bits, as in the first line"
                due = whole if field.type is int else "text"
                self.fail(line, f"the {field.role} {value!r} is not {due}", text)
            elif not str(value).strip():
                self.fail(line, f"the {field.role} is empty", text)

    def is_date(self, value: Any) -> bool:
        date = _as_date(value)
        return date is not None and (date.tzinfo is not None) == self.zoned

    def filled(self, first: int, block: bytes) -> list[tuple[int, bytes]]:
        """The lines of a block that are not blank, with their numbers."""
        found = []
        start, line = 0, first
        for end in line_ends(block) + 1 if self.quotes else every_line_end(block):
            text = block[start:end]
            if text.strip(BLANK):
                found.append((line, text))
            start = int(end)
            line += text.count(b"\n")
        if start < len(block):
            self.fail(line, "a quotation mark is left open", block[start:])
        return found

    def find_fault(self, lines: list[tuple[int, bytes]]) -> NoReturn:
        """Go through lines that could not be read, to the one that is to blame."""
        for line, text in lines:
            self.check(line, text)
        # Nothing is wrong with any by itself: the first that stops the reader.
        good, bad = 0, len(lines)
        while bad - good > 1:
            middle = (good + bad) // 2
            try:
                self.read_filled(b"".join(text for _, text in lines[:middle]))
                good = middle
            except _Unreadable:
                bad = middle
        self.fail(lines[good][0], f"cannot be read as {self.kind}", lines[good][1])

    # Fast: a block at once

    def read(self, first: int, block: bytes) -> "tuple[pa.Table, np.ndarray | None]":
        """Columns user and item (dictionary-encoded), and the times, of a block of whole lines."""
        try:
            return self.read_filled(block)
        except _Unreadable:
            # Only here is it asked whether there are blank lines, so that others do not pay.
            lines = self.filled(first, block)
        try:
            return self.read_filled(b"".join(text for _, text in lines))
        except _Unreadable:
            self.find_fault(lines)

    def read_filled(self, block: bytes) -> "tuple[pa.Table, np.ndarray | None]":
        """The same of lines none of which is blank; raises `_Unreadable`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        try:
            block.decode("utf-8")
            read = self._read_json if self.kind == "jsonl" else self._read_delimited
            table = read(block)
            time = self._times(table["timestamp"]) if self.has_time else None
        except (UnicodeDecodeError, pa.ArrowException):
            raise _Unreadable from None
        ends = block.count(b"\n")
        if self.quotes and b'"' in block:
            ends = len(line_ends(block))
        ids = table.select(["user", "item"])
        empty = any(
            chunk.null_count
            or pc.any(pc.equal(pc.utf8_trim_whitespace(chunk.dictionary), "")).as_py()
            for column in ids.columns
            for chunk in column.chunks
        )
        if table.num_rows != ends or empty:
            raise _Unreadable
        return ids, time

    def _read_delimited(self, block: bytes) -> "pa.Table":
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        if self.kind == "double-colon":
            if b"\x1f" in block:
                raise pa.ArrowInvalid("a control character")
            block = block.replace(b"::", b"\x1f")
        if self.kind == "text" and _unusual_space(block):
            block = b"\n".join(b" ".join(line.split()) for line in block.split(b"\n"))
        code = pa.dictionary(pa.int32(), pa.string())
        types = {"user": code, "item": code, "timestamp": pa.string()}
        names = [f"column {index}" for index in range(self.width)]
        for field in self.fields:
            names[field.index] = field.role
        roles = [field.role for field in self.fields]
        quoted = self.quotes and b'"' in block
        # Arrow wants a block of its own to hold the longest record.
        block_size = len(block) if quoted else max(1 << 22, _longest(block))
        return arrow_csv.read_csv(
            pa.BufferReader(block),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=block_size),
            parse_options=arrow_csv.ParseOptions(
                delimiter=DELIMITERS[self.kind],
                quote_char='"' if self.quotes else False,
                newlines_in_values=quoted,
                ignore_empty_lines=False,
            ),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=roles,
                column_types={role: types[role] for role in roles},
                strings_can_be_null=False,
            ),
        )

    def _read_json(self, block: bytes) -> "pa.Table":
        import pyarrow as pa
        from pyarrow import json as arrow_json

        types = {str: pa.string(), int: pa.int64(), float: pa.float64()}

        def read(integers: "pa.DataType") -> "pa.Table":
            schema = []
            for field in self.fields:
                if field.type not in types or (field.type is float and field.role != "timestamp"):
                    raise pa.ArrowInvalid("a type that is no id and no time")
                numeric = field.role == "timestamp" and field.type is int
                schema.append((str(field.place), integers if numeric else types[field.type]))
            return arrow_json.read_json(
                pa.BufferReader(block),
                read_options=arrow_json.ReadOptions(block_size=max(1 << 22, _longest(block))),
                parse_options=arrow_json.ParseOptions(
                    explicit_schema=pa.schema(schema), unexpected_field_behavior="ignore"
                ),
            )

        try:
            table = read(pa.int64())
        except pa.ArrowInvalid:
            table = read(pa.float64())
        columns = {}
        for field in self.fields:
            column = table[str(field.place)]
            if field.role != "timestamp":
                column = column.cast(pa.string()).dictionary_encode()
            columns[field.role] = column
        return pa.table(columns)

    def _times(self, column: "pa.ChunkedArray") -> np.ndarray:
        """Times as numbers that sort; whole ones as int64, so that nanoseconds stay exact."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if column.null_count:
            raise pa.ArrowInvalid("no time")
        if pa.types.is_string(column.type):
            candidates = (
                [pa.timestamp(unit, "UTC" if self.zoned else None) for unit in ("us", "ns")]
                if self.dates
                else [pa.int64(), pa.float64()]
            )
            trimmed = pc.utf8_trim_whitespace(column)
            for candidate in candidates:
                try:
                    column = pc.cast(trimmed, candidate)
                    break
                except pa.ArrowInvalid:
                    if candidate is candidates[-1]:
                        raise
            if self.dates and column.type.unit == "ns":
                # Every block in one unit; what differs below it keeps the order of the file.
                column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        if pa.types.is_temporal(column.type):
            column = column.cast(pa.int64())
        if not pc.all(pc.is_finite(column)).as_py():
            raise pa.ArrowInvalid("not a finite time")
        return column.to_numpy()


def read_lines(
    path: Path, format: Format, member: str | None
) -> Iterator["tuple[pa.Table, np.ndarray | None]"]:
    """The file's blocks, parsed."""
    lines = _Lines(path, format)
    due = [lines.begin, lines.begin_values]
    with open_raw(path, member) as stream:
        for first, block in blocks(path, stream, lines.quotes):
            while due and (text := _first_line(block, lines.quotes)):
                if text.strip(BLANK):
                    is_header = lines.header and len(due) == 2
                    due.pop(0)(first, text)
                    if not is_header:
                        continue
                block = block[len(text) :]
                first += text.count(b"\n")
            if block.strip(BLANK):
                yield lines.read(first, block)


def _first_line(block: bytes, quotes: bool) -> bytes:
    if quotes:
        ends = line_ends(block[: 1 << 20])
        return block[: int(ends[0]) + 1] if len(ends) else block
    return block[: block.find(b"\n") + 1]


def _longest(block: bytes) -> int:
    """Length of the longest line, with room for its break."""
    return int(np.diff(every_line_end(block), prepend=0).max()) + 2


def _unusual_space(block: bytes) -> bool:
    """Whether fields are separated by anything but one space."""
    return block[:1] == b" " or any(
        space in block for space in (b"\t", b"\r", b"\v", b"\f", b"  ", b" \n", b"\n ")
    )


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        return math.isfinite(float(value)) and not re.search("_", str(value))
    except ValueError:
        return False


def _as_date(value: Any) -> datetime | None:
    # Of the forms that Python reads those that Arrow does too: no weeks, no day without hyphens.
    if not isinstance(value, str) or not DAY_FIRST.match(value.strip()):
        return None
    try:
        return datetime.fromisoformat(value.strip())
    except ValueError:
        return None

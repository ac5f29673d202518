"""Read a raw file of interactions, in any of the formats, into codes: every line is checked.

A file is read in blocks of whole lines, so memory holds codes and distinct ids but never the file.
A block is parsed at once by Arrow; only when something is wrong with it is it gone through line by
line, to say which.
"""

import bz2
import csv
import gzip
import io
import json
import lzma
import math
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

import numpy as np

from seqrec.datasets import Column, Format
from seqrec.errors import SeqrecError

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_BYTES = 1 << 24
MAX_LINE_BYTES = 1 << 26
# A bomb ends here, not at a full disk: no archive may unpack to more than the first, nor to both
# more than the second and so many times its size (logs shrink by 3 to 30 times).
MAX_UNPACKED_BYTES = 1 << 36
SMALL_UNPACKED_BYTES = 1 << 30
MAX_UNPACKED_RATIO = 100
BATCH_ROWS = 1 << 20
SHOWN_CHARACTERS = 100

# An id counts as a number only in the one way that number is written, so "7" and "07" stay two.
CANONICAL_INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"

# A line of nothing else is blank and passed over; one of tabs is a line of empty fields.
BLANK = b" \r\n"
DAY_FIRST = re.compile(r"\d{4}-\d\d-\d\d")
DELIMITERS = {"text": " ", "csv": ",", "semicolon": ";", "tsv": "\t", "double-colon": "\x1f"}
QUOTING = ("csv", "semicolon")


@dataclass(frozen=True)
class Log:
    """Interactions in the file's order; a code is an index into the ids, which are sorted."""

    users: np.ndarray
    """int32 [interactions]: code of the user."""
    items: np.ndarray
    """int32 [interactions]: code of the item."""
    times: np.ndarray | None
    """int64 or float64 [interactions]; None where the file has no time."""
    user_ids: "pa.Array"
    """Original ids: int64 in numeric order where all are integers, else text in its order."""
    item_ids: "pa.Array"


def parse(path: Path, format: Format, member: str | None = None) -> Log:
    """Read `path` (`member` of it, for a zip); a malformed line is a `SeqrecError`."""
    import pyarrow as pa

    tables: list[pa.Table] = []
    times: list[np.ndarray] = []
    batches = _parquet(path, format) if format.kind == "parquet" else _lines(path, format, member)
    for table, time in batches:
        tables.append(table)
        if time is not None:
            times.append(time)
    if not sum(table.num_rows for table in tables):
        raise SeqrecError(f"{path}: holds no interactions. Is it the right file?")
    table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    del tables
    users, user_ids = _codes(table["user"])
    items, item_ids = _codes(table["item"])
    if format.header is None and not format.has_header and format.kind not in ("parquet", "jsonl"):
        firsts = [_stranger(users, user_ids), _stranger(items, item_ids)]
        if all(first is not None for first in firsts):
            raise SeqrecError(
                f"{path}: the first line has {firsts[0]!r} and {firsts[1]!r}, all others have "
                "numbers. Is it a header? Say so by 'header: true' under 'format' in the dataset's "
                "YAML, or by 'header: false' that it is none."
            )
    return Log(users, items, np.concatenate(times) if times else None, user_ids, item_ids)


def _codes(column: "pa.ChunkedArray") -> tuple[np.ndarray, "pa.Array"]:
    """Codes into sorted ids. White space around an id is no part of it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = column.combine_chunks()
    ids = pc.utf8_trim_whitespace(encoded.dictionary)
    if pc.all(pc.match_substring_regex(ids, CANONICAL_INTEGER)).as_py():
        ids = ids.cast(pa.int64())
    distinct = ids.unique()
    distinct = distinct.take(pc.sort_indices(distinct))
    # Position in the file's order of appearance -> position in sorted order.
    ranks = pc.index_in(ids, distinct).to_numpy(zero_copy_only=False).astype(np.int32)
    return ranks[encoded.indices.to_numpy()], distinct


def _stranger(codes: np.ndarray, ids: "pa.Array") -> str | None:
    """The id of the first interaction, if it has the only one that is no number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(ids.type):
        return None
    first = ids[int(codes[0])].as_py()
    numbers = pc.sum(pc.match_substring_regex(ids, r"^-?[0-9]+$")).as_py()
    alone = 0 < numbers == len(ids) - 1 and not re.fullmatch(r"-?[0-9]+", first)
    return first if alone else None


# --- bytes ----------------------------------------------------------------------------------------


@contextmanager
def _opened(path: Path, member: str | None) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked; nothing is ever unpacked to disk."""
    openers: dict[str, Callable[[Path], Any]] = {
        ".gz": gzip.open,
        ".bz2": bz2.open,
        ".xz": lzma.open,
        ".zst": _open_zstandard,
    }
    try:
        if path.suffix.lower() == ".zip":
            with (
                zipfile.ZipFile(path) as archive,
                archive.open(_member(path, archive, member)) as f,
            ):
                yield f
        else:
            with openers.get(path.suffix.lower(), lambda p: p.open("rb"))(path) as file:
                yield file
    except FileNotFoundError:
        raise SeqrecError(f"{path}: no such file. Run the download again.") from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise SeqrecError(
            f"{path}: cannot be read to its end ({error}). "
            "Is it damaged or not what its suffix says? Remove it and have it again."
        ) from None


def _limit(path: Path) -> int:
    """Bytes that a file may unpack to."""
    by_size = MAX_UNPACKED_RATIO * path.stat().st_size
    return min(MAX_UNPACKED_BYTES, max(SMALL_UNPACKED_BYTES, by_size))


def _open_zstandard(path: Path) -> Any:
    import pyarrow as pa

    return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")


def _member(path: Path, archive: zipfile.ZipFile, member: str | None) -> zipfile.ZipInfo:
    files = {
        info.filename: info
        for info in archive.infolist()
        if not info.is_dir()
        and not stat.S_ISLNK(info.external_attr >> 16)
        and not info.filename.startswith("__MACOSX/")
    }
    listing = ", ".join(sorted(files)[:10]) or "no files"
    if member is None and len(files) != 1:
        raise SeqrecError(
            f"{path}: holds {listing}. Name the one to read as 'member' in the dataset's YAML."
        )
    name = member or next(iter(files))
    if name not in files:
        raise SeqrecError(f"{path}: has no member {name!r}; it holds {listing}.")
    if files[name].file_size > (limit := _limit(path)):
        raise SeqrecError(
            f"{path}: {name} would unpack to {files[name].file_size:,} bytes, "
            f"more than the {limit:,} allowed. Is it the right file?"
        )
    return files[name]


def _blocks(path: Path, stream: IO[bytes], quotes: bool) -> Iterator[tuple[int, bytes]]:
    """The stream in blocks of whole lines, each with the number of its first line.

    With `quotes`, a line break between quotation marks does not end a line.
    """
    line, rest, total, last = 1, b"", 0, False
    limit = _limit(path)
    while not last:
        piece = stream.read(BLOCK_BYTES)
        total += len(piece)
        if total > limit:
            raise SeqrecError(
                f"{path}: unpacks to more than {limit:,} bytes. Is it the right file?"
            )
        last = not piece
        block = rest + piece
        if line == 1 and not rest:
            block = block.removeprefix(b"\xef\xbb\xbf")
        if last:
            # The last line break may be missing.
            if block and not block.endswith(b"\n"):
                block += b"\n"
            end = len(block)
        else:
            end = _end_of_lines(block, quotes)
        rest = block[end:]
        if len(rest) > MAX_LINE_BYTES:
            at = line + block.count(b"\n", 0, end)
            raise SeqrecError(
                f"{path}:{at}: a line of more than {MAX_LINE_BYTES:,} bytes; "
                f"got {_shown(rest[:SHOWN_CHARACTERS])}; "
                "is a quotation mark left open, or is it another format?"
            )
        if end:
            yield line, block[:end]
            line += block.count(b"\n", 0, end)


def _end_of_lines(block: bytes, quotes: bool) -> int:
    """Where the last whole line of `block` ends."""
    if not (quotes and b'"' in block):
        return block.rfind(b"\n") + 1
    ends = _line_ends(block)
    return int(ends[-1]) + 1 if len(ends) else 0


def _line_ends(block: bytes) -> np.ndarray:
    """Positions of the line breaks that are not between quotation marks."""
    characters = np.frombuffer(block, dtype=np.uint8)
    breaks = np.flatnonzero(characters == ord("\n"))
    marks = np.flatnonzero(characters == ord('"'))
    return breaks[np.searchsorted(marks, breaks) % 2 == 0]


# --- lines ----------------------------------------------------------------------------------------


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
            f"{self.path}:{line}: {what}; got {_shown(got)}; mend or remove the line, "
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
        for end in _line_ends(block) + 1 if self.quotes else _every_line_end(block):
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
            ends = len(_line_ends(block))
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


def _lines(
    path: Path, format: Format, member: str | None
) -> Iterator["tuple[pa.Table, np.ndarray | None]"]:
    """The file's blocks, parsed."""
    lines = _Lines(path, format)
    due = [lines.begin, lines.begin_values]
    with _opened(path, member) as stream:
        for first, block in _blocks(path, stream, lines.quotes):
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
        ends = _line_ends(block[: 1 << 20])
        return block[: int(ends[0]) + 1] if len(ends) else block
    return block[: block.find(b"\n") + 1]


def _every_line_end(block: bytes) -> np.ndarray:
    return np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == ord("\n")) + 1


def _longest(block: bytes) -> int:
    """Length of the longest line, with room for its break."""
    return int(np.diff(_every_line_end(block), prepend=0).max()) + 2


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


def _shown(got: bytes | str) -> str:
    text = got.decode("utf-8", "backslashreplace") if isinstance(got, bytes) else got
    text = text.rstrip("\r\n")
    return repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…")


# --- Parquet --------------------------------------------------------------------------------------


def _parquet(path: Path, format: Format) -> Iterator["tuple[pa.Table, np.ndarray | None]"]:
    """The batches of a Parquet file, which has types and no lines."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise SeqrecError(f"{path}: cannot be read as Parquet ({error}).") from None
    names = file.schema_arrow.names
    columns = format.columns
    roles: dict[str, str] = {}
    for role, place in (
        ("user", columns.user),
        ("item", columns.item),
        ("timestamp", columns.timestamp),
    ):
        if place is None:
            continue
        name = names[place] if isinstance(place, int) and place < len(names) else place
        if name not in names:
            raise SeqrecError(
                f"{path}: no column {place!r} for the {role}; it has {', '.join(names)}. "
                "Correct 'format' in the dataset's YAML."
            )
        roles[role] = str(name)

    row = 1
    try:
        for batch in file.iter_batches(BATCH_ROWS, columns=list(roles.values())):
            table = pa.Table.from_batches([batch]).select(list(roles.values()))
            for role, name in roles.items():
                if table[name].null_count:
                    at = row + pc.index(pc.is_null(table[name]), True).as_py()
                    raise SeqrecError(
                        f"{path}: row {at}: the {role} ({name}) is empty; "
                        "fill it in or drop the row."
                    )
            ids = {
                role: _parquet_ids(path, role, row, table[roles[role]]) for role in ("user", "item")
            }
            time = None
            if "timestamp" in roles:
                time = _parquet_times(path, row, table[roles["timestamp"]])
            yield pa.table(ids), time
            row += batch.num_rows
    except (OSError, pa.ArrowException) as error:
        raise SeqrecError(f"{path}: cannot be read to its end ({error}).") from None


def _parquet_ids(path: Path, role: str, row: int, column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (
        pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
    ):
        raise SeqrecError(f"{path}: the {role} column holds {kind}; it must hold integers or text.")
    text = column.cast(kind).cast(pa.string())
    empty = pc.equal(pc.utf8_trim_whitespace(text), "")
    if pc.any(empty).as_py():
        at = row + pc.index(empty, True).as_py()
        raise SeqrecError(f"{path}: row {at}: the {role} is empty; fill it in or drop the row.")
    return text.dictionary_encode()


def _parquet_times(path: Path, row: int, column: "pa.ChunkedArray") -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_date32(kind):
        column = column.cast(pa.int32())
    elif pa.types.is_timestamp(kind) or pa.types.is_date64(kind):
        column = column.cast(pa.int64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise SeqrecError(
            f"{path}: the timestamp column holds {kind}; it must hold numbers, dates or timestamps."
        )
    finite = pc.is_finite(column)
    if not pc.all(finite).as_py():
        at = row + pc.index(finite, False).as_py()
        raise SeqrecError(f"{path}: row {at}: the timestamp is not finite; drop the row.")
    return column.to_numpy()

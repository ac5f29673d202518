"""Read Parquet files, which have types and no lines."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqrec.data.bad_lines import BadLines
from seqrec.data.file_kinds import HEAD_BYTES, kind_of
from seqrec.data.formats import Where
from seqrec.data.line_schema import Field, fields_of
from seqrec.data.missing_ids import MissingIds
from seqrec.data.parquet_columns import (
    are_filled,
    as_ids,
    as_testable,
    as_times,
    holds_text,
    require_type,
)
from seqrec.data.raw_batch import RawBatch
from seqrec.data.raw_bytes import unpacked_limit
from seqrec.data.time_columns import TimeColumn
from seqrec.errors import SeqrecError
from seqrec.wording import quoted, shortened

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BATCH_ROWS = 1 << 20
ROW_BYTES = 8
"""Codes of a user and an item: what a row takes in memory, however few bytes it has in the file."""


def read_parquet(bad: BadLines, where: Where) -> Iterator[RawBatch]:
    """Read the file of `bad` batch by batch, without its bad rows, which are noted in `bad`.

    Raises `SeqrecError` if the file cannot be read, or would take too much memory.
    """
    import pyarrow as pa

    path = bad.path
    try:
        schema = _schema(path)
        fields = fields_of(bad.format, where)
        names = [_column_name(path, schema.names, field) for field in fields]
        for field, name in zip(fields, names, strict=True):
            require_type(path, field, schema.field(name).type)
        file = _opened(path, names[:2])
        wanted = list(dict.fromkeys(names))
        _require_plausible_size(path, file.metadata, wanted)
        reader = _Reader(bad, fields)
        first = 1
        for batch in file.iter_batches(BATCH_ROWS, columns=wanted):
            table = pa.Table.from_batches([batch])
            yield reader.good_rows(first, [table[name] for name in names])
            first += batch.num_rows
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(shortened(str(error)).split())
        raise SeqrecError(f"{path}: cannot be read to its end ({reason}).") from None


def _schema(path: Path) -> "pa.Schema":
    """Read the columns; raises `SeqrecError` if the file is not Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        with path.open("rb") as stream:
            found = kind_of(stream.read(HEAD_BYTES)) or "something else"
        reason = "it is damaged" if found == "Parquet" else f"it holds {found}"
        raise SeqrecError(
            f"{path}: cannot be read as Parquet: {reason} ({shortened(str(error))})."
        ) from None


def _opened(path: Path, ids: list[str]) -> "pq.ParquetFile":
    import pyarrow.parquet as pq

    # A long id that many rows share is kept once, and not written out for each of them.
    return pq.ParquetFile(path, read_dictionary=ids)


def _require_plausible_size(path: Path, metadata: "pq.FileMetaData", names: list[str]) -> None:
    """Raise `SeqrecError` if the rows would take far more memory than the file takes on disk."""
    groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
    columns = (group.column(index) for group in groups for index in range(group.num_columns))
    unpacked = sum(
        column.total_uncompressed_size for column in columns if column.path_in_schema in names
    )
    needed = max(unpacked, metadata.num_rows * ROW_BYTES)
    if needed > (limit := unpacked_limit(path)):
        raise SeqrecError(
            f"{path}: {metadata.num_rows:,} rows would unpack to {needed:,} bytes, more than the "
            f"{limit:,} allowed for a file of its size. If it is right, write it anew as CSV."
        )


def _column_name(path: Path, names: list[str], field: Field) -> str:
    """Return the name of the column to read for a field."""
    column = field.column
    name = names[column] if isinstance(column, int) and column < len(names) else column
    if name not in names:
        raise SeqrecError(
            f"{path}: no column {quoted(column)}{field.purpose}; it has "
            f"{shortened(', '.join(names))}. Correct the dataset's YAML."
        )
    if names.count(str(name)) > 1:
        raise SeqrecError(
            f"{path}: {names.count(str(name))} columns are called {quoted(name)} (the "
            f"{field.title}). Write the file anew with different names."
        )
    return str(name)


class _Reader:
    """Reads the batches of one file in order."""

    def __init__(self, bad: BadLines, fields: list[Field]) -> None:
        self.bad = bad
        self.fields = fields
        self.missing = MissingIds(bad)
        self.learned: set[str] = set()
        """Titles of the columns of times whose way of writing is known."""

    def good_rows(self, first: int, columns: "list[pa.ChunkedArray]") -> RawBatch:
        """Take the good rows of a batch, the first of which has the number `first`."""
        import pyarrow as pa

        good = np.ones(len(columns[0]), bool)
        times, met = [], []
        ids = pa.table([as_ids(column) for column in columns[:2]], names=["user", "item"])
        if self.missing.listed is None:
            for role in ids.column_names:
                self._note(first, good, ~are_filled(ids[role]), f"the {role} is empty")
        for field, column in zip(self.fields, columns, strict=True):
            if field.time is not None:
                times.append(self._times(first, good, field, column))
            elif field.condition is not None:
                holds, unusable = field.condition.test(as_testable(column))
                self._note_values(first, good, unusable, field, column, field.condition.expected)
                met.append(holds)
        rows = np.flatnonzero(good) + first
        batch = RawBatch(ids, tuple(times), tuple(met)).take(good)
        return self.missing.without(batch, lambda row: int(rows[row]))

    def _times(
        self, first: int, good: np.ndarray, field: Field, column: "pa.ChunkedArray"
    ) -> np.ndarray:
        """Convert times to numbers or datetime64, [rows], and note where they are missing or
        malformed; what stands there in the array means nothing."""
        import pyarrow as pa

        assert field.time is not None
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        kind = column.type
        as_text = holds_text(kind) or (field.time.form and pa.types.is_integer(kind))
        if not as_text:
            times, finite = as_times(column)
            self._note(first, good, ~finite, f"the {field.title} is empty, or no finite number")
            return times
        return self._text_times(first, good, field, column.cast(pa.string()))

    def _text_times(
        self, first: int, good: np.ndarray, field: Field, texts: "pa.ChunkedArray"
    ) -> np.ndarray:
        import pyarrow as pa
        import pyarrow.compute as pc

        time = field.time
        assert time is not None
        filled = pc.not_equal(pc.utf8_trim_whitespace(texts), "").fill_null(False)
        present = filled.to_numpy()
        self._note(first, good, ~present, f"the {field.title} is empty")
        values = texts.filter(filled)
        known = field.title in self.learned
        if known or any(not time.learn(text.as_py()) for text in values):
            self.learned.add(field.title)
        problem = time.expected if field.title in self.learned else time.learn
        for expected in (problem, partial(_unreadable, time)):
            try:
                found = time.read(values)
                break
            except pa.ArrowInvalid:
                wrong = np.zeros(len(present), bool)
                wrong[present] = [bool(expected(text.as_py())) for text in values]
                self._note_values(first, good, wrong, field, texts, expected)
                present &= ~wrong
                values = texts.filter(pa.array(present))
        else:
            found = time.read(values)
        times = np.zeros(len(present), found.dtype)
        times[present] = found
        return times

    def _note_values(
        self,
        first: int,
        good: np.ndarray,
        wrong: np.ndarray,
        field: Field,
        column: "pa.ChunkedArray",
        expected: Callable[[Any], str],
    ) -> None:
        """Note the rows whose values are `wrong`, with the value and what was expected."""
        for row in np.flatnonzero(wrong & good):
            value = column[int(row)].as_py()
            what = f"the {field.title} {quoted(value)} is not {expected(value)}"
            self.bad.note(first + int(row), what)
        good &= ~wrong

    def _note(self, first: int, good: np.ndarray, wrong: np.ndarray, what: str) -> None:
        """Note the rows that are `wrong` and were good so far, which they are no longer."""
        for row in np.flatnonzero(wrong & good):
            self.bad.note(first + int(row), what)
        good &= ~wrong


def _unreadable(time: TimeColumn, text: str) -> str:
    """Return what a time should be instead that looks right and still cannot be read."""
    import pyarrow as pa

    try:
        time.read(pa.chunked_array([[text]]))
    except pa.ArrowInvalid:
        return "a time that can be read"
    return ""

"""Read Parquet files, which have types and no lines."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqrec.data.bad_lines import BadLines
from seqrec.data.datasets import Columns
from seqrec.data.file_kinds import HEAD_BYTES, kind_of
from seqrec.data.missing_ids import MissingIds
from seqrec.data.raw_batch import RawBatch
from seqrec.data.raw_bytes import unpacked_limit
from seqrec.errors import SeqrecError
from seqrec.wording import quoted, shortened

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BATCH_ROWS = 1 << 20
ROW_BYTES = 8
"""Codes of a user and an item: what a row takes in memory, however few bytes it has in the file."""


def read_parquet(bad: BadLines) -> Iterator[RawBatch]:
    """Read the file of `bad` batch by batch, without its bad rows, which are noted in `bad`.

    Raises `SeqrecError` if the file cannot be read, or would take too much memory.
    """
    import pyarrow as pa

    path = bad.path
    try:
        schema = _schema(path)
        names = _column_names(path, schema.names, bad.format.columns)
        _require_types(path, {role: schema.field(name).type for role, name in names.items()})
        file = _opened(path, names)
        _require_plausible_size(path, file.metadata, list(names.values()))
        missing = MissingIds(bad)
        first = 1
        for batch in file.iter_batches(BATCH_ROWS, columns=list(names.values())):
            table = pa.Table.from_batches([batch])
            columns = {role: table[name] for role, name in names.items()}
            yield from _good_rows(missing, first, columns)
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


def _opened(path: Path, names: dict[str, str]) -> "pq.ParquetFile":
    import pyarrow.parquet as pq

    # A long id that many rows share is kept once, and not written out for each of them.
    return pq.ParquetFile(path, read_dictionary=[names["user"], names["item"]])


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


def _column_names(path: Path, names: list[str], columns: Columns) -> dict[str, str]:
    """Return the names of the columns to read by their roles."""
    found = {}
    for role, column in columns.by_role().items():
        name = names[column] if isinstance(column, int) and column < len(names) else column
        if name not in names:
            raise SeqrecError(
                f"{path}: no column {quoted(column)} for the {role}; it has "
                f"{shortened(', '.join(names))}. "
                "Correct 'format' in the dataset's YAML."
            )
        if names.count(str(name)) > 1:
            raise SeqrecError(
                f"{path}: {names.count(str(name))} columns are called {quoted(name)} (the {role}). "
                "Write the file anew with different names."
            )
        found[role] = str(name)
    return found


def _good_rows(
    missing: MissingIds, first: int, columns: dict[str, "pa.ChunkedArray"]
) -> Iterator[RawBatch]:
    """Take the good rows of a batch, the first of which has the number `first`."""
    import pyarrow as pa

    bad = missing.bad
    ids = {role: _ids(columns[role]) for role in ("user", "item")}
    good = np.ones(len(ids["user"]), bool)
    if missing.listed is None:
        for role, column in ids.items():
            _note(bad, first, good, ~_is_filled(column), f"the {role} is empty")
    times = None
    if "timestamp" in columns:
        times, finite = _times(columns["timestamp"])
        _note(bad, first, good, ~finite, "the timestamp is empty or not finite")
        times = times[good]
    rows = np.flatnonzero(good) + first
    table = pa.table(ids)
    batch = RawBatch(table if good.all() else table.filter(good), times)
    yield missing.without(batch, lambda row: int(rows[row]))


def _note(bad: BadLines, first: int, good: np.ndarray, wrong: np.ndarray, what: str) -> None:
    """Note the rows that are `wrong` and were good so far, which they are no longer."""
    for row in np.flatnonzero(wrong & good):
        bad.note(first + int(row), what)
    good &= ~wrong


def _is_filled(ids: "pa.ChunkedArray") -> np.ndarray:
    """Tell which ids there are and are not empty, as bool [rows]."""
    import pyarrow.compute as pc

    filled = [
        pc.not_equal(pc.utf8_trim_whitespace(chunk.dictionary), "")
        .take(chunk.indices)
        .fill_null(False)
        .to_numpy(zero_copy_only=False)
        for chunk in ids.chunks
    ]
    return np.concatenate([np.zeros(0, bool), *filled])


def _ids(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Convert ids to dictionary-encoded text."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    chunks = [
        pa.DictionaryArray.from_arrays(
            chunk.indices.cast(pa.int32()), chunk.dictionary.cast(pa.string())
        )
        for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, pa.dictionary(pa.int32(), pa.string()))


def _times(column: "pa.ChunkedArray") -> tuple[np.ndarray, np.ndarray]:
    """Convert times to numbers or datetime64; also return which are there and finite, as bool."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, unit = column.type, ""
    if pa.types.is_date(kind):
        column, unit = column.cast(pa.date32()).cast(pa.int32()).cast(pa.int64()), "D"
    elif pa.types.is_timestamp(kind):
        column, unit = column.cast(pa.int64()), kind.unit
    finite = pc.is_finite(column).fill_null(False).to_numpy()
    times = column.fill_null(0).to_numpy()
    return times.view(f"datetime64[{unit}]") if unit else times, finite


def _require_types(path: Path, types: dict[str, "pa.DataType"]) -> None:
    """Raise `SeqrecError` unless the columns hold ids and times."""
    import pyarrow as pa

    of = pa.types
    for role, kind in types.items():
        if role == "timestamp":
            expected = "it must hold numbers, dates or timestamps"
            holds = [of.is_integer, of.is_floating, of.is_date, of.is_timestamp]
        else:
            expected = "ids must be whole numbers or text"
            holds = [of.is_integer, _holds_text, _holds_whole_decimals]
            if of.is_dictionary(kind):
                kind = kind.value_type
        if not any(each(kind) for each in holds):
            raise SeqrecError(f"{path}: the {role} column holds {_in_words(kind)}; {expected}.")


def _holds_whole_decimals(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_decimal(kind) and kind.scale == 0)


def _holds_text(kind: "pa.DataType") -> bool:
    """Whether a type is text, or bytes, which some writers of Parquet take for text."""
    import pyarrow as pa

    of = pa.types
    return bool(
        of.is_string(kind)
        or of.is_large_string(kind)
        or of.is_string_view(kind)
        or of.is_binary(kind)
        or of.is_large_binary(kind)
        or of.is_binary_view(kind)
    )


def _in_words(kind: "pa.DataType") -> str:
    """Return what a column of a type holds, in words and as Arrow calls it."""
    import pyarrow as pa

    of = pa.types
    for words, holds in (
        ("numbers with a fraction", of.is_floating),
        ("numbers with a fraction", of.is_decimal),
        ("true and false", of.is_boolean),
        ("text", _holds_text),
        ("dates or times", of.is_temporal),
        ("several values in each row", of.is_nested),
        ("nothing", of.is_null),
    ):
        if holds(kind):
            return f"{words} ({shortened(str(kind))})"
    return shortened(str(kind))

"""Read Parquet files, which have types and no lines."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqrec.data.datasets import Columns, Format
from seqrec.data.raw_batch import RawBatch
from seqrec.errors import SeqrecError

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 1 << 20


def read_parquet(path: Path, format: Format) -> Iterator[RawBatch]:
    """Read the file batch by batch; raises `SeqrecError` for an unusable row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise SeqrecError(f"{path}: cannot be read as Parquet ({error}).") from None
    names = _column_names(path, file.schema_arrow.names, format.columns)
    row = 1
    try:
        for batch in file.iter_batches(BATCH_ROWS, columns=list(names.values())):
            table = pa.Table.from_batches([batch]).select(list(names.values()))
            columns = {role: table[name] for role, name in names.items()}
            for role, name in names.items():
                _require_filled(path, f"the {role} ({name})", row, columns[role])
            ids = {role: _ids(path, role, row, columns[role]) for role in ("user", "item")}
            times = _times(path, row, columns["timestamp"]) if "timestamp" in columns else None
            yield RawBatch(pa.table(ids), times)
            row += batch.num_rows
    except (OSError, pa.ArrowException) as error:
        raise SeqrecError(f"{path}: cannot be read to its end ({error}).") from None


def _column_names(path: Path, names: list[str], columns: Columns) -> dict[str, str]:
    """Return the names of the columns to read by their roles."""
    found = {}
    for role, column in columns.by_role().items():
        name = names[column] if isinstance(column, int) and column < len(names) else column
        if name not in names:
            raise SeqrecError(
                f"{path}: no column {column!r} for the {role}; it has {', '.join(names)}. "
                "Correct 'format' in the dataset's YAML."
            )
        found[role] = str(name)
    return found


def _require_filled(path: Path, what: str, row: int, column: "pa.ChunkedArray") -> None:
    import pyarrow.compute as pc

    if column.null_count:
        at = row + pc.index(pc.is_null(column), True).as_py()
        raise SeqrecError(f"{path}: row {at}: {what} is empty; fill it in or drop the row.")


def _ids(path: Path, role: str, row: int, column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Convert ids to dictionary-encoded text; `row` is the number of the first."""
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


def _times(path: Path, row: int, column: "pa.ChunkedArray") -> np.ndarray:
    """Convert times to numbers that sort; `row` is the number of the first."""
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

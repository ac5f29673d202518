"""Read Parquet files, which have types and no lines."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqrec.data.datasets import Format
from seqrec.errors import SeqrecError

if TYPE_CHECKING:
    import pyarrow as pa


BATCH_ROWS = 1 << 20


def read_parquet(path: Path, format: Format) -> Iterator["tuple[pa.Table, np.ndarray | None]"]:
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

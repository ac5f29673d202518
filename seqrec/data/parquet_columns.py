"""Which types a column of a Parquet file may have, and what it is converted to."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqrec.data.line_schema import Field
from seqrec.data.time_columns import are_times
from seqrec.errors import SeqrecError
from seqrec.wording import shortened

if TYPE_CHECKING:
    import pyarrow as pa


def are_filled(ids: "pa.ChunkedArray") -> np.ndarray:
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


def as_ids(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
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


def as_testable(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Convert values that conditions do not know to text: bytes and decimals."""
    import pyarrow as pa

    if holds_text(column.type) or pa.types.is_decimal(column.type):
        return column.cast(pa.string())
    return column.cast(pa.float32()) if pa.types.is_float16(column.type) else column


def as_times(column: "pa.ChunkedArray") -> tuple[np.ndarray, np.ndarray]:
    """Convert times to numbers or datetime64; also return which are there and finite, as bool."""
    import pyarrow as pa

    kind, unit = column.type, ""
    if pa.types.is_date(kind):
        column, unit = column.cast(pa.date64()).cast(pa.int64()), "ms"
    elif pa.types.is_timestamp(kind):
        column, unit = column.cast(pa.int64()), kind.unit
    present = column.is_valid().to_numpy()
    times = column.fill_null(0).to_numpy()
    if unit:
        return times.view(f"datetime64[{unit}]"), present
    return times, present & are_times(times)


def require_type(path: Path, field: Field, kind: "pa.DataType") -> None:
    """Raise `SeqrecError` unless the column's type is one that the field can have."""
    import pyarrow as pa

    of = pa.types
    if of.is_dictionary(kind):
        kind = kind.value_type
    if field.time is not None and field.time.must_have_form and of.is_floating(kind):
        expected = "'time' tells how text, whole numbers or dates are read"
        holds = []
    elif field.time is not None:
        expected = "it must hold numbers, dates, timestamps or text"
        holds = [of.is_integer, of.is_floating, of.is_date, of.is_timestamp, holds_text]
    elif field.condition is not None:
        expected = "conditions are about numbers, text, true and false"
        holds = [of.is_integer, of.is_floating, of.is_decimal, of.is_boolean, holds_text]
    else:
        expected = "ids must be whole numbers or text"
        holds = [of.is_integer, holds_text, _holds_whole_decimals]
    if not any(each(kind) for each in holds):
        what = f"the {field.title} column" if field.condition is None else f"the {field.title}"
        raise SeqrecError(f"{path}: {what} holds {_in_words(kind)}; {expected}.")


def _holds_whole_decimals(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_decimal(kind) and kind.scale == 0)


def holds_text(kind: "pa.DataType") -> bool:
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
        ("text", holds_text),
        ("dates or times", of.is_temporal),
        ("several values in each row", of.is_nested),
        ("nothing", of.is_null),
    ):
        if holds(kind):
            return f"{words} ({shortened(str(kind))})"
    return shortened(str(kind))

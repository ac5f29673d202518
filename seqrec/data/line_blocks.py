"""Read a block of lines at once with Arrow; a malformed block is recognised but not explained.

`seqrec.data.line_checks` finds out which line is to blame, and why.
"""

from typing import TYPE_CHECKING

import numpy as np

from seqrec.data.line_schema import DELIMITERS, LineSchema
from seqrec.data.raw_batch import RawBatch
from seqrec.data.raw_bytes import line_ends

if TYPE_CHECKING:
    import pyarrow as pa

ARROW_BLOCK_BYTES = 1 << 22


class UnreadableBlock(Exception):
    """Some line of a block is malformed, blank or the header again."""


def read_block(schema: LineSchema, block: bytes) -> RawBatch:
    """Read a block of whole lines, none of them blank; raises `UnreadableBlock`.

    Ids may be empty only if the schema allows missing ones.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if schema.may_be_joined(block):
        raise UnreadableBlock
    try:
        block.decode("utf-8")
        table = (_read_json if schema.kind == "jsonl" else _read_delimited)(schema, block)
        times = _times(schema, table["timestamp"]) if schema.has_times else None
    except (UnicodeDecodeError, pa.ArrowException):
        raise UnreadableBlock from None
    lines = block.count(b"\n")
    if schema.quotes and b'"' in block:
        lines = len(line_ends(block, quotes=True))
    ids = table.select(["user", "item"])
    has_empty_id = schema.missing_words is None and any(
        chunk.null_count or pc.any(pc.equal(pc.utf8_trim_whitespace(chunk.dictionary), "")).as_py()
        for column in ids.columns
        for chunk in column.chunks
    )
    if table.num_rows != lines or has_empty_id:
        raise UnreadableBlock
    return RawBatch(ids, times)


def _read_delimited(schema: LineSchema, block: bytes) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import csv

    if schema.kind == "double-colon":
        if b"\x1f" in block:
            raise pa.ArrowInvalid("a control character")
        block = block.replace(b"::", b"\x1f")
    if schema.kind == "text" and _has_unusual_space(block):
        block = b"\n".join(b" ".join(line.split()) for line in block.split(b"\n"))
    code = pa.dictionary(pa.int32(), pa.string())
    types = {"user": code, "item": code, "timestamp": pa.string()}
    names = [f"column {index}" for index in range(schema.width)]
    for field in schema.fields:
        names[field.index] = field.role
    roles = [field.role for field in schema.fields]
    is_quoted = schema.quotes and b'"' in block
    # The longest record must fit into a block of Arrow's.
    block_size = len(block) if is_quoted else max(ARROW_BLOCK_BYTES, _longest_line(block))
    return csv.read_csv(
        pa.BufferReader(block),
        read_options=csv.ReadOptions(column_names=names, block_size=block_size),
        parse_options=csv.ParseOptions(
            delimiter=DELIMITERS[schema.kind],
            quote_char='"' if schema.quotes else False,
            newlines_in_values=is_quoted,
            ignore_empty_lines=False,
        ),
        convert_options=csv.ConvertOptions(
            include_columns=roles,
            column_types={role: types[role] for role in roles},
            strings_can_be_null=False,
        ),
    )


def _read_json(schema: LineSchema, block: bytes) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import json

    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}

    def read(integers: "pa.DataType") -> "pa.Table":
        columns = []
        for field in schema.fields:
            is_time = field.role == "timestamp"
            if field.type not in types or (field.type is float and not is_time):
                raise pa.ArrowInvalid("a type that is neither an id nor a time")
            numeric = is_time and field.type is int
            columns.append((str(field.column), integers if numeric else types[field.type]))
        return json.read_json(
            pa.BufferReader(block),
            read_options=json.ReadOptions(block_size=max(ARROW_BLOCK_BYTES, _longest_line(block))),
            parse_options=json.ParseOptions(
                explicit_schema=pa.schema(columns), unexpected_field_behavior="ignore"
            ),
        )

    try:
        table = read(pa.int64())
    except pa.ArrowInvalid:
        table = read(pa.float64())
    columns = {}
    for field in schema.fields:
        column = table[str(field.column)]
        if field.role != "timestamp":
            column = column.cast(pa.string()).dictionary_encode()
        columns[field.role] = column
    return pa.table(columns)


def _times(schema: LineSchema, column: "pa.ChunkedArray") -> np.ndarray:
    """Convert times to numbers or datetime64; whole ones to int64, so that nanoseconds stay
    exact."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count:
        raise pa.ArrowInvalid("no time")
    if pa.types.is_string(column.type):
        zone = "UTC" if schema.zoned else None
        candidates = (
            [pa.timestamp("us", zone), pa.timestamp("ns", zone)]
            if schema.dates
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
        if schema.dates and column.type.unit == "ns":
            # All blocks must have one unit; dates that differ by less keep the order of the file.
            column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    if pa.types.is_temporal(column.type):
        return column.cast(pa.int64()).to_numpy().view("datetime64[us]")
    if not pc.all(pc.is_finite(column)).as_py():
        raise pa.ArrowInvalid("not a finite time")
    return column.to_numpy()


def _longest_line(block: bytes) -> int:
    """Return the length of the longest line, with room for its line break."""
    return int(np.diff(line_ends(block, quotes=False), prepend=0).max()) + 2


def _has_unusual_space(block: bytes) -> bool:
    """Whether fields are separated by anything but one space."""
    return block[:1] == b" " or any(
        space in block for space in (b"\t", b"\r", b"\v", b"\f", b"  ", b" \n", b"\n ")
    )

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
        columns = (_read_json if schema.kind == "jsonl" else _read_delimited)(schema, block)
        read = list(zip(schema.fields, columns, strict=True))
        times = tuple(field.time.read(column) for field, column in read if field.time)
        tested = [field.condition.test(column) for field, column in read if field.condition]
        if any(unusable.any() for _, unusable in tested):
            raise pa.ArrowInvalid("a value that a condition cannot be tested on")
        ids = pa.table(columns[:2], names=["user", "item"])
    except (UnicodeDecodeError, pa.ArrowException):
        raise UnreadableBlock from None
    lines = block.count(b"\n")
    if schema.quotes and b'"' in block:
        lines = len(line_ends(block, quotes=True))
    has_empty_id = schema.missing_words is None and any(
        chunk.null_count or pc.any(pc.equal(pc.utf8_trim_whitespace(chunk.dictionary), "")).as_py()
        for column in ids.columns
        for chunk in column.chunks
    )
    if ids.num_rows != lines or has_empty_id:
        raise UnreadableBlock
    return RawBatch(ids, times, tuple(met for met, _ in tested))


def _read_delimited(schema: LineSchema, block: bytes) -> "list[pa.ChunkedArray]":
    """Read the columns of the schema's fields: text, dictionary-encoded except for times."""
    import pyarrow as pa
    from pyarrow import csv

    if schema.kind == "double-colon":
        if b"\x1f" in block:
            raise pa.ArrowInvalid("a control character")
        block = block.replace(b"::", b"\x1f")
    if schema.kind == "text" and _has_unusual_space(block):
        block = b"\n".join(b" ".join(line.split()) for line in block.split(b"\n"))
    code = pa.dictionary(pa.int32(), pa.string())
    names = [str(index) for index in range(schema.width)]
    # A condition may be about a column that is read for something else as well.
    types = {str(field.index): pa.string() if field.time else code for field in schema.fields}
    types |= {str(field.index): pa.string() for field in schema.fields if field.time}
    is_quoted = schema.quotes and b'"' in block
    # The longest record must fit into a block of Arrow's.
    block_size = len(block) if is_quoted else max(ARROW_BLOCK_BYTES, _longest_line(block))
    table = csv.read_csv(
        pa.BufferReader(block),
        read_options=csv.ReadOptions(column_names=names, block_size=block_size),
        parse_options=csv.ParseOptions(
            delimiter=DELIMITERS[schema.kind],
            quote_char='"' if schema.quotes else False,
            newlines_in_values=is_quoted,
            ignore_empty_lines=False,
        ),
        convert_options=csv.ConvertOptions(
            include_columns=list(types),
            column_types=types,
            strings_can_be_null=False,
        ),
    )
    return [table[str(field.index)] for field in schema.fields]


def _read_json(schema: LineSchema, block: bytes) -> "list[pa.ChunkedArray]":
    """Read the columns of the schema's fields; ids are dictionary-encoded text."""
    import pyarrow as pa

    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}

    def read(integers: "pa.DataType") -> "pa.Table":
        columns = []
        for field in schema.fields:
            if field.condition is None:
                if field.type not in types or (field.type is float and not field.time):
                    raise pa.ArrowInvalid("a type that is neither an id nor a time")
                numeric = field.time is not None and field.type is int
                columns.append((str(field.column), integers if numeric else types[field.type]))
        return _json_table(block, columns)

    try:
        table = read(pa.int64())
    except pa.ArrowInvalid:
        table = read(pa.float64())
    found = []
    for field in schema.fields:
        if field.condition is not None:
            found.append(values := _json_values(block, str(field.column)))
            field.was_seen |= values.null_count < len(values)
        elif field.time is not None:
            found.append(table[str(field.column)])
        else:
            found.append(table[str(field.column)].cast(pa.string()).dictionary_encode())
    return found


def _json_values(block: bytes, key: str) -> "pa.ChunkedArray":
    """Read the values of a key of any one type; absent ones are null."""
    import pyarrow as pa

    for kind in (pa.float64(), pa.string()):
        try:
            return _json_table(block, [(key, kind)])[key]
        except pa.ArrowInvalid:
            continue
    return _json_table(block, [(key, pa.bool_())])[key]


def _json_table(block: bytes, columns: "list[tuple[str, pa.DataType]]") -> "pa.Table":
    import pyarrow as pa
    from pyarrow import json

    return json.read_json(
        pa.BufferReader(block),
        read_options=json.ReadOptions(block_size=max(ARROW_BLOCK_BYTES, _longest_line(block))),
        parse_options=json.ParseOptions(
            explicit_schema=pa.schema(columns), unexpected_field_behavior="ignore"
        ),
    )


def _longest_line(block: bytes) -> int:
    """Return the length of the longest line, with room for its line break."""
    return int(np.diff(line_ends(block, quotes=False), prepend=0).max()) + 2


def _has_unusual_space(block: bytes) -> bool:
    """Whether fields are separated by anything but one space."""
    return block[:1] == b" " or any(
        space in block for space in (b"\t", b"\r", b"\v", b"\f", b"  ", b" \n", b"\n ")
    )

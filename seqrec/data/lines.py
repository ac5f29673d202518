"""Read files of lines (text, CSV, JSON Lines) block by block, and line by line to find an error."""

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from seqrec.data.datasets import Format
from seqrec.data.line_blocks import UnreadableBlock, read_block
from seqrec.data.line_checks import LineChecker
from seqrec.data.line_schema import BLANK, LineSchema
from seqrec.data.raw_batch import RawBatch
from seqrec.data.raw_bytes import blocks, line_ends, open_raw

FIRST_LINE_BYTES = 1 << 20
"""Quotation marks are looked at so far to find the end of a first line that may be quoted."""


def read_lines(path: Path, format: Format, member: str | None) -> Iterator[RawBatch]:
    """Read the file block by block; raises `SeqrecError` for a malformed line."""
    schema = LineSchema.of(format)
    checker = LineChecker(path, schema)
    knows_columns = knows_types = False
    with open_raw(path, member) as stream:
        for first, block in blocks(path, stream, schema.quotes):
            while not knows_types and (text := _first_line(block, schema.quotes)):
                if text.strip(BLANK):
                    if knows_columns:
                        checker.learn_types(first, text)
                        knows_types = True
                        break
                    checker.learn_columns(first, text)
                    knows_columns = True
                    if not format.has_header:
                        continue
                block = block[len(text) :]
                first += text.count(b"\n")
            if block.strip(BLANK):
                yield _read(checker, first, block)


def _read(checker: LineChecker, first: int, block: bytes) -> RawBatch:
    """Read a block of whole lines, the first of which has the number `first`."""
    try:
        return read_block(checker.schema, block)
    except UnreadableBlock:
        # Blank lines are looked for only now, so that files without any do not pay for it.
        lines = checker.filled_lines(first, block)
    try:
        return read_block(checker.schema, _joined(lines))
    except UnreadableBlock:
        _find_error(checker, lines)


def _find_error(checker: LineChecker, lines: list[tuple[int, bytes]]) -> NoReturn:
    """Raise `SeqrecError` about the line that makes a block unreadable."""
    for line, text in lines:
        checker.check(line, text)
    # Every line is right by itself. Search by bisection for the first that Arrow cannot read.
    good, bad = 0, len(lines)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            read_block(checker.schema, _joined(lines[:middle]))
            good = middle
        except UnreadableBlock:
            bad = middle
    checker.fail(lines[good][0], f"cannot be read as {checker.schema.kind}", lines[good][1])


def _joined(lines: list[tuple[int, bytes]]) -> bytes:
    return b"".join(text for _, text in lines)


def _first_line(block: bytes, quotes: bool) -> bytes:
    if quotes:
        ends = line_ends(block[:FIRST_LINE_BYTES], quotes)
        return block[: int(ends[0])] if len(ends) else block
    return block[: block.find(b"\n") + 1]

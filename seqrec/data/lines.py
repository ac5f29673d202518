"""Read files of lines (text, CSV, JSON Lines) block by block, and line by line to find errors."""

from collections.abc import Callable, Iterator

from seqrec.data.bad_lines import BadLines
from seqrec.data.formats import Where
from seqrec.data.line_blocks import UnreadableBlock, read_block
from seqrec.data.line_checks import LineChecker
from seqrec.data.line_schema import BLANK, LineSchema
from seqrec.data.missing_ids import MissingIds
from seqrec.data.raw_batch import RawBatch
from seqrec.data.raw_bytes import blocks, line_ends, open_raw
from seqrec.errors import SeqrecError
from seqrec.wording import quoted

FIRST_LINE_BYTES = 1 << 20
"""How far to look at quotation marks for the end of a first line that may be quoted."""

Lines = list[tuple[int, bytes]]
"""Lines with their numbers, none of them blank."""


def read_lines(bad: BadLines, member: str | None, where: Where) -> Iterator[RawBatch]:
    """Read the file of `bad` block by block, without its bad lines, which are noted in `bad`.

    Raises `SeqrecError` if the file cannot be read to its end.
    """
    reader = _Reader(bad, where)
    with open_raw(bad.path, member) as stream:
        for first, block in blocks(bad.path, stream, reader.schema.quotes):
            yield from reader.read(first, block)
    reader.require_keys()


class _Reader:
    """Reads the blocks of one file in order."""

    def __init__(self, bad: BadLines, where: Where) -> None:
        self.schema = LineSchema.of(bad.format, where)
        self.bad = bad
        self.checker = LineChecker(self.schema, bad)
        self.missing = MissingIds(bad)
        self.has_header = bad.format.has_header
        self.knows_columns = self.knows_types = False

    def read(self, first: int, block: bytes) -> Iterator[RawBatch]:
        """Read a block of whole lines, the first of which has the number `first`."""
        if not self.knows_columns:
            first, block = self._learn_columns(*_from_first_line(first, block))
        if not block.strip(BLANK):
            return
        if not self.knows_types:
            first, block = _from_first_line(first, block)
            self.knows_types = self.checker.learns_types(first, self._first_line(block))
            if not self.knows_types:
                yield from self._read_lines(self._from_first_good_line(first, block))
                return
        try:
            batch = read_block(self.schema, block)
        except UnreadableBlock:
            # Blank lines are looked for only now, so that files without any do not pay for it.
            lines = self.checker.filled_lines(first, block)
            yield from self._read_lines(lines)
        else:
            yield self.missing.without(batch, lambda row: self._number(first, block, row))

    def require_keys(self) -> None:
        """Raise `SeqrecError` if no JSON object has a key that a condition is about."""
        for field in self.schema.fields if self.schema.kind == "jsonl" else []:
            if field.condition and self.knows_types and not field.was_seen:
                raise SeqrecError(
                    f"{self.bad.path}: no line has a value for the key {quoted(field.column)}, "
                    "which 'where' tests. Correct 'filter' in the dataset's YAML."
                )

    def _number(self, first: int, block: bytes, row: int) -> int:
        return self.checker.filled_lines(first, block)[row][0]

    def _learn_columns(self, first: int, block: bytes) -> tuple[int, bytes]:
        """Learn the columns from the first line, and return what follows a header."""
        text = self._first_line(block)
        if not text:
            return first, block
        self.checker.learn_columns(first, text)
        self.knows_columns = True
        if not self.has_header:
            return first, block
        self.schema.header = text.strip(BLANK)
        return first + text.count(b"\n"), block[len(text) :]

    def _from_first_good_line(self, first: int, block: bytes) -> Lines:
        """Return the lines from the first good one on, knowing that the first of all is bad."""
        lines = self.checker.filled_lines(first, block)
        for index, line in enumerate(lines[1:], start=1):
            if self.checker.learns_types(*line):
                self.knows_types = True
                return lines[index:]
        return []

    def _read_lines(self, lines: Lines) -> Iterator[RawBatch]:
        """Read lines some of which may be bad."""
        for part, batch in self._parts(lines, self._good_lines):
            numbers = [number for number, _ in part]
            yield self.missing.without(batch, numbers.__getitem__)

    def _parts(
        self, lines: Lines, rest: Callable[[Lines], Iterator[tuple[Lines, RawBatch]]]
    ) -> Iterator[tuple[Lines, RawBatch]]:
        """Read lines at once if that is possible, and by `rest` otherwise."""
        if not lines:
            return
        try:
            batch = read_block(self.schema, b"".join(text for _, text in lines))
        except UnreadableBlock:
            yield from rest(lines)
        else:
            yield lines, batch

    def _good_lines(self, lines: Lines) -> Iterator[tuple[Lines, RawBatch]]:
        """Read the lines that are good by themselves, and note the others."""
        good = [line for line in lines if self.checker.is_good(*line)]
        yield from self._parts(good, self._halves)

    def _halves(self, lines: Lines) -> Iterator[tuple[Lines, RawBatch]]:
        """Read good lines half by half, and note those that Arrow cannot read even alone."""
        if len(lines) == 1:
            self.checker.note(lines[0][0], f"cannot be read as {self.schema.kind}", lines[0][1])
            return
        middle = len(lines) // 2
        yield from self._parts(lines[:middle], self._halves)
        yield from self._parts(lines[middle:], self._halves)

    def _first_line(self, block: bytes) -> bytes:
        if self.schema.quotes:
            ends = line_ends(block[:FIRST_LINE_BYTES], quotes=True)
            return block[: int(ends[0])] if len(ends) else block
        return block[: block.find(b"\n") + 1]


def _from_first_line(first: int, block: bytes) -> tuple[int, bytes]:
    """Skip blank lines; return the number of the first other line, and the block from there on."""
    rest = block.lstrip(BLANK)
    return first + block.count(b"\n", 0, len(block) - len(rest)), rest

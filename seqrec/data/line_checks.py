"""Check lines one at a time, to learn a file's schema from its first lines and to locate errors.

This is slow and exact about what is wrong. `seqrec.data.line_blocks` is its fast counterpart, which
only knows that something is.
"""

import csv
import io
import json
from typing import Any, NoReturn

from seqrec.data.bad_lines import BadLines
from seqrec.data.line_schema import BLANK, BYTE_ORDER_MARK, DELIMITERS, Field, LineSchema
from seqrec.data.raw_bytes import line_ends, shown
from seqrec.errors import SeqrecError
from seqrec.wording import quoted


class BadLine(Exception):
    """A line is malformed, or lacks an id."""

    def __init__(self, what: str, is_missing: bool = False) -> None:
        super().__init__(what)
        self.is_missing = is_missing
        """Whether the format allows dropping the line because an id is missing."""


class LineChecker:
    """Checks the lines of one file, one at a time, and notes the bad ones in `bad`."""

    def __init__(self, schema: LineSchema, bad: BadLines) -> None:
        self.schema = schema
        self.bad = bad

    def fail(self, line: int, what: str, got: bytes | str) -> NoReturn:
        """Raise `SeqrecError` about a line that all others depend on."""
        raise SeqrecError(
            f"{self.bad.path}:{line}: {what}; got {shown(got)}; fix or remove the line, "
            "or correct 'format' in the dataset's YAML."
        )

    def note(self, line: int, problem: BadLine | str, text: bytes) -> None:
        """Note what is wrong with a line."""
        if isinstance(problem, BadLine) and problem.is_missing:
            self.bad.missing += 1
        else:
            what = f"{problem}; got {shown(text)}"
            self.bad.note(line, what, max(1, text.count(b"\n")))

    def learn_columns(self, line: int, text: bytes) -> None:
        """Find the columns in the first line, which is the header if the file has one."""
        schema = self.schema
        if schema.kind == "jsonl":
            return
        try:
            values = self._split(text)
        except BadLine as error:
            self.fail(line, str(error), text)
        schema.width = len(values)
        if schema.width == 1:
            problem = f"only one field when read as 'kind: {schema.kind}'; is it another kind?"
            self.fail(line, problem, text)
        names = [value.strip() for value in values]
        for field in schema.fields:
            if isinstance(field.column, str):
                if names.count(field.column) != 1:
                    self.fail(
                        line,
                        f"the header must name one column {quoted(field.column)}{field.purpose}",
                        text,
                    )
                field.index = names.index(field.column)
            elif field.column < schema.width:
                field.index = field.column
            else:
                self.fail(
                    line,
                    f"no column {field.column} (counted from 0){field.purpose}, "
                    f"only {schema.width} columns",
                    text,
                )

    def learns_types(self, line: int, text: bytes) -> bool:
        """Learn the types of JSON values, and whether times are dates, from the first good line.

        Returns whether this line is good, and notes what is wrong if it is not.
        """
        try:
            self._learn_types(text)
            self._check(text)
        except BadLine as problem:
            self.note(line, problem, text)
            return False
        return True

    def is_good(self, line: int, text: bytes) -> bool:
        """Return whether a line is good, and note what is wrong if it is not."""
        try:
            self._check(text)
        except BadLine as problem:
            self.note(line, problem, text)
            return False
        return True

    def _learn_types(self, text: bytes) -> None:
        schema = self.schema
        values = self._split(text)
        self._check_width(values)
        for field in schema.fields:
            value = _value(values, field)
            if field.time is not None:
                if (expected := field.time.learn(value)) and value is not None:
                    raise BadLine(f"the {field.title} {quoted(value)} is not {expected}")
            elif field.holds_ids and schema.is_missing(value):
                raise BadLine(f"the {field.title} is missing", is_missing=True)
            field.type = type(value)

    def _check(self, text: bytes) -> None:
        """Raise `BadLine` if this line is malformed, or lacks an id."""
        if text.startswith(BYTE_ORDER_MARK) or text.strip(BLANK) == self.schema.header:
            raise BadLine("the start of another file: were files joined end to end?")
        values = self._split(text)
        self._check_width(values)
        for field in self.schema.fields:
            value = _value(values, field)
            if field.condition is not None:
                if expected := field.condition.expected(value):
                    raise BadLine(f"the {field.title} {quoted(value)} is not {expected}")
                continue
            if field.holds_ids and self.schema.is_missing(value):
                raise BadLine(f"the {field.title} is missing", is_missing=True)
            if isinstance(values, dict) and field.column not in values:
                raise BadLine(f"no key {quoted(field.column)} (the {field.title})")
            if field.time is not None:
                expected = _expected_time(field, value)
            elif isinstance(values, dict):
                expected = _expected_json_id(field, value)
            else:
                expected = ""
            if expected:
                raise BadLine(f"the {field.title} {quoted(value)} is not {expected}")
            if not str(value).strip():
                raise BadLine(f"the {field.title} is empty")

    def filled_lines(self, first: int, block: bytes) -> list[tuple[int, bytes]]:
        """Return the lines of a block that are not blank, with their numbers from `first`."""
        found = []
        start, line = 0, first
        for end in line_ends(block, self.schema.quotes):
            text = block[start:end]
            if text.strip(BLANK):
                found.append((line, text))
            start = int(end)
            line += text.count(b"\n")
        if start < len(block):
            self.fail(line, "a quotation mark is left open", block[start:])
        return found

    def _split(self, text: bytes) -> Any:
        """Return the fields of a line: a list, or a dict for a JSON object."""
        kind = self.schema.kind
        try:
            decoded = text.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            remedy = "convert the file if it is in another encoding: iconv -f cp1252 -t utf-8"
            raise BadLine(f"not UTF-8 text ({remedy})") from None
        if kind == "text":
            return [field.decode() for field in text.split()]
        if self.schema.quotes:
            source = io.StringIO(decoded, newline="")
            try:
                rows = list(csv.reader(source, delimiter=DELIMITERS[kind]))
            except csv.Error as error:
                raise BadLine(f"not valid CSV ({error})") from None
            if len(rows) > 1:
                raise BadLine("a carriage return or a quotation mark inside a field")
            return rows[0] if rows else []
        if kind != "jsonl":
            if "\r" in decoded:
                raise BadLine("a carriage return inside a field")
            return decoded.split("\t" if kind == "tsv" else "::")
        try:
            value = json.loads(decoded)
        except (ValueError, RecursionError) as error:
            raise BadLine(f"not valid JSON ({error})") from None
        if not isinstance(value, dict):
            raise BadLine("not a JSON object")
        return value

    def _check_width(self, values: Any) -> None:
        if isinstance(values, list) and len(values) != self.schema.width:
            found = f"{len(values)} {'field' if len(values) == 1 else 'fields'}"
            raise BadLine(f"{found} instead of {self.schema.width}")


def _value(values: Any, field: Field) -> Any:
    return values.get(field.column) if isinstance(values, dict) else values[field.index]


def _expected_time(field: Field, value: Any) -> str:
    """Return what the time should be instead, or nothing if it is right."""
    assert field.time is not None
    if expected := field.time.expected(value):
        return expected
    if isinstance(value, str) == (field.type is str):
        return ""
    return "text, like that of the first line" if field.type is str else "a number"


def _expected_json_id(field: Field, value: Any) -> str:
    """Return what the id should be instead, or nothing if its type is right."""
    fits = isinstance(value, str) or (isinstance(value, int) and -(2**63) <= value < 2**63)
    if fits and type(value) is field.type and field.type is not bool:
        return ""
    return "a 64-bit integer, like that of the first line" if field.type is int else "text"

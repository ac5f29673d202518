"""Conditions on the values of a column, by which a dataset's filter keeps interactions."""

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

Wanted = str | int | float | bool
"""A value that an interaction is kept for."""
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
TRUTHS = {True: ("true", "yes", "on"), False: ("false", "no", "off")}
"""Words that YAML reads as true and false, so that an unquoted `yes` is found in a file."""
COMPARISON = re.compile(r"(>=|<=|!=|>|<)\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Condition:
    """Holds for values that compare so with a limit, or that are among those wanted."""

    written: str
    """The condition in words, such as `>= 4` or `purchase or cart`."""
    wanted: tuple[Wanted, ...] = ()
    negated: bool = False
    """Whether any value but those wanted will do."""
    compare: str = ""
    limit: float = 0.0

    @classmethod
    def of(cls, written: Wanted | tuple[Wanted, ...]) -> "Condition":
        """Read a condition of a YAML file; raises `ValueError` if it makes no sense."""
        if isinstance(written, tuple):
            for each in written:
                if isinstance(each, str) and _is_comparison(each):
                    raise ValueError(f"{each!r} is a comparison, which stands alone, in no list")
            return cls(" or ".join(map(_text, written)), written)
        found = COMPARISON.fullmatch(written.strip()) if isinstance(written, str) else None
        if found is None:
            return cls(_text(written), (written,))
        compare, value = found.groups()
        if not value:
            raise ValueError(f"{compare} needs a value after it, as in '>= 4'")
        if compare == "!=":
            number = (float(value),) if is_number(value) else ()
            return cls(f"!= {value}", (value, *number), negated=True)
        if not is_number(value):
            raise ValueError(f"{compare} compares with a number, as in '>= 4', not with {value!r}")
        return cls(f"{compare} {value}", compare=compare, limit=float(value))

    def expected(self, value: Any) -> str:
        """Return what a value should be instead, or nothing if it can be tested."""
        if not isinstance(value, Wanted | None):
            return "text or a number"
        if self.compare and _text(value) and not is_number(_text(value)):
            return f"a number, which '{self.written}' under 'where' needs"
        return ""

    def holds(self, value: Any) -> bool:
        """Whether a value meets the condition; a missing one is the empty text."""
        text = _text(value)
        number = float(text) if is_number(text) else None
        if self.compare:
            return number is not None and OPERATORS[self.compare](number, self.limit)
        is_text = isinstance(value, str)
        return any(_equal(each, text, number, is_text) for each in self.wanted) != self.negated

    def test(self, column: "pa.ChunkedArray") -> "tuple[np.ndarray, np.ndarray]":
        """Return which values meet the condition, and which cannot be tested, bool [rows] each."""
        import numpy as np
        import pyarrow as pa

        met, unusable = [np.zeros(0, bool)], [np.zeros(0, bool)]
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        for chunk in column.chunks:
            # The last place stands for a missing value.
            values = [*chunk.dictionary.to_pylist(), None]
            codes = chunk.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)
            wrong = np.array([bool(self.expected(value)) for value in values])
            right = np.array(
                [not bad and self.holds(v) for v, bad in zip(values, wrong, strict=True)]
            )
            met.append(right[codes])
            unusable.append(wrong[codes])
        return np.concatenate(met), np.concatenate(unusable)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, or text that is one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        return math.isfinite(float(value)) and not re.search("_", str(value))
    except (ValueError, OverflowError):
        return False


def _is_comparison(text: str) -> bool:
    """Whether text compares with a number, or with anything by !=; `<none>` is a word."""
    found = COMPARISON.fullmatch(text.strip())
    return found is not None and (found[1] == "!=" or is_number(found[2]))


def _text(value: Any) -> str:
    if value is None or value != value:  # what pandas writes for nothing is no number
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def _equal(wanted: Wanted, text: str, number: float | None, is_text: bool) -> bool:
    """Whether a value, given as text and as the number that it may be, is the one wanted.

    Text equals only the same text, so that 007 is not 7; a number equals text that reads as it.
    """
    if isinstance(wanted, bool):
        return text.lower() in TRUTHS[wanted]
    if not isinstance(wanted, str):
        return number == wanted
    if text == wanted.strip():
        return True
    return not is_text and number is not None and is_number(wanted) and number == float(wanted)

"""Read a column of times: numbers, ISO 8601 dates, or dates of the form that the dataset names."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from seqrec.data.conditions import is_number
from seqrec.wording import quoted

if TYPE_CHECKING:
    import pyarrow as pa

DAY_FIRST = re.compile(r"\d{4}-\d\d-\d\d")
FINER_THAN_MICROSECONDS = re.compile(r"(?<=\.\d{6})\d{1,3}(?!\d)")
DATED_YEARS = range(1678, 2262)
"""Years that dates of a form may have: those that 64 bits of nanoseconds reach."""


TOO_LARGE = 2.0**63
"""What no unix time reaches in any unit."""


def are_times(numbers: np.ndarray) -> np.ndarray:
    """Tell which numbers are finite and not too large for a time, as bool of the same shape."""
    return np.abs(numbers.astype(np.float64)) < TOO_LARGE


@dataclass
class TimeColumn:
    """How the times of one column are written, which its first good value tells."""

    form: str | None = None
    """The form that the dataset's YAML names, in the letters of `strptime`."""
    must_have_form: bool = False
    """Whether every time has that form; of several columns, only some may."""
    has_form: bool = False
    dates: bool = False
    """Whether times are ISO 8601 dates. They are numbers if they are neither these nor of the
    form."""
    zoned: bool = False
    """Whether these dates have a time zone."""

    def learn(self, value: Any) -> str:
        """Learn from the first value; return what it should be instead, or nothing if it is
        right."""
        self.has_form = self.dates = self.zoned = False
        if self.form is not None and (self.must_have_form or self._has_form(value)):
            self.has_form = True
        elif isinstance(value, str) and not is_number(value):
            if (date := _as_date(value)) is None:
                return "a number or an ISO 8601 date (give another form by 'time' under 'format')"
            self.dates, self.zoned = True, date.tzinfo is not None
        return self.expected(value)

    def expected(self, value: Any) -> str:
        """Return what a value should be instead, or nothing if it is right."""
        if self.has_form:
            return "" if self._has_form(value) else f"a date of the form {quoted(self.form)}"
        if not self.dates:
            return "" if is_number(value) and abs(float(value)) < TOO_LARGE else "a number"
        date = _as_date(value)
        if date is not None and (date.tzinfo is not None) == self.zoned:
            return ""
        zone = "with" if self.zoned else "without"
        return f"a date {zone} a time zone, like that of the first line"

    def read(self, column: "pa.ChunkedArray") -> np.ndarray:
        """Convert a column to datetime64, or to int64 where all numbers are whole, or to float64.

        Raises `ArrowInvalid` if a time is missing or malformed.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if column.null_count:
            raise pa.ArrowInvalid("no time")
        if self.has_form:
            return self._read_form(column.cast(pa.string()))
        if pa.types.is_string(column.type):
            column = self._from_text(pc.utf8_trim_whitespace(column))
        if pa.types.is_temporal(column.type):
            return column.cast(pa.int64()).to_numpy().view("datetime64[us]")
        times = column.to_numpy()
        if not are_times(times).all():
            raise pa.ArrowInvalid("not a finite time")
        return times

    def _from_text(self, column: "pa.ChunkedArray") -> "pa.ChunkedArray":
        """Convert text to numbers or timestamps; whole numbers to int64, so that nanoseconds stay
        exact."""
        import pyarrow as pa

        zone = "UTC" if self.zoned else None
        first, second = (
            (pa.timestamp("us", zone), pa.timestamp("ns", zone))
            if self.dates
            else (pa.int64(), pa.float64())
        )
        try:
            column = column.cast(first)
        except pa.ArrowInvalid:
            column = column.cast(second)
        if self.dates and column.type.unit == "ns":
            # All blocks must have one unit; dates that differ by less keep the order of the file.
            column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        return column

    def _read_form(self, column: "pa.ChunkedArray") -> np.ndarray:
        import pandas as pd
        import pyarrow as pa
        import pyarrow.compute as pc

        encoded = pc.utf8_trim_whitespace(column).dictionary_encode().combine_chunks()
        texts = encoded.dictionary.to_pandas()
        found = pd.to_datetime(texts, format=self.form, utc="%z" in str(self.form), errors="coerce")
        if found.isna().any():
            raise pa.ArrowInvalid("not a date of the form")
        times = pd.DatetimeIndex(found).as_unit("us").asi8
        return times[encoded.indices.to_numpy()].view("datetime64[us]")

    def _has_form(self, value: Any) -> bool:
        """Whether a value has the form; digits as in 20240131 may be a whole number."""
        if isinstance(value, bool) or not isinstance(value, str | int):
            return False
        text = FINER_THAN_MICROSECONDS.sub("", str(value).strip())
        try:
            return datetime.strptime(text, str(self.form)).year in DATED_YEARS
        except ValueError:
            return False


def _as_date(value: Any) -> datetime | None:
    # Python reads more forms than Arrow: weeks, and days without hyphens.
    if not isinstance(value, str) or not DAY_FIRST.match(value.strip()):
        return None
    try:
        return datetime.fromisoformat(value.strip())
    except ValueError:
        return None

"""Collect what is wrong with the lines of a raw file, to report them together or to drop them."""

import re
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from seqrec.data.formats import Format
from seqrec.errors import SeqrecError

MOST_SHOWN = 10
"""Bad lines that a message lists."""
MOST_DROPPED = 0.5
"""A larger share of bad lines is a wrong format rather than a few accidents."""
WORDS_WITHOUT_QUOTES = re.compile(r"(?!(?i:null)$)[A-Za-z][A-Za-z/]*")


@dataclass(frozen=True)
class Dropped:
    """How many lines of a raw file were left out because the dataset's YAML allows it."""

    bad_lines_dropped: int = 0
    """Malformed lines."""
    missing_ids_dropped: int = 0
    """Lines without a user or an item."""


@dataclass
class BadLines:
    """The bad lines of one file; `settle` decides what follows from them."""

    path: Path
    format: Format
    unit: str = "line"
    """What the file consists of: lines, or rows."""
    malformed: int = 0
    missing: int = 0
    """Lines that lack an id and may be dropped."""
    _first: list[tuple[int, str]] = field(default_factory=list)
    """The first malformed lines, by their numbers, and what is wrong with each."""
    _wordy: int = 0
    """Lines with an id that reads like a missing value."""
    _first_wordy: str = ""
    _words: set[str] = field(default_factory=set)

    def note(self, number: int, what: str, lines: int = 1) -> None:
        """Note `what` is wrong from line `number` on; a quoted field may spread it over `lines`."""
        self.malformed += lines
        insort(self._first, (number, f"{self._place(number)}: {what}"))
        del self._first[MOST_SHOWN:]

    def note_words(self, count: int, words: set[str], first: Callable[[], tuple[int, str]]) -> None:
        """Note `count` lines with ids that read like missing values.

        `first` finds the number of the first of them, and which of its ids reads so.
        """
        if not self._wordy:
            number, which = first()
            self._first_wordy = f"{self._place(number)}: {which}"
        self._wordy += count
        self._words |= words

    def settle(self, read: int) -> Dropped:
        """Return what was dropped of a file of which `read` lines were good.

        Raises `SeqrecError` if there are bad lines that the format does not allow dropping.
        """
        may_drop = self.format.on_bad_line == "drop"
        problems = []
        if self.malformed and not may_drop:
            problems.append(self._listing())
        elif self.malformed > MOST_DROPPED * (total := self.malformed + read + self.missing):
            problems.append(
                f"{self.path}: {self.malformed:,} of {total:,} {self.unit}s are malformed, too "
                "many to drop. Correct 'format' in the dataset's YAML. The first of them:\n"
                f"  {self._first[0][1]}"
            )
        if self._wordy:
            problems.append(self._word_problem())
        if problems:
            raise SeqrecError("\n".join(problems))
        return Dropped(self.malformed, self.missing)

    def _listing(self) -> str:
        remedy = (
            "correct 'format' in the dataset's YAML, or write 'on_bad_line: drop' there to leave "
            f"such {self.unit}s out."
        )
        if len(self._first) == 1:
            return f"{self._first[0][1]}; fix or remove the {self.unit}, {remedy}"
        first = ", the first ten" if self.malformed > MOST_SHOWN else ""
        lines = "\n".join(f"  {line}" for _, line in self._first)
        return (
            f"{self.path}: {self.malformed:,} malformed {self.unit}s{first}:\n{lines}\n"
            f"Fix or remove the {self.unit}s, {remedy}"
        )

    def _word_problem(self) -> str:
        words = ", ".join(
            word if WORDS_WITHOUT_QUOTES.fullmatch(word) else f"'{word}'"
            for word in sorted(self._words)
        )
        others = self._wordy - 1
        also = f", as in {others:,} more {self.unit}{'s' * (others > 1)}" if others else ""
        return (
            f"{self._first_wordy} reads like a missing value{also}. Under 'format' in the "
            f"dataset's YAML write 'missing: [{words}]' to drop and count such {self.unit}s, or "
            "'missing: keep' if it is an id."
        )

    def _place(self, number: int) -> str:
        return f"{self.path}:{number}" if self.unit == "line" else f"{self.path}: row {number}"

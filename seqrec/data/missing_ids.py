"""Find ids that are empty or read like a missing value, and drop those that the format lists."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from seqrec.data.bad_lines import BadLines
from seqrec.data.raw_batch import RawBatch

if TYPE_CHECKING:
    import pyarrow as pa

WORDS = frozenset(
    [
        *("NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-NaN", "-nan", "NaT"),
        *("None", "null", "Null", "NULL", "nil", "\\N", "undefined"),
    ]
)
"""What R, Python, databases and spreadsheets write for nothing."""


class MissingIds:
    """Drops the interactions without an id from the batches of one file.

    Ids that read like a missing value, but that the format does not mention, are noted in `bad`.
    """

    def __init__(self, bad: BadLines) -> None:
        self.bad = bad
        listed = bad.format.missing_words
        self.listed = None if listed is None else frozenset({"", *listed})
        """Ids that stand for none; None if all must be there."""
        self.suspicious = WORDS - (self.listed or set())
        if bad.format.missing == "keep":
            self.suspicious = frozenset()

    def without(self, batch: RawBatch, line_of: Callable[[int], int]) -> RawBatch:
        """Return `batch` without the interactions that lack an id; `line_of` numbers its rows."""
        gone = np.zeros(len(batch), bool)
        for role in ("user", "item"):
            if self.listed is not None:
                gone |= _marked(batch.ids[role], self.listed)
        wordy = {role: _marked(batch.ids[role], self.suspicious) for role in ("user", "item")}
        self._note_words(batch, {role: found & ~gone for role, found in wordy.items()}, line_of)
        self.bad.missing += int(gone.sum())
        return batch.take(~gone)

    def _note_words(
        self, batch: RawBatch, marked: dict[str, np.ndarray], line_of: Callable[[int], int]
    ) -> None:
        rows = np.flatnonzero(marked["user"] | marked["item"])
        if not len(rows):
            return
        found = {
            role: {word.strip() for word in batch.ids[role].filter(where).unique().to_pylist()}
            for role, where in marked.items()
        }

        def first() -> tuple[int, str]:
            row = int(rows[0])
            role = "user" if marked["user"][row] else "item"
            return line_of(row), f"the {role} {batch.ids[role][row].as_py().strip()!r}"

        self.bad.note_words(len(rows), found["user"] | found["item"], first)


def _marked(ids: "pa.ChunkedArray", words: frozenset[str]) -> np.ndarray:
    """Mark the dictionary-encoded ids that are among `words`, as bool [interactions].

    White space around an id does not count, and an absent one is the empty word.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array(sorted(words), pa.string())
    marked = np.zeros(len(ids), bool)
    start = 0
    for chunk in ids.chunks:
        among = pc.is_in(pc.utf8_trim_whitespace(chunk.dictionary), wanted)
        part = marked[start : start + len(chunk)]
        start += len(chunk)
        absent = chunk.null_count > 0
        if pc.any(among).as_py():
            codes = chunk.indices.fill_null(0).to_numpy(zero_copy_only=False)
            part[:] = among.to_numpy(zero_copy_only=False)[codes]
        if absent:
            part[chunk.is_null().to_numpy(zero_copy_only=False)] = "" in words
    return marked

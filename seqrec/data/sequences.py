"""A log in memory: every user's items in order of time."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

HASHED_BYTES = 1 << 24
"""Bytes of an array that are hashed at a time."""

PART_INTERACTIONS = 1 << 21
"""Interactions of a part, which is computed on at a time: few enough for tens of bytes for each."""


@dataclass(frozen=True)
class Sequences:
    """Every user's items in order of time. Users count from 0, items from 1 (0 is padding)."""

    items: np.ndarray
    """int32 [interactions]: item numbers, one user after another, each user's in order of time."""
    offsets: np.ndarray
    """int64 [users + 1]: user u's items are items[offsets[u]:offsets[u + 1]]."""
    num_items: int
    times: np.ndarray | None = field(default=None, kw_only=True)
    """int64 [interactions]: when each happened, in unix seconds; None if the source has no times.

    Seconds are enough, although many files have finer times: items are already in the order of
    those, and what times are used for, splits and the gaps that models see, spans minutes to years.
    """

    @property
    def num_users(self) -> int:
        return len(self.offsets) - 1

    def history(self, user: int) -> np.ndarray:
        """Return all items of a user in order of time, as int32 [length]."""
        return self.items[self.offsets[user] : self.offsets[user + 1]]

    def parts(self) -> Iterator[tuple[slice, "Sequences"]]:
        """Cut the log into logs of successive users; yield each with its place in `items`.

        What is computed part by part takes no more memory for a longer log. A part has at most
        `PART_INTERACTIONS`, or a single user.
        """
        first = 0
        while first < self.num_users:
            start = int(self.offsets[first])
            most = start + PART_INTERACTIONS
            end = max(first, int(np.searchsorted(self.offsets, most, side="right")) - 2) + 1
            place = slice(start, int(self.offsets[end]))
            offsets = self.offsets[first : end + 1] - start
            times = None if self.times is None else self.times[place]
            yield place, Sequences(self.items[place], offsets, self.num_items, times=times)
            first = end

    def owners(self) -> np.ndarray:
        """Return whose each interaction is, int32 [interactions]."""
        return np.repeat(np.arange(self.num_users, dtype=np.int32), np.diff(self.offsets))

    def item_counts(self) -> np.ndarray:
        """Count the interactions of each item, int64 [1 + items]; item 0 is padding."""
        counts = np.zeros(self.num_items + 1, np.int64)
        for _, part in self.parts():
            counts += np.bincount(part.items, minlength=len(counts))
        return counts

    def sha256(self) -> str:
        """Return the SHA-256 of the sizes, items, offsets and, where there are any, times."""
        items, offsets, times = self.items, self.offsets, self.times
        state = hashlib.sha256()
        sizes = f"{items.dtype.str} {offsets.dtype.str} {len(items)} {self.num_items}\n"
        state.update(sizes.encode())
        for array in (items, offsets) if times is None else (items, offsets, times):
            step = HASHED_BYTES // array.itemsize
            for start in range(0, len(array), step):
                state.update(np.ascontiguousarray(array[start : start + step]).data)
        return state.hexdigest()

"""Leave-one-out: a user's last item is the test target, the one before it the validation target.

The parts are views of the log: where a history ends is a matter of arithmetic, so that even a
split of many millions of users takes no memory of its own.
"""

from dataclasses import dataclass

import numpy as np

from seqrec.data.interactions import Interactions


@dataclass(frozen=True)
class Split:
    """For every user a history, and the item that comes next, its target in evaluation."""

    items: np.ndarray
    """int32 [interactions]: the whole log's items, one user after another."""
    offsets: np.ndarray
    """int64 [users + 1]: where each user's items begin in it."""
    held_out: int
    """How many of a user's last items are not in the history."""
    num_items: int

    @property
    def num_users(self) -> int:
        return len(self.offsets) - 1

    def bounds(self, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the histories of `users` begin and end in `items`, int64 `[users]` each."""
        return self.offsets[users], self.offsets[users + 1] - self.held_out

    def lengths(self, users: np.ndarray) -> np.ndarray:
        """Items in the histories of `users`, int64 `[users]`."""
        starts, ends = self.bounds(users)
        return ends - starts

    def targets(self, users: np.ndarray) -> np.ndarray:
        """The item that follows each history, int64 `[users]`."""
        return self.items[self.bounds(users)[1]].astype(np.int64)

    def history(self, user: int) -> np.ndarray:
        """A user's history, a view."""
        return self.items[self.offsets[user] : self.offsets[user + 1] - self.held_out]


@dataclass(frozen=True)
class Splits:
    """The three parts of a log."""

    train: Split
    """All but a user's last two items."""
    validation: Split
    """The same histories; the target is the last item but one."""
    test: Split
    """All but the last item, which is the target."""


def leave_one_out(interactions: Interactions) -> Splits:
    """Split a log, in which every user has at least three items."""
    items, offsets, num_items = interactions.items, interactions.offsets, interactions.num_items
    before_both = Split(items, offsets, 2, num_items)
    return Splits(before_both, before_both, Split(items, offsets, 1, num_items))


def seen_pairs(split: Split, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole histories as pairs: (row in `users`, item number), both int64 `[interactions]`."""
    starts, ends = split.bounds(users)
    lengths = ends - starts
    row = np.repeat(np.arange(len(users)), lengths)
    first = np.cumsum(lengths) - lengths
    index = np.arange(len(row)) - first[row] + starts[row]
    return row, split.items[index].astype(np.int64)


def item_counts(split: Split) -> np.ndarray:
    """How often each item occurs in the histories, int64 `[1 + items]`; item 0 is padding."""
    counts = np.zeros(split.num_items + 1, np.int64)
    for first in range(0, split.num_users, 65_536):  # a large log never becomes memory
        users = np.arange(first, min(first + 65_536, split.num_users))
        counts += np.bincount(seen_pairs(split, users)[1], minlength=len(counts))
    return counts


def last_items(split: Split, users: np.ndarray, window: int) -> np.ndarray:
    """The last `window` items of each history, int64 `[users, longest]`, right-padded with 0."""
    starts, ends = split.bounds(users)
    starts = np.maximum(starts, ends - window)
    lengths = ends - starts
    columns = np.arange(max(1, int(lengths.max(initial=0))))
    inside = columns < lengths[:, None]
    index = np.where(inside, starts[:, None] + columns, 0)
    return np.where(inside, split.items[index], 0).astype(np.int64)

"""The leave-one-out split: which of a user's items are for training, validation and test.

A user's last item is the test target, the one before it the validation target. The parts are views
of the log: only the place where a history ends differs, so that a split of many millions of users
takes no memory of its own.
"""

from dataclasses import dataclass

import numpy as np

from seqrec.data.interactions import Interactions

USERS_AT_ONCE = 65_536
"""Users whose histories are copied at a time, so that a large log never becomes memory."""


@dataclass(frozen=True)
class Split:
    """A history for every user, and the item that comes next: its target in evaluation."""

    items: np.ndarray
    """int32 `[interactions]`: the whole log's items, one user after another, numbered from 1."""
    offsets: np.ndarray
    """int64 `[users + 1]`: where each user's items begin in it."""
    held_out: int
    """How many of a user's last items are not in the history."""
    num_items: int

    @property
    def num_users(self) -> int:
        return len(self.offsets) - 1

    def bounds(self, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where the histories of `users` begin and end in `items`, int64 `[users]` each."""
        return self.offsets[users], self.offsets[users + 1] - self.held_out

    def lengths(self, users: np.ndarray) -> np.ndarray:
        """Count the items in the histories of `users`, int64 `[users]`."""
        starts, ends = self.bounds(users)
        return ends - starts

    def targets(self, users: np.ndarray) -> np.ndarray:
        """Return the item that follows each history, int64 `[users]`."""
        return self.items[self.bounds(users)[1]].astype(np.int64)

    def history(self, user: int) -> np.ndarray:
        """Return one user's history, a view."""
        return self.items[self.offsets[user] : self.offsets[user + 1] - self.held_out]

    def pairs(self, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return whole histories as pairs: (row in `users`, item), int64 `[interactions]` each."""
        starts, ends = self.bounds(users)
        lengths = ends - starts
        row = np.repeat(np.arange(len(users)), lengths)
        first = np.cumsum(lengths) - lengths
        index = np.arange(len(row)) - first[row] + starts[row]
        return row, self.items[index].astype(np.int64)

    def last_items(self, users: np.ndarray, window: int) -> np.ndarray:
        """Return each history's last `window` items, int64 `[users, longest]`, padded with 0 on
        the right."""
        starts, ends = self.bounds(users)
        starts = np.maximum(starts, ends - window)
        lengths = ends - starts
        columns = np.arange(max(1, int(lengths.max(initial=0))))
        inside = columns < lengths[:, None]
        index = np.where(inside, starts[:, None] + columns, 0)
        return np.where(inside, self.items[index], 0).astype(np.int64)

    def item_counts(self) -> np.ndarray:
        """Count each item in the histories, int64 `[1 + items]`; item 0 is padding."""
        counts = np.zeros(self.num_items + 1, np.int64)
        for first in range(0, self.num_users, USERS_AT_ONCE):
            users = np.arange(first, min(first + USERS_AT_ONCE, self.num_users))
            counts += np.bincount(self.pairs(users)[1], minlength=len(counts))
        return counts

    def without_targets(self) -> "Split":
        """Copy the histories alone, so that code which is handed them cannot reach the targets."""
        users = np.arange(self.num_users)
        items = self.pairs(users)[1].astype(np.int32)
        offsets = np.concatenate(([0], np.cumsum(self.lengths(users))))
        return Split(items, offsets, 0, self.num_items)


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
    """Split a log in which every user has at least three items."""
    items, offsets, num_items = interactions.items, interactions.offsets, interactions.num_items
    train = Split(items, offsets, 2, num_items)
    return Splits(train, train, Split(items, offsets, 1, num_items))

"""Splits of a log: which of a user's items are for training, validation and test.

The parts are views of the log: rows of indices say where a history begins and ends, so that no item
is copied. The simplest kind, leave-one-out, is here; others have a file each.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from seqrec.data.sequences import Sequences

if TYPE_CHECKING:
    import torch

Array = TypeVar("Array", np.ndarray, "torch.Tensor")

USERS_AT_ONCE = 65_536
"""Users whose histories are copied at a time, so that a large log never becomes memory."""


@dataclass(frozen=True)
class Split:
    """Histories, one for each row, and the item that comes next: its target in evaluation.

    A row is a user, or one of a user's targets where a user is ranked for several times. What a
    model learns from always has one row for every user of the log, in order.
    """

    items: np.ndarray
    """int32 `[interactions]`: the whole log's items, one user after another, numbered from 1."""
    starts: np.ndarray
    """int64 `[rows]`: where each row's history begins in `items`."""
    ends: np.ndarray
    """int64 `[rows]`: where it ends, and its target stands."""
    num_items: int
    times: np.ndarray | None = None
    """int64 `[interactions]`: when each interaction happened, in Unix seconds; None if unknown."""
    users: np.ndarray | None = None
    """int64 `[rows]`: whose row each is, counted from 0 in the log; None if row i is user i's."""
    stops: np.ndarray | None = None
    """int64 `[rows]`: where the targets end, if they are several at once; None for one a row."""
    keeps_seen: bool = False
    """Whether the items of a history are ranked, too."""
    copies: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    """What `log_for` has copied to devices; all splits of a log share it."""

    @classmethod
    def whole(cls, log: Sequences, keeps_seen: bool = False) -> "Split":
        """Take every user's items as the history; nothing is left for a target."""
        starts, ends = log.offsets[:-1], log.offsets[1:]
        return cls(log.items, starts, ends, log.num_items, log.times, keeps_seen=keeps_seen)

    @property
    def num_users(self) -> int:
        """Number of rows, which are users unless a user has several."""
        return len(self.starts)

    def bounds(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where the histories of `rows` begin and end in `items`, int64 `[rows]` each."""
        return self.starts[rows], self.ends[rows]

    def users_of(self, rows: np.ndarray) -> np.ndarray:
        """Return whose `rows` are, counted from 0 in the log, int64 `[rows]`."""
        return rows if self.users is None else self.users[rows]

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """Count the items in the histories of `rows`, int64 `[rows]`."""
        starts, ends = self.bounds(rows)
        return ends - starts

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """Return the item that follows each history, int64 `[rows]`."""
        return self.items[self.ends[rows]].astype(np.int64)

    def target_pairs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all targets as pairs: (row in `rows`, item), int64 `[targets]` each.

        An item that comes several times among the targets of a row is one target.
        """
        if self.stops is None:
            return np.arange(len(rows)), self.targets(rows)
        row, index = _between(self.ends[rows], self.stops[rows])
        item = self.items[index].astype(np.int64)
        first = np.sort(np.unique(row * (self.num_items + 1) + item, return_index=True)[1])
        return row[first], item[first]

    def target_places(self, rows: np.ndarray) -> np.ndarray:
        """Return where the targets of `rows` stand among those of all rows, int64 `[targets]`."""
        every = np.arange(self.num_users)
        counts = np.bincount(self.target_pairs(every)[0], minlength=self.num_users)
        stops = np.cumsum(counts)
        return _between((stops - counts)[rows], stops[rows])[1]

    def target_users(self) -> np.ndarray | None:
        """Return whose each target is, int32 `[targets]`; None if each user of the log has one."""
        if self.users is None and self.stops is None:
            return None
        row = self.target_pairs(np.arange(self.num_users))[0]
        return (row if self.users is None else self.users[row]).astype(np.int32)

    def history(self, row: int) -> np.ndarray:
        """Return one row's history, a view."""
        return self.items[self.starts[row] : self.ends[row]]

    def pairs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return whole histories as pairs: (row in `rows`, item), int64 `[interactions]` each."""
        row, index = _between(*self.bounds(rows))
        return row, self.items[index].astype(np.int64)

    def indices(self, rows: np.ndarray) -> np.ndarray:
        """Return where the items of the histories of `rows` stand, int64 `[interactions]`."""
        return _between(*self.bounds(rows))[1]

    def unranked_pairs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what is left out of the rankings of `rows`, as pairs: (row in `rows`, item)."""
        return self.pairs(rows[:0] if self.keeps_seen else rows)

    def last_items(self, rows: np.ndarray, window: int) -> np.ndarray:
        """Return each history's last `window` items, int64 `[rows, longest]`, padded with 0 on
        the right."""
        return self._last(self.items, rows, window, following=0)

    def last_times(self, rows: np.ndarray, window: int, with_targets: bool) -> np.ndarray:
        """Return when each of `last_items` came and, `with_targets`, when the target does.

        Unix seconds, int64 `[rows, longest]` or `[rows, longest + 1]`, padded with 0 on the right.
        """
        if self.times is None:
            raise ValueError("the log has no times")
        return self._last(self.times, rows, window, following=int(with_targets))

    def _last(
        self, values: np.ndarray, rows: np.ndarray, window: int, following: int
    ) -> np.ndarray:
        """Return the values of each history's last `window` items and of the `following` ones."""
        starts, ends = self.bounds(rows)
        longest = int(np.minimum(ends - starts, window).max(initial=1))
        columns = np.arange(longest + following)
        return last_values(values, starts, ends, window, columns, following).astype(np.int64)

    def item_counts(self) -> np.ndarray:
        """Count each item in the histories, int64 `[1 + items]`; item 0 is padding."""
        counts = np.zeros(self.num_items + 1, np.int64)
        for first in range(0, self.num_users, USERS_AT_ONCE):
            users = np.arange(first, min(first + USERS_AT_ONCE, self.num_users))
            counts += np.bincount(self.pairs(users)[1], minlength=len(counts))
        return counts

    def without_targets(self) -> "Split":
        """Copy the histories alone, so that code which is handed them cannot reach the targets."""
        rows = np.arange(self.num_users)
        items = self.pairs(rows)[1].astype(np.int32)
        offsets = np.concatenate(([0], np.cumsum(self.lengths(rows))))
        return Split.whole(Sequences(items, offsets, self.num_items))


def last_values(
    values: Array, starts: Array, ends: Array, window: int, columns: Array, following: int = 0
) -> Array:
    """Return the last `window` of the `values` from each start to its end, and `following` more.

    `columns` `[columns]` count from 0; the result `[rows, columns]` is padded with 0 on the right.
    Arrays and tensors alike are read.
    """
    first = starts + (ends - window - starts).clip(0)
    inside = columns < (ends - first)[:, None] + following
    return values[(first[:, None] + columns) * inside] * inside


def _between(starts: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """List the numbers from each start to before its stop, with the row that each is of."""
    lengths = stops - starts
    row = np.repeat(np.arange(len(starts)), lengths)
    first = np.cumsum(lengths) - lengths
    return row, np.arange(len(row)) - first[row] + starts[row]


@dataclass(frozen=True)
class Splits:
    """The parts of a log."""

    train: Split
    """What a model learns from; a user who is not for training has an empty history."""
    validation: Split
    test: Split
    train_and_validation: Split
    """What a model learns from that is fitted without early stopping, and one that is refitted."""


def leave_one_out(log: Sequences, keeps_seen: bool = False) -> Splits:
    """Split a log in which every user has at least three items.

    A user's last item is the test target, and the one before it the validation target.
    """
    whole = Split.whole(log, keeps_seen)
    train, test = (replace(whole, ends=whole.ends - held_out) for held_out in (2, 1))
    return Splits(train, train, test, test)

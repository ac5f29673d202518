"""Leave-one-out: a user's last item is the test target, the one before it the validation target.

The parts are views of the log: where a history ends is a matter of arithmetic, so that even a
split of many millions of users takes no memory of its own.
"""

from dataclasses import dataclass

import numpy as np

from seqrec.interactions import Interactions


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

"""Leave-one-out: a user's last item is the test target, the one before it the validation target.

The parts are views: numbers of where each history begins and ends in the log, never copies of it.
"""

from dataclasses import dataclass

import numpy as np

from seqrec.interactions import Interactions


@dataclass(frozen=True)
class Split:
    """For every user a history, and for evaluation the item that comes next."""

    items: np.ndarray
    """int32 [interactions]: the whole log's items; user u's history is items[starts[u]:ends[u]]."""
    starts: np.ndarray
    """int64 [users]."""
    ends: np.ndarray
    """int64 [users]."""
    targets: np.ndarray | None
    """int32 [users]: the item to predict; None for the train part."""
    num_items: int

    @property
    def num_users(self) -> int:
        return len(self.starts)

    def history(self, user: int) -> np.ndarray:
        """A user's history, a view."""
        return self.items[self.starts[user] : self.ends[user]]


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
    items, num_items = interactions.items, interactions.num_items
    starts = np.asarray(interactions.offsets[:-1])
    ends = np.asarray(interactions.offsets[1:])
    return Splits(
        train=Split(items, starts, ends - 2, None, num_items),
        validation=Split(items, starts, ends - 2, items[ends - 2], num_items),
        test=Split(items, starts, ends - 1, items[ends - 1], num_items),
    )

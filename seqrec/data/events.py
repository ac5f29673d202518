"""Interactions as parallel arrays: the form in which they are parsed, sorted and filtered."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Events:
    """Interactions, one at each index of the arrays."""

    users: np.ndarray
    """int32 [interactions]: code of the user."""
    items: np.ndarray
    """int32 [interactions]: code of the item."""
    times: tuple[np.ndarray, ...]
    """int64, float64 or datetime64 [interactions] each, as exact as in the file: the columns of
    times, the most important first; empty if the file has none."""

    def __len__(self) -> int:
        return len(self.users)

    def take(self, chosen: np.ndarray) -> "Events":
        """Return the chosen interactions; `chosen` is a mask, or indices in the order wanted."""
        times = tuple(column[chosen] for column in self.times)
        return Events(self.users[chosen], self.items[chosen], times)


NO_EVENTS = Events(np.zeros(0, np.int32), np.zeros(0, np.int32), ())
"""In the place of those that are no longer needed, so that their memory is free."""

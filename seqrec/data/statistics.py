"""Statistics of a log: its size, and how many users and targets the protocol counts apart."""

from dataclasses import dataclass

import numpy as np

from seqrec.data.filtering import distinct, repeats


@dataclass(frozen=True)
class Statistics:
    """What a log is like, and what was left out of it."""

    users: int
    items: int
    interactions: int
    mean_length: float
    min_length: int
    max_length: int
    density: float
    """Interactions per cell of the user-item matrix."""
    repeated_interactions: int
    """Interactions of a user with an item that the user has met before."""
    repeated_validation_targets: int
    """Users whose validation item is in their history already: a miss, as seen items are
    filtered."""
    repeated_test_targets: int
    """The same for the test item."""
    unseen_validation_targets: int
    """Users whose validation item occurs in no train part."""
    unseen_test_targets: int
    """The same for the test item."""
    tied_targets: int | None
    """Users one of whose targets has the time of another item, so that the file's order decided
    between them; None where the file has no time."""
    interactions_read: int
    """Lines of the raw file."""
    duplicates_removed: int
    """Interactions dropped by the rule for repeated pairs."""
    interactions_filtered: int
    """Interactions dropped by the minimum counts."""
    users_filtered: int
    """Users dropped by the minimum counts."""
    items_filtered: int
    """Items dropped by the minimum counts."""
    users_left_out: int
    """Users left with fewer than three interactions, which cannot be split."""


def describe(
    items: np.ndarray,
    offsets: np.ndarray,
    times: np.ndarray | None,
    num_items: int,
    counts: dict[str, int],
) -> Statistics:
    """Statistics of a log; `counts` is what `select` counted."""
    lengths = np.diff(offsets)
    users = len(lengths)
    owner = np.repeat(np.arange(users, dtype=np.int32), lengths)
    before_end = np.repeat(offsets[1:], lengths)
    before_end -= np.arange(len(items))  # 1 at a user's last interaction, 2 at the one before it

    def repeated(place: int) -> int:
        """Users whose item at `place` from the end is among those before it."""
        targets = items[offsets[1:] - place]
        again = (items == np.repeat(targets, lengths)) & (before_end > place)
        return distinct(owner[again])

    def tied(times: np.ndarray, place: int) -> np.ndarray:
        """bool [interactions]: another item at the time of the user's target at `place`."""
        at = offsets[1:] - place
        same_time = times == np.repeat(times[at], lengths)
        return same_time & (items != np.repeat(items[at], lengths))

    trained = np.zeros(num_items + 1, bool)
    trained[items[before_end > 2]] = True
    return Statistics(
        users=users,
        items=num_items,
        interactions=len(items),
        mean_length=round(len(items) / users, 4),
        min_length=int(lengths.min()),
        max_length=int(lengths.max()),
        density=float(f"{len(items) / (users * num_items):.6g}"),
        repeated_interactions=int(repeats(owner, items, keep="first").sum()),
        repeated_validation_targets=repeated(2),
        repeated_test_targets=repeated(1),
        unseen_validation_targets=int((~trained[items[offsets[1:] - 2]]).sum()),
        unseen_test_targets=int((~trained[items[offsets[1:] - 1]]).sum()),
        tied_targets=None if times is None else distinct(owner[tied(times, 1) | tied(times, 2)]),
        **counts,
    )

"""Which interactions of a parsed file are kept: order, repeated pairs and minimum counts."""

import numpy as np

from seqrec.data.datasets import Filter

MIN_LENGTH = 3  # one item each to train on, to validate with and to test with


def in_order(
    users: np.ndarray, items: np.ndarray, times: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The interactions by user, then time; the file's order decides among equals."""
    if times is None:
        if np.all(users[1:] >= users[:-1]):
            return users, items, None
        order = np.argsort(users, kind="stable")
    else:
        order = np.argsort(times, kind="stable")
        order = order[np.argsort(users[order], kind="stable")]
    return users[order], items[order], None if times is None else times[order]


def select(
    users: np.ndarray, items: np.ndarray, times: np.ndarray | None, filter: Filter
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, dict[str, int]]:
    """Apply a dataset's filter, then leave out users that cannot be split; count what goes.

    `users` and `items` are codes in order of user and time, and come back so, with their times.
    """
    counts = {"interactions_read": len(users), "duplicates_removed": 0}
    if filter.duplicates != "keep":
        kept = ~repeats(users, items, keep=filter.duplicates)
        counts["duplicates_removed"] = int(len(users) - kept.sum())
        users, items, times = _taken(kept, users, items, times)

    before = len(users), distinct(users), distinct(items)
    while len(users):
        enough = _frequent_users(users, items, filter) & _frequent_items(items, filter)
        if filter.mode == "k-core":  # users left out later would take items below their minimum
            enough &= _long_enough(users)
        if enough.all():
            break
        users, items, times = _taken(enough, users, items, times)
        if filter.mode == "one-pass":
            break
    after = len(users), distinct(users), distinct(items)
    counts["interactions_filtered"] = before[0] - after[0]
    counts["users_filtered"] = before[1] - after[1]
    counts["items_filtered"] = before[2] - after[2]

    kept = _long_enough(users)
    counts["users_left_out"] = after[1] - distinct(users[kept])
    if not kept.all():
        users, items, times = _taken(kept, users, items, times)
    return users, items, times, counts


def _taken(
    kept: np.ndarray, users: np.ndarray, items: np.ndarray, times: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    return users[kept], items[kept], None if times is None else times[kept]


def _long_enough(users: np.ndarray) -> np.ndarray:
    """bool [interactions]: whether the user has enough of them to be split."""
    return np.bincount(users)[users] >= MIN_LENGTH if len(users) else np.zeros(0, bool)


def _frequent_users(users: np.ndarray, items: np.ndarray, filter: Filter) -> np.ndarray:
    """bool [interactions]: whether the user has enough of them."""
    if filter.min_interactions_per_user == 1:
        return np.ones(len(users), bool)
    counted = users
    if filter.distinct_items:
        counted = users[~repeats(users, items, keep="first")]
    return (np.bincount(counted) >= filter.min_interactions_per_user)[users]


def _frequent_items(items: np.ndarray, filter: Filter) -> np.ndarray:
    """bool [interactions]: whether the item has enough of them."""
    if filter.min_interactions_per_item == 1:
        return np.ones(len(items), bool)
    return (np.bincount(items) >= filter.min_interactions_per_item)[items]


def repeats(users: np.ndarray, items: np.ndarray, keep: str) -> np.ndarray:
    """bool [interactions]: all of a user's interactions with an item but the first (or last)."""
    if keep == "last":
        return repeats(users[::-1], items[::-1], keep="first")[::-1]
    if not len(users):
        return np.zeros(0, bool)
    # A pair as one integer: sorting those is several times faster than sorting by two keys.
    pairs = users.astype(np.int64) * (int(items.max()) + 1) + items
    order = np.argsort(pairs, kind="stable")
    repeated = np.empty(len(pairs), bool)
    ordered = pairs[order]
    repeated[order[0]] = False
    repeated[order[1:]] = ordered[1:] == ordered[:-1]
    return repeated


def distinct(codes: np.ndarray) -> int:
    return int(np.count_nonzero(np.bincount(codes))) if len(codes) else 0

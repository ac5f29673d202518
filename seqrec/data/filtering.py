"""Sort interactions, and keep those that a dataset's filter asks for."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from seqrec.data.events import Events
from seqrec.data.formats import Filter

MIN_LENGTH = 3
"""A user needs one item each for training, validation and test."""


@dataclass(frozen=True)
class Removed:
    """How many interactions were read, and how many were removed by which rule."""

    interactions_read: int
    """Without those dropped by conditions, which never become events."""
    duplicates_removed: int
    interactions_filtered: int
    users_filtered: int
    items_filtered: int
    users_left_out: int


def in_time_order(events: Events, ties: Literal["file", "item"] = "file") -> Events:
    """Sort by user, then by time; equal times by item, or they keep the order of the file."""
    keys = (*events.times, *([events.items] if ties == "item" else []))
    order = None
    for key in reversed(keys):
        key = key if order is None else key[order]
        if not _ascends(key):  # a file may well be in order of time
            by_key = np.argsort(key, kind="stable")
            order = by_key if order is None else order[by_key]
    users = events.users if order is None else events.users[order]
    if not _ascends(users):
        by_user = _by_code(users)
        order = by_user if order is None else order[by_user]
    return events if order is None else events.take(order)


def _ascends(values: np.ndarray) -> bool:
    return bool(np.all(values[1:] >= values[:-1]))


def _by_code(codes: np.ndarray) -> np.ndarray:
    """Return the stable order of codes from 0, by counting them: one step for each."""
    from scipy.sparse import csr_array

    count = len(codes)
    places = np.arange(count, dtype=np.int32 if count < 2**31 else np.int64)
    rows = csr_array((np.ones(count, bool), (codes, places)), shape=(int(codes.max()) + 1, count))
    return rows.indices


def select(events: Events, filter: Filter) -> tuple[Events, Removed]:
    """Apply `filter`, then leave out users too short to be split.

    `events` must be sorted by user and time, and stay so.
    """
    read = len(events)
    events = _without_duplicates(events, filter)
    users, items = distinct(events.users), distinct(events.items)
    duplicates = read - len(events)
    while len(events):
        enough = _frequent_users(events, filter) & _frequent_items(events.items, filter)
        if filter.mode == "k-core":  # users left out later would take items below their minimum
            enough &= _long_enough(events.users)
        if enough.all():
            break
        frequent = events.take(enough)
        # What stood between two interactions with the same item may be gone.
        events = _without_duplicates(frequent, filter)
        duplicates += len(frequent) - len(events)
        if filter.mode == "one-pass":
            break
    filtered = len(events)
    users_left, items_left = distinct(events.users), distinct(events.items)

    long_enough = _long_enough(events.users)
    if not long_enough.all():
        events = events.take(long_enough)
    return events, Removed(
        interactions_read=read,
        duplicates_removed=duplicates,
        interactions_filtered=read - duplicates - filtered,
        users_filtered=users - users_left,
        items_filtered=items - items_left,
        users_left_out=users_left - distinct(events.users),
    )


def _without_duplicates(events: Events, filter: Filter) -> Events:
    """Apply the rule for repeated pairs."""
    users, items = events.users, events.items
    if filter.duplicates == "keep" or not len(events):
        return events
    if filter.duplicates == "consecutive":
        repeated = np.zeros(len(events), bool)
        repeated[1:] = (users[1:] == users[:-1]) & (items[1:] == items[:-1])
    else:
        repeated = repeats(users, items, keep=filter.duplicates)
    return events.take(~repeated) if repeated.any() else events


def repeats(users: np.ndarray, items: np.ndarray, keep: str) -> np.ndarray:
    """Mark a user's repeated interactions with the same item, as bool [interactions].

    The first of them is not marked, or the last if `keep` is "last".
    """
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
    """Count the distinct codes."""
    return int(np.count_nonzero(np.bincount(codes))) if len(codes) else 0


def _long_enough(users: np.ndarray) -> np.ndarray:
    """Mark the interactions of users that can be split, as bool [interactions]."""
    return (np.bincount(users) >= MIN_LENGTH)[users] if len(users) else np.zeros(0, bool)


def _frequent_users(events: Events, filter: Filter) -> np.ndarray:
    """Mark the interactions of users that reach the filter's minimum, as bool [interactions]."""
    users = counted = events.users
    if filter.min_interactions_per_user == 1:
        return np.ones(len(users), bool)
    if filter.distinct_items:
        counted = users[~repeats(users, events.items, keep="first")]
    return (np.bincount(counted) >= filter.min_interactions_per_user)[users]


def _frequent_items(items: np.ndarray, filter: Filter) -> np.ndarray:
    """Mark the interactions with items that reach the filter's minimum, as bool [interactions]."""
    if filter.min_interactions_per_item == 1:
        return np.ones(len(items), bool)
    return (np.bincount(items) >= filter.min_interactions_per_item)[items]

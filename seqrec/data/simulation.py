"""Simulate interaction logs: drifting interests, long-tailed popularity, items that follow items.

The generative model: every item belongs to a genre. Within a genre, the item at popularity rank r
is drawn in proportion to r ** -tail, and so are the genres themselves. Every item has a few usual
successors, most of them of its own genre. A user starts with one genre in mind, and before each
interaction the interest may drift to a neighbouring genre. The next item is a usual successor of
the last item with probability `follow`, a usual successor of the item before that with probability
`recall`, and otherwise a draw from the genre in mind. No user meets an item twice: an item already
met is drawn again. So a user's latest items tell much about the next one, older items tell little,
and popularity tells even less.

`simulate_dataset` takes numpy alone; pydantic is imported where settings are checked.
"""

import os
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqrec.data.sequences import Sequences
from seqrec.errors import SeqrecError
from seqrec.files import replacing
from seqrec.layout import CONFIG_FILES, ConfigFiles

if TYPE_CHECKING:
    from seqrec.data.datasets import Simulation

SUCCESSOR_WEIGHTS = np.array([0.65, 0.25, 0.1])
"""Probabilities of an item's usual successors."""
SUCCESSORS = len(SUCCESSOR_WEIGHTS)
SUCCESSOR_IN_GENRE = 0.8
"""Probability that a usual successor is of the item's own genre."""
NEIGHBOURS = 3
"""Genres that an interest may drift to."""
LENGTH_SPREAD = 1.0
"""Sigma of the lognormal distribution of lengths beyond the minimum."""
DRAWS = 6
"""Attempts to draw an item that the user has not met; then one of those left is taken."""
BATCH_CELLS = 1 << 26
"""Users x items whose meetings are held in memory at once."""
LINES_AT_ONCE = 1 << 21
INTERACTION_BYTES, USER_BYTES, ITEM_BYTES = 32, 120, 200
"""Memory that a simulation takes for each, at its peak."""


def simulate(**settings: Any) -> Sequences:
    """Simulate a log by settings given as keywords, see `seqrec.data.datasets.Simulation`."""
    from seqrec.data.datasets import Simulation
    from seqrec.typed_yaml import check_values

    return simulate_dataset(check_values(Simulation, settings, "simulate"))


def simulate_like(name: str, seed: int = 0, config: ConfigFiles | None = None) -> Sequences:
    """Simulate a log with as many users, items and interactions as a dataset in the registry."""
    return simulate_dataset(settings_like(name, seed, config))


def settings_like(name: str, seed: int = 0, config: ConfigFiles | None = None) -> "Simulation":
    """Return settings that simulate a log of the size of a dataset in the registry."""
    from seqrec.data.datasets import Simulation, load_dataset
    from seqrec.typed_yaml import check_values

    config = config or CONFIG_FILES
    dataset = load_dataset(name, config)
    if dataset.simulate is not None:
        return dataset.simulate.model_copy(update={"seed": seed})
    size = dataset.expected
    if size is None:
        raise SeqrecError(
            f"{config.dataset(name)}: does not say how large the dataset is. Add 'expected' with "
            "users, items, interactions and min_length to simulate one like it."
        )
    mean_length = size.interactions / size.users
    settings = {
        "users": size.users,
        "items": size.items,
        "mean_length": mean_length,
        "min_length": size.min_length,
        "max_length": max(ceil(mean_length), min(size.items // 2, int(50 * mean_length))),
        "seed": seed,
        # Tuned to ml-1m and beauty, where a tenth of the items has 42% and 54% of the interactions.
        "genres": min(size.items, max(20, round(size.items**0.5 / 2))),
        "tail": 1.0,
    }
    return check_values(Simulation, settings, f"simulate like {name}")


def simulate_dataset(settings: "Simulation") -> Sequences:
    """Simulate the log that `settings` describe, of round(users * mean_length) interactions.

    Every item occurs at least once. Raises `SeqrecError` if that needs more memory than there is.
    """
    _require_memory(settings)
    rng = np.random.default_rng(settings.seed)
    lengths = _lengths(settings, rng)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    world = _World(settings, rng)
    items = np.empty(offsets[-1], np.int32)
    # Users of similar length together: a batch takes as many steps as its longest user has items.
    by_length = np.argsort(lengths, kind="stable")[::-1]
    size = max(1, BATCH_CELLS // settings.items)
    for start in range(0, settings.users, size):
        batch = by_length[start : start + size]
        _walk(items, offsets[batch], lengths[batch], world)
    _place_missing(items, settings.items, rng)
    return Sequences(items + np.int32(1), offsets, settings.items)


def _require_memory(settings: "Simulation") -> None:
    """Raise `SeqrecError` if the simulation needs more memory than is free."""
    interactions = round(settings.users * settings.mean_length)
    needed = (
        BATCH_CELLS
        + interactions * INTERACTION_BYTES
        + settings.users * USER_BYTES
        + settings.items * ITEM_BYTES
    )
    if needed > (free := _free_memory()):
        raise SeqrecError(
            f"simulate: {settings.users:,} users with {settings.mean_length:,g} interactions each, "
            f"{interactions:,} in all, and {settings.items:,} items need about "
            f"{needed / 2**30:,.0f} GiB of memory; {free / 2**30:,.0f} GiB are free. "
            "Choose fewer users, fewer items or a smaller mean_length."
        )


def _free_memory() -> float:
    """Return the bytes that this process may still take, as far as the system tells them."""
    limits = [float("inf")]
    with suppress(OSError, ValueError, IndexError):
        meminfo = Path("/proc/meminfo").read_text(encoding="utf-8")
        limits.append(int(meminfo.partition("MemAvailable:")[2].split()[0]) * 1024)
    with suppress(OSError, ValueError):  # a container's limit; without one, the file says "max"
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="utf-8")))
    with suppress(OSError, ValueError):  # other systems than Linux
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(limits)


def write_text_log(path: Path, log: Sequences) -> None:
    """Write a log as `user item` lines; users are numbered from 1."""
    import pyarrow as pa
    from pyarrow import csv

    users = np.repeat(np.arange(1, log.num_users + 1, dtype=np.int32), np.diff(log.offsets))
    schema = pa.schema([("user", pa.int32()), ("item", pa.int32())])
    options = csv.WriteOptions(include_header=False, delimiter=" ")
    with replacing(path) as part, csv.CSVWriter(part, schema, write_options=options) as writer:
        for start in range(0, len(users), LINES_AT_ONCE):
            lines = slice(start, start + LINES_AT_ONCE)
            writer.write_table(
                pa.table([users[lines], log.items[lines].astype(np.int32)], schema=schema)
            )


class _World:
    """Items, genres and usual successors: everything that users have in common."""

    def __init__(self, settings: "Simulation", rng: np.random.Generator) -> None:
        items, genres, tail = settings.items, settings.genres, settings.tail
        self.settings = settings
        self.rng = rng
        # An item's number must not reveal its popularity, so items are shuffled. The members of
        # genre g are members[first[g]:first[g + 1]], the most popular first.
        self.members = rng.permutation(items).astype(np.int32)
        self.first = np.linspace(0, items, genres + 1).astype(np.int64)
        sizes = np.diff(self.first)
        genre_at = np.repeat(np.arange(genres), sizes)
        rank = np.arange(items) - self.first[genre_at]
        weights = (rank + 1.0) ** -tail
        # One increasing array for all genres: g's cumulated popularity runs from g to g + 1.
        cumulated = np.cumsum(weights)
        ends = np.concatenate(([0], cumulated[self.first[1:] - 1]))
        self.line = genre_at + (cumulated - ends[genre_at]) / np.diff(ends)[genre_at]
        self.genre_line = np.cumsum(np.arange(1.0, genres + 1) ** -tail)
        self.genre_line /= self.genre_line[-1]
        self.neighbours = rng.integers(genres, size=(genres, NEIGHBOURS))

        genre_of = np.empty(items, np.int64)
        genre_of[self.members] = genre_at
        self.genre_of = genre_of
        where = np.repeat(genre_of[:, None], SUCCESSORS, axis=1)
        elsewhere = rng.random(where.shape) >= SUCCESSOR_IN_GENRE
        beside = self.neighbours[where, rng.integers(NEIGHBOURS, size=where.shape)]
        where = np.where(elsewhere, beside, where)
        # Uniform among the members, so that a usual successor is often an unpopular item.
        position = self.first[where] + (rng.random(where.shape) * sizes[where]).astype(np.int64)
        self.successors = self.members[position]
        self.successor_line = np.cumsum(SUCCESSOR_WEIGHTS)[:-1]

    def draw_genres(self, count: int) -> np.ndarray:
        """Draw `count` genres by popularity."""
        drawn = np.searchsorted(self.genre_line, self.rng.random(count), side="right")
        return np.minimum(drawn, self.settings.genres - 1)

    def draw_neighbours(self, genre: np.ndarray) -> np.ndarray:
        """Draw a neighbour of each given genre."""
        return self.neighbours[genre, self.rng.integers(NEIGHBOURS, size=len(genre))]

    def draw_items(self, genre: np.ndarray) -> np.ndarray:
        """Draw an item of each given genre by popularity."""
        position = np.searchsorted(self.line, genre + self.rng.random(len(genre)), side="right")
        return self.members[np.minimum(position, self.first[genre + 1] - 1)]

    def draw_successors(self, item: np.ndarray) -> np.ndarray:
        """Draw a usual successor of each given item."""
        which = np.searchsorted(self.successor_line, self.rng.random(len(item)), side="right")
        return self.successors[item, which]


def _lengths(settings: "Simulation", rng: np.random.Generator) -> np.ndarray:
    """Draw right-skewed lengths, int64 [users], with exactly the sum and minimum asked for."""
    users, shortest = settings.users, settings.min_length
    room = settings.max_length - shortest
    spare = round(users * settings.mean_length) - users * shortest
    weights = rng.lognormal(sigma=LENGTH_SPREAD, size=users)
    weights[rng.integers(users)] = 0.0  # at least one user has the minimum
    extra = np.zeros(users)
    # Rescale until the sum fits, because no length may exceed the room.
    scale = spare / max(weights.sum(), 1e-9)
    for _ in range(50):
        extra = np.minimum(weights * scale, room)
        scale *= spare / max(extra.sum(), 1e-9)
    lengths = np.floor(extra).astype(np.int64)
    while (missing := spare - int(lengths.sum())) != 0:
        step = 1 if missing > 0 else -1
        able = np.flatnonzero(lengths < room if step > 0 else lengths > 0)
        able = able[weights[able] > 0] if np.any(weights[able] > 0) else able
        lengths[rng.choice(able, min(abs(missing), len(able)), replace=False)] += step
    return lengths + shortest


def _walk(log: np.ndarray, begins: np.ndarray, lengths: np.ndarray, world: _World) -> None:
    """Write the items of some users into `log`, one step for all of them at a time.

    `begins` says where in `log` each user's items start; `lengths` are in descending order.
    """
    rng, users = world.rng, len(begins)
    follow, recall = world.settings.follow, world.settings.recall
    met = np.zeros((users, world.settings.items), bool)
    genre = world.draw_genres(users)
    last = before = np.full(users, -1, np.int32)
    active_at = np.searchsorted(-lengths, -np.arange(lengths[0]), side="left")
    for step in range(int(lengths[0])):
        active = int(active_at[step])
        genre, last, before = genre[:active], last[:active], before[:active]
        moves = np.flatnonzero(rng.random(active) < world.settings.drift)
        genre = genre.copy()
        genre[moves] = world.draw_neighbours(genre[moves])

        item = np.empty(active, np.int32)
        todo = np.arange(active)
        for attempt in range(DRAWS):
            # Turn to other genres after some attempts: this one may be used up.
            mind = genre[todo] if attempt < DRAWS - 2 else world.draw_genres(len(todo))
            choice = world.draw_items(mind)
            if step > 0:
                kind = rng.random(len(todo))
                follows = np.flatnonzero(kind < follow)
                choice[follows] = world.draw_successors(last[todo[follows]])
            if step > 1:
                recalls = np.flatnonzero((kind >= follow) & (kind < follow + recall))
                choice[recalls] = world.draw_successors(before[todo[recalls]])
            item[todo] = choice
            todo = todo[met[todo, choice]]
            if not len(todo):
                break
        for user in todo:
            item[user] = rng.choice(np.flatnonzero(~met[user]))
        met[np.arange(active), item] = True
        log[begins[:active] + step] = item
        before, last = last, item


def _place_missing(log: np.ndarray, items: int, rng: np.random.Generator) -> None:
    """Put items that were never drawn in the place of repeated occurrences of others."""
    missing = np.flatnonzero(np.bincount(log, minlength=items) == 0)
    if not len(missing):
        return
    again = np.ones(len(log), bool)
    again[np.unique(log, return_index=True)[1]] = False
    log[rng.choice(np.flatnonzero(again), len(missing), replace=False)] = missing

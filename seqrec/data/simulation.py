"""Simulate interaction logs: drifting interests, long-tailed popularity, items that follow items.

The model behind it. Every item belongs to a genre; in a genre, the item at popularity rank r is
drawn in proportion to r ** -tail, and so are the genres among each other. Every item has a few
usual successors, most of them in its own genre. A user starts with one genre in mind; before each
interaction the interest may drift to a neighbouring genre. The next item is, with probability
`follow`, a usual successor of the last item, with probability `recall` one of the item before
that, else a draw from the genre in mind. No user meets an item twice: a draw already met is drawn
again. So what a user did lately says much about what comes next, what the user did long ago says
little, and popularity less.
"""

from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from seqrec.data.datasets import FOLDER, Simulation, load_dataset
from seqrec.errors import SeqrecError
from seqrec.files import replacing
from seqrec.typed_yaml import check_values

SUCCESSORS = 3


SUCCESSOR_WEIGHTS = np.array([0.65, 0.25, 0.1])


SUCCESSOR_IN_GENRE = 0.8


NEIGHBOURS = 3


LENGTH_SPREAD = 1.0  # sigma of the lognormal by which lengths exceed the minimum


DRAWS = 6


BATCH_CELLS = 1 << 26  # users x items that are marked as met or not at one time


LINES_AT_ONCE = 1 << 21


def simulate(**settings: Any) -> tuple[np.ndarray, np.ndarray]:
    """A log by settings given as keywords; `seqrec.datasets.Simulation` lists them."""
    return simulate_dataset(check_values(Simulation, settings, "simulate"))


def simulate_like(name: str, seed: int = 0, folder: Path = FOLDER) -> tuple[np.ndarray, np.ndarray]:
    """A log with the users, items, interactions and shortest user of a dataset in the registry."""
    return simulate_dataset(settings_like(name, seed, folder))


def settings_like(name: str, seed: int = 0, folder: Path = FOLDER) -> Simulation:
    """The settings of a log of the size of a dataset in the registry."""
    dataset = load_dataset(name, folder)
    if dataset.simulate is not None:
        return dataset.simulate.model_copy(update={"seed": seed})
    size = dataset.expected
    if size is None:
        raise SeqrecError(
            f"{folder / name}.yaml: says nothing of the dataset's size. Add 'expected' with users, "
            "items, interactions and min_length to simulate one like it."
        )
    mean_length = size.interactions / size.users
    settings = {
        "users": size.users,
        "items": size.items,
        "mean_length": mean_length,
        "min_length": size.min_length,
        "max_length": max(ceil(mean_length), min(size.items // 2, int(50 * mean_length))),
        "seed": seed,
        # Tuned to ml-1m and beauty: a tenth of the items takes 42% and 54% of the interactions.
        "genres": min(size.items, max(20, round(size.items**0.5 / 2))),
        "tail": 1.0,
    }
    return check_values(Simulation, settings, f"simulate like {name}")


def simulate_dataset(settings: Simulation) -> tuple[np.ndarray, np.ndarray]:
    """The log that `settings` describe: round(users * mean_length) interactions.

    Returns items, int32 [interactions], numbers from 1 of which each occurs, and offsets,
    int64 [users + 1], as in `seqrec.interactions`.
    """
    rng = np.random.default_rng(settings.seed)
    lengths = _lengths(settings, rng)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    world = _World(settings, rng)
    log = np.empty(offsets[-1], np.int32)
    # Users of like length together: a batch then takes as many steps as its users have items.
    by_length = np.argsort(lengths, kind="stable")[::-1]
    size = max(1, BATCH_CELLS // settings.items)
    for start in range(0, settings.users, size):
        batch = by_length[start : start + size]
        _walk(log, offsets[batch], lengths[batch], world, settings, rng)
    _place_missing(log, settings.items, rng)
    return log + np.int32(1), offsets


def write_text_log(path: Path, items: np.ndarray, offsets: np.ndarray) -> None:
    """Write a log as `user item` lines, users numbered from 1."""
    import pyarrow as pa
    from pyarrow import csv

    users = np.repeat(np.arange(1, len(offsets), dtype=np.int32), np.diff(offsets))
    schema = pa.schema([("user", pa.int32()), ("item", pa.int32())])
    options = csv.WriteOptions(include_header=False, delimiter=" ")
    with replacing(path) as part, csv.CSVWriter(part, schema, write_options=options) as writer:
        for start in range(0, len(items), LINES_AT_ONCE):
            lines = slice(start, start + LINES_AT_ONCE)
            writer.write_table(
                pa.table([users[lines], items[lines].astype(np.int32)], schema=schema)
            )


class _World:
    """Items, genres and what usually follows what: all that users have in common."""

    def __init__(self, settings: Simulation, rng: np.random.Generator) -> None:
        items, genres, tail = settings.items, settings.genres, settings.tail
        # Popularity must not be told by the number: items are dealt out in random order, and
        # members[first[g]:first[g + 1]] are genre g's, the most popular one first.
        self.items = items
        self.genres = genres
        self.members = rng.permutation(items).astype(np.int32)
        self.first = np.linspace(0, items, genres + 1).astype(np.int64)
        sizes = np.diff(self.first)
        genre_at = np.repeat(np.arange(genres), sizes)
        rank = np.arange(items) - self.first[genre_at]
        weights = (rank + 1.0) ** -tail
        # One increasing line for all genres: genre g's cumulated popularity runs from g to g + 1.
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
        # Uniformly among the members: what follows is often something little known.
        position = self.first[where] + (rng.random(where.shape) * sizes[where]).astype(np.int64)
        self.successors = self.members[position]
        self.successor_line = np.cumsum(SUCCESSOR_WEIGHTS)[:-1]

    def draw_genres(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Genres by popularity."""
        drawn = np.searchsorted(self.genre_line, rng.random(count), side="right")
        return np.minimum(drawn, self.genres - 1)

    def draw_items(self, genre: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """An item of each given genre, by popularity."""
        position = np.searchsorted(self.line, genre + rng.random(len(genre)), side="right")
        return self.members[np.minimum(position, self.first[genre + 1] - 1)]

    def draw_successors(self, item: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A usual successor of each given item."""
        which = np.searchsorted(self.successor_line, rng.random(len(item)), side="right")
        return self.successors[item, which]


def _lengths(settings: Simulation, rng: np.random.Generator) -> np.ndarray:
    """Right-skewed lengths, int64 [users], with exactly the sum and the minimum asked for."""
    users, shortest = settings.users, settings.min_length
    room = settings.max_length - shortest
    spare = round(users * settings.mean_length) - users * shortest
    weights = rng.lognormal(sigma=LENGTH_SPREAD, size=users)
    weights[rng.integers(users)] = 0.0  # someone is the shortest
    extra = np.zeros(users)
    # Scale until the sum fits although nobody may exceed the room.
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


def _walk(
    log: np.ndarray,
    begins: np.ndarray,
    lengths: np.ndarray,
    world: _World,
    settings: Simulation,
    rng: np.random.Generator,
) -> None:
    """Write into `log` the items of some users, sorted by falling length, all at one pace."""
    users, follow, recall = len(begins), settings.follow, settings.recall
    met = np.zeros((users, world.items), bool)
    genre = world.draw_genres(users, rng)
    last = before = np.full(users, -1, np.int32)
    active_at = np.searchsorted(-lengths, -np.arange(lengths[0]), side="left")
    for step in range(int(lengths[0])):
        active = int(active_at[step])
        genre, last, before = genre[:active], last[:active], before[:active]
        moves = np.flatnonzero(rng.random(active) < settings.drift)
        genre = genre.copy()
        genre[moves] = world.neighbours[genre[moves], rng.integers(NEIGHBOURS, size=len(moves))]

        item = np.empty(active, np.int32)
        todo = np.arange(active)
        for attempt in range(DRAWS):
            # After some tries in vain another genre is as good: this one may be used up.
            mind = genre[todo] if attempt < DRAWS - 2 else world.draw_genres(len(todo), rng)
            choice = world.draw_items(mind, rng)
            if step > 0:
                kind = rng.random(len(todo))
                follows = np.flatnonzero(kind < follow)
                choice[follows] = world.draw_successors(last[todo[follows]], rng)
            if step > 1:
                recalls = np.flatnonzero((kind >= follow) & (kind < follow + recall))
                choice[recalls] = world.draw_successors(before[todo[recalls]], rng)
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
    """Let items that were never drawn take the place of some that occur more than once."""
    missing = np.flatnonzero(np.bincount(log, minlength=items) == 0)
    if not len(missing):
        return
    again = np.ones(len(log), bool)
    again[np.unique(log, return_index=True)[1]] = False
    log[rng.choice(np.flatnonzero(again), len(missing), replace=False)] = missing

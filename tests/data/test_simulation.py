"""The simulator: exact sizes, long tails, and an order that matters."""

import re
from pathlib import Path

import numpy as np
import pytest

from seqrec.data.datasets import Simulation, load_dataset
from seqrec.data.parsing import parse
from seqrec.data.sequences import Sequences
from seqrec.data.simulation import (
    settings_like,
    simulate,
    simulate_dataset,
    simulate_like,
    write_text_log,
)
from seqrec.errors import SeqrecError
from seqrec.experiment.grid import load_experiment
from seqrec.layout import ConfigFiles

REGISTRY = ConfigFiles(Path(__file__).parents[2] / "config")


def demo(seed: int | None = None) -> Sequences:
    settings = load_dataset("demo", REGISTRY).simulate
    assert settings is not None
    return simulate_dataset(
        settings if seed is None else settings.model_copy(update={"seed": seed})
    )


def repeats(log: Sequences) -> int:
    users = np.repeat(np.arange(log.num_users), np.diff(log.offsets))
    return len(users) - len(np.unique(users * (log.num_items + 1) + log.items))


def test_the_same_seed_gives_the_same_log_and_another_seed_another() -> None:
    assert demo().sha256() == demo().sha256()
    assert not np.array_equal(demo(1).items, demo(2).items)


@pytest.mark.parametrize("seed", range(3))
def test_the_log_has_the_requested_size_and_every_item_but_none_twice_for_a_user(seed: int) -> None:
    log = simulate(users=300, items=200, mean_length=12.5, min_length=4, max_length=60, seed=seed)
    lengths = np.diff(log.offsets)
    assert (log.num_users, log.num_items) == (300, 200)
    assert len(lengths) == 300
    assert len(log.items) == 3750
    assert lengths.min() == 4
    assert lengths.max() <= 60
    assert np.array_equal(np.unique(log.items), np.arange(1, 201))
    assert repeats(log) == 0
    assert log.items.dtype == np.int32
    assert log.offsets.dtype == np.int64


@pytest.mark.parametrize(
    "settings",
    [
        {"users": 1, "items": 3, "mean_length": 3, "min_length": 3, "max_length": 3, "genres": 1},
        {"users": 5, "items": 10, "mean_length": 10, "max_length": 10, "genres": 10},
        {"users": 40, "items": 30, "mean_length": 29, "min_length": 3, "max_length": 30},
    ],
)
def test_users_may_meet_every_item(settings: dict[str, float]) -> None:
    log = simulate(**settings)
    assert len(log.items) == round(settings["users"] * settings["mean_length"])
    assert repeats(log) == 0


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(SeqrecError, match="max_length must not exceed items"):
        simulate(users=5, items=10, mean_length=8, max_length=11, genres=2)
    with pytest.raises(SeqrecError, match="unknown key 'drft'; did you mean 'drift'"):
        simulate(users=5, items=10, mean_length=8, max_length=9, drft=0.5)


@pytest.mark.parametrize(
    ("sizes", "interactions"),
    [
        ({"users": 50_000_000, "items": 1_000_000, "mean_length": 1e6}, "50,000,000,000,000"),
        ({"users": 50_000_000, "items": 50_000_000, "mean_length": 9e4}, "4,500,000,000,000"),
    ],
)
def test_a_simulation_too_large_for_the_machine_is_refused_with_its_size(
    sizes: dict[str, float], interactions: str
) -> None:
    with pytest.raises(SeqrecError) as error:
        simulate(max_length=sizes["items"], **sizes)
    assert f"{interactions} in all" in str(error.value)
    assert re.search(r"need about [\d,]{7,} GiB of memory; [\d,]+ GiB are free", str(error.value))


@pytest.mark.parametrize(("name", "minimum"), [("ml-1m", 18), ("beauty", 5)])
def test_a_log_like_a_real_one_has_its_size_and_its_long_tail(name: str, minimum: int) -> None:
    expected = load_dataset(name, REGISTRY).expected
    assert expected is not None
    log = simulate_like(name, seed=3, config=REGISTRY)
    counts = np.bincount(log.items)[1:]
    lengths = np.diff(log.offsets)
    assert (len(lengths), len(counts), len(log.items)) == (
        expected.users,
        expected.items,
        expected.interactions,
    )
    assert lengths.min() == minimum == expected.min_length
    assert np.median(lengths) < lengths.mean()
    assert counts.min() >= 1
    tenth = np.sort(counts)[::-1][: len(counts) // 10].sum()
    assert tenth > 0.3 * len(log.items)


def test_a_dataset_of_unknown_size_cannot_be_imitated(tmp_path: Path) -> None:
    registry = ConfigFiles(tmp_path)
    registry.dataset("own").parent.mkdir()
    registry.dataset("own").write_text("title: Own\nmax_length: 9\nsources: [{file: a}]\n")
    with pytest.raises(SeqrecError, match="Add 'expected'"):
        simulate_like("own", config=registry)


def test_a_written_log_is_read_back(tmp_path: Path) -> None:
    log = demo()
    write_text_log(tmp_path / "log.txt", log)
    read = parse(tmp_path / "log.txt", load_dataset("demo", REGISTRY).format)
    assert np.array_equal(read.item_ids.to_numpy()[read.events.items], log.items)
    users = np.repeat(np.arange(1, log.num_users + 1), np.diff(log.offsets))
    assert np.array_equal(read.user_ids.to_numpy()[read.events.users], users)
    first = b"1 %d\n1 %d\n" % tuple(log.items[:2])
    assert (tmp_path / "log.txt").read_bytes().startswith(first)


# --- order matters --------------------------------------------------------------------------------


class Oracles:
    """NDCG@10 of simple recommenders that rank all items for each user's last one."""

    def __init__(self, log: Sequences) -> None:
        items, offsets = log.items - 1, log.offsets
        users, count = log.num_users, log.num_items
        last = offsets[1:] - 1
        owner = np.repeat(np.arange(users), np.diff(offsets))
        known = np.ones(len(items), bool)
        known[last] = False
        self.targets = items[last]
        self.seen = np.zeros((users, count))
        self.seen[owner[known], items[known]] = 1
        self.popularity = self.seen.sum(axis=0)
        self.latest = items[last - 1]
        follower = np.flatnonzero(known[1:] & (owner[1:] == owner[:-1])) + 1
        self.transitions = np.zeros((count, count))
        np.add.at(self.transitions, (items[follower - 1], items[follower]), 1)

    def ndcg(self, scores: np.ndarray) -> float:
        scores = np.where(self.seen > 0, -np.inf, scores)
        own = np.take_along_axis(scores, self.targets[:, None], axis=1)
        ranks = (scores >= own).sum(axis=1)
        return float(np.where(ranks <= 10, 1 / np.log2(ranks + 1.0), 0).mean())

    def by_popularity(self) -> float:
        return self.ndcg(np.broadcast_to(self.popularity, self.seen.shape))

    def by_cooccurrence(self) -> float:
        together = self.seen.T @ self.seen
        np.fill_diagonal(together, 0)
        norm = np.sqrt(np.outer(self.popularity, self.popularity))
        return self.ndcg(self.seen @ (together / np.maximum(norm, 1)))

    def by_last_item(self) -> float:
        share = self.transitions / (self.transitions.sum(axis=1, keepdims=True) + 5)
        return self.ndcg(share[self.latest] + 1e-3 * self.popularity / self.popularity.sum())


@pytest.mark.parametrize("seed", [None, 1])
def test_in_the_demo_order_tells_much_more_than_taste_and_taste_more_than_popularity(
    seed: int | None,
) -> None:
    oracles = Oracles(demo(seed))
    popularity, taste = oracles.by_popularity(), oracles.by_cooccurrence()
    assert taste > 2 * popularity
    assert oracles.by_last_item() > 2 * taste
    assert oracles.by_last_item() < 0.6  # there is something left to get wrong


def test_the_last_item_tells_much_because_items_follow_one_another() -> None:
    settings = load_dataset("demo", REGISTRY).simulate
    assert settings is not None
    still = Simulation.model_validate({**settings.model_dump(), "follow": 0, "recall": 0})
    without = Oracles(simulate_dataset(still)).by_last_item()
    assert without < 0.7 * Oracles(demo()).by_last_item()


@pytest.mark.parametrize("name", ["ml-20m", "steam", "yelp"])
def test_stand_ins_have_the_sizes_and_models_of_the_datasets_they_replace(name: str) -> None:
    stand_in = load_dataset(f"like-{name}", REGISTRY)
    original = load_dataset(name, REGISTRY)
    assert stand_in.simulate == settings_like(name, config=REGISTRY)
    assert stand_in.max_length == original.max_length
    ours = {
        run.model: run.hyperparameters
        for run in load_experiment("standins", config=REGISTRY.folder).runs
        if run.dataset == f"like-{name}" and run.model != "bpr-mf"
    }
    theirs = {
        run.model: run.hyperparameters
        for run in load_experiment("paper", config=REGISTRY.folder).runs
        if run.dataset == name and run.model != "bpr-mf"
    }
    assert ours == theirs

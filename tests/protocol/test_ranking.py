"""Full ranking does what a slow loop over users does, and gives nothing away."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_runs import NETWORKS, log_of, simulated_log
from torch import Tensor

from seqrec.errors import SeqrecError
from seqrec.experiment.implementations import import_model
from seqrec.models import MaskedItem, Network, NextItem
from seqrec.protocol.metrics import LIST_LENGTH, metrics_from_ranks
from seqrec.protocol.ranking import (
    MISS,
    rank_and_recommend,
    rank_users,
    require_finite,
)
from seqrec.protocol.sampled import Draw, rank_among_sampled
from seqrec.protocol.splits import Split, leave_one_out
from seqrec.training.scoring import network_scorer

ITEMS = 9
CPU = torch.device("cpu")

users_histories = st.lists(
    st.lists(st.integers(1, ITEMS), min_size=3, max_size=8), min_size=1, max_size=6
)
# Few distinct scores, so that ties are common.
score_rows = st.lists(st.integers(-2, 2), min_size=ITEMS, max_size=ITEMS)


def table_scorer(table: np.ndarray) -> Callable[[np.ndarray], Tensor]:
    """The same scores each time a user is asked for; a copy, as ranking overwrites."""
    return lambda users: torch.from_numpy(table[users].astype(np.float32))


def slow_rank(scores: Sequence[float], history: Sequence[int], target: int, items: int) -> int:
    """One user: 1 + the unseen items that score as much as the target or more."""
    if target in history:
        return MISS
    rank = 1
    for item in range(1, items + 1):
        if item != target and item not in history and scores[item - 1] >= scores[target - 1]:
            rank += 1
    return rank


@given(users_histories, st.data(), st.integers(1, 7), st.sampled_from(["validation", "test"]))
def test_ranks_are_those_of_a_slow_loop_over_users(
    users: list[list[int]], data: st.DataObject, batch_size: int, part: str
) -> None:
    table = np.array([data.draw(score_rows) for _ in users])
    chosen = np.array(data.draw(st.permutations(range(len(users)))))
    split = getattr(leave_one_out(log_of(users, ITEMS)), part)
    ranks = rank_users(table_scorer(table), split, chosen, batch_size)
    held_out = 2 if part == "validation" else 1
    expected = [
        slow_rank(table[user], users[user][:-held_out], users[user][-held_out], ITEMS)
        for user in chosen
    ]
    assert ranks.tolist() == expected
    assert ranks.dtype == np.int32


def slow_list(scores: Sequence[float], history: Sequence[int], target: int) -> list[int]:
    """One user: the best unseen items; of equal ones the target last, then by their number."""
    unseen = set(range(1, len(scores) + 1)) - set(history)
    return sorted(unseen, key=lambda item: (-scores[item - 1], item == target, item))[:LIST_LENGTH]


@given(st.data(), st.sampled_from([3, 9, 10, 11, 12, 25, 150]), st.integers(1, 7))
def test_an_item_is_counted_for_each_user_who_finds_it_among_the_best_unseen_ones(
    data: st.DataObject, items: int, batch_size: int
) -> None:
    histories = st.lists(st.integers(1, items), min_size=3, max_size=8)
    users = data.draw(st.lists(histories, min_size=1, max_size=6))
    values = data.draw(st.sampled_from([2, 5, 10_000]))  # ties are the rule, or few
    seed = data.draw(st.integers(0, 10_000))
    table = np.random.default_rng(seed).integers(-values, values, size=(len(users), items))
    split = leave_one_out(log_of(users, items)).test
    ranks, counts = rank_and_recommend(table_scorer(table), split, batch_size)
    lists = [
        slow_list(scores.tolist(), user[:-1], user[-1])
        for scores, user in zip(table, users, strict=True)
    ]
    expected = np.bincount(np.concatenate(lists).astype(int), minlength=items + 1)[1:]
    assert counts.tolist() == expected.tolist()
    assert counts.dtype == np.int64
    unseen = [items - len(set(user[:-1])) for user in users]
    assert counts.sum() == sum(min(LIST_LENGTH, number) for number in unseen)
    # A hit is a target that is recommended.
    hits = [user[-1] in best for user, best in zip(users, lists, strict=True)]
    assert (ranks <= LIST_LENGTH).tolist() == hits
    assert np.array_equal(
        ranks, rank_users(table_scorer(table), split, np.arange(len(users)), batch_size)
    )


@pytest.mark.parametrize("fits", [1, 3, 100])
def test_too_little_memory_for_a_batch_is_met_by_a_smaller_one(fits: int) -> None:
    log = simulated_log(items=200)
    split = leave_one_out(log).test
    everyone = np.arange(split.num_users)
    table = np.random.default_rng(0).normal(size=(split.num_users, 200))
    asked = []

    def limited(users: np.ndarray) -> Tensor:
        asked.append(len(users))
        if len(users) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return table_scorer(table)(users)

    found = rank_users(limited, split, everyone, 64)
    assert np.array_equal(found, rank_users(table_scorer(table), split, everyone, 64))
    for one, other in zip(
        rank_and_recommend(limited, split, 64),
        rank_and_recommend(table_scorer(table), split, 64),
        strict=True,
    ):
        assert np.array_equal(one, other)
    # It is not tried again and again.
    assert sum(size > fits for size in asked) <= 12
    uniform = np.ones(200)
    sampled = [
        rank_among_sampled(scorer, split, Draw(uniform, 5, np.random.default_rng(1)), 64)
        for scorer in (limited, table_scorer(table))
    ]
    assert np.array_equal(*sampled)


def test_too_little_memory_for_one_user_is_an_error() -> None:
    def never(users: np.ndarray) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    split = leave_one_out(simulated_log()).test
    with pytest.raises(torch.OutOfMemoryError):
        rank_users(never, split, np.arange(9), 4)


@pytest.mark.parametrize("constant", [0.0, 1.0, -3.5])
def test_a_constant_scorer_gets_nothing(constant: float) -> None:
    log = simulated_log(items=200)
    split = leave_one_out(log).test
    everyone = np.arange(split.num_users)
    ranks = rank_users(
        lambda users: torch.full((len(users), log.num_items), constant), split, everyone, 64
    )
    metrics = metrics_from_ranks(ranks, [1, 10, 100])
    assert set(metrics.values()) == {0.0}


def test_a_scorer_that_knows_the_target_gets_everything_but_repeated_targets() -> None:
    users = [[1, 2, 3, 4], [1, 2, 3, 1], [5, 6, 7]]
    split = leave_one_out(log_of(users, ITEMS)).test
    table = np.zeros((3, ITEMS))
    for user, history in enumerate(users):
        table[user, history[-1] - 1] = 1.0
    ranks = rank_users(table_scorer(table), split, np.arange(3), 2)
    assert ranks.tolist() == [1, MISS, 1]
    # A miss at any cutoff, also where there are fewer items than that.
    assert metrics_from_ranks(ranks, [100])["hit_rate@100"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_scores_that_are_not_finite_are_an_error_with_a_remedy(value: float) -> None:
    table = np.zeros((2, ITEMS))
    table[1, 3] = value
    split = leave_one_out(log_of([[1, 2, 3], [1, 2, 3]], ITEMS)).test
    with pytest.raises(SeqrecError, match=r"not finite.*Lower its learning rate"):
        rank_users(table_scorer(table), split, np.arange(2), 1)
    with pytest.raises(SeqrecError, match=r"not finite.*Lower its learning rate"):
        rank_and_recommend(table_scorer(table), split, 1)
    assert require_finite(torch.zeros(1)) == 0


class Recent(Network):
    """Its hidden state is the mean of what it reads, so its scores say what it was shown."""

    task: Any = NextItem()

    def __init__(self, num_items: int, task: Any) -> None:
        self.task = task
        super().__init__(num_items, num_items + task.special_rows)
        with torch.no_grad():  # every row is its own direction
            self.items.weight.copy_(torch.eye(len(self.items.weight)))

    def forward(self, rows: Tensor) -> Tensor:
        return self.items(rows).cumsum(1)


@pytest.mark.parametrize(("task", "read"), [(NextItem(), 3), (MaskedItem(), 2)])
def test_a_network_reads_the_last_items_while_the_whole_history_is_filtered(
    task: Any, read: int
) -> None:
    history = [1, 2, 3, 4, 5, 6]
    split = leave_one_out(log_of([[*history, 9]], ITEMS)).test
    with torch.no_grad():
        scores = network_scorer(Recent(ITEMS, task), split, 3, CPU)(np.arange(1))
    assert scores.shape == (1, ITEMS)
    assert (scores[0] > 0).nonzero().flatten().tolist() == [item - 1 for item in history[-read:]]

    # Items 1 to 6 get high scores, 7 and 8 low ones: only the latter two can stand above 9.
    table = np.array([[5, 5, 5, 5, 5, 5, 1, 1, 0]])
    assert rank_users(table_scorer(table), split, np.arange(1), 1).tolist() == [3]


@pytest.mark.parametrize("implementation", list(NETWORKS))
def test_special_rows_are_never_ranked(implementation: str) -> None:
    log = simulated_log()
    split = leave_one_out(log).test
    network = import_model(implementation)(log.num_items, 10, **NETWORKS[implementation]).eval()
    everyone = np.arange(split.num_users)

    def ranks() -> np.ndarray:
        with torch.no_grad():
            return rank_users(network_scorer(network, split, 10, CPU), split, everyone, 50)

    score = network_scorer(network, split, 10, CPU)
    with torch.no_grad():
        assert score(everyone).shape == (split.num_users, log.num_items)
        before, original = ranks(), network.items.weight.clone()
        score_before = score(everyone)
        # Turn the table of outputs alone: padding and mask would win every ranking by far.
        network.items.weight[: network.task.special_rows] += 1000.0
        inputs_changed = implementation == "bert4rec"  # it reads the mask, so its states move too
        if not inputs_changed:
            assert np.array_equal(ranks(), before)
            torch.testing.assert_close(score(everyone), score_before)
        assert ranks().max() <= log.num_items
        network.items.weight.copy_(original)
        assert np.array_equal(ranks(), before)


@given(users_histories, st.integers(1, 9))
def test_windows_and_pairs_hold_the_histories(users: list[list[int]], window: int) -> None:
    split = leave_one_out(log_of(users, ITEMS)).test
    chosen = np.arange(len(users))[::-1].copy()
    rows = split.last_items(chosen, window)
    pairs = [[] for _ in users]
    for row, item in zip(*split.pairs(chosen), strict=True):
        pairs[row].append(int(item))
    for user, line, pair in zip(chosen, rows, pairs, strict=True):
        kept = users[user][:-1][-window:]
        assert line.tolist() == [*kept, *[0] * (rows.shape[1] - len(kept))]
        assert pair == users[user][:-1]


# Sampled metrics


def sampled(
    table: np.ndarray,
    split: Split,
    negatives: int,
    weights: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    weights = np.ones(split.num_items) if weights is None else weights
    rng = np.random.default_rng(seed)
    return rank_among_sampled(table_scorer(table), split, Draw(weights, negatives, rng), 2)


@given(users_histories, st.data())
def test_against_every_unseen_item_the_sampled_rank_is_the_full_rank(
    users: list[list[int]], data: st.DataObject
) -> None:
    unseen = [set(range(1, ITEMS + 1)) - set(user) for user in users]
    same = [user for user, left in zip(users, unseen, strict=True) if len(left) == len(unseen[0])]
    if not unseen[0]:
        return
    split = leave_one_out(log_of(same, ITEMS)).test
    table = np.array([data.draw(score_rows) for _ in same])
    full = rank_users(table_scorer(table), split, np.arange(len(same)), 2)
    assert sampled(table, split, len(unseen[0])).tolist() == full.tolist()


@given(st.data(), st.integers(1, 4), st.integers(0, 10_000))
def test_a_sampled_rank_lies_between_one_and_the_full_rank(
    data: st.DataObject, negatives: int, seed: int
) -> None:
    users = [[1, 2, 3, 4], [5, 6, 7], [1, 2, 3, 2]]
    split = leave_one_out(log_of(users, ITEMS)).test
    table = np.array([data.draw(score_rows) for _ in users])
    full = rank_users(table_scorer(table), split, np.arange(3), 2)
    found = sampled(table, split, negatives, seed=seed)
    assert (found >= 1).all()
    assert (found <= full).all()
    assert (found[:2] <= 1 + negatives).all()
    assert found[2] == MISS  # a repeated target is a miss here too


def test_negatives_are_neither_seen_items_nor_the_target() -> None:
    # Everything seen and the target score highest; of the rest nothing reaches the target.
    users = [[1, 2, 3, 4], [5, 6, 7, 8]] * 20
    split = leave_one_out(log_of(users, ITEMS)).test
    table = np.zeros((40, ITEMS))
    for user, history in enumerate(users):
        table[user, np.array(history) - 1] = 1.0
    for seed in range(5):
        assert sampled(table, split, 4, seed=seed).tolist() == [1] * 40


def test_uniform_negatives_are_uniform_and_popular_ones_follow_the_counts() -> None:
    users = [[1, 2, 3]] * 4_000
    split = leave_one_out(log_of(users, ITEMS)).test
    weights = np.array([9, 9, 9, 1, 2, 3, 0, 4, 0])  # of the items 4 to 9, two never occur
    for chance in (np.ones(ITEMS), weights):
        shares = []
        for item in range(4, ITEMS + 1):
            # Only this item reaches the target, so rank 2 says that it was drawn.
            table = np.zeros((len(users), ITEMS))
            table[:, 2] = 1.0
            table[:, item - 1] = 1.0
            shares.append(float((sampled(table, split, 1, chance) == 2).mean()))
        expected = chance[3:] / chance[3:].sum()
        assert shares == pytest.approx(expected.tolist(), abs=0.03)
        assert all(share == 0 for share, weight in zip(shares, expected, strict=True) if not weight)


def test_sampled_ranks_depend_on_the_generator_alone() -> None:
    split = leave_one_out(simulated_log()).test
    table = np.random.default_rng(0).normal(size=(split.num_users, split.num_items))
    assert np.array_equal(sampled(table, split, 10, seed=1), sampled(table, split, 10, seed=1))
    assert not np.array_equal(sampled(table, split, 10, seed=1), sampled(table, split, 10, seed=2))

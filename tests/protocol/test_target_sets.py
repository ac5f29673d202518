"""Several targets at once: ranks are those of a slow loop, and metrics those of trec_eval."""

from dataclasses import replace

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from small_runs import log_of
from test_ranking import slow_rank, table_scorer

from seqrec.protocol.metrics import SET_METRICS, metrics_from_ranks, set_metric
from seqrec.protocol.ranking import MISS, rank_and_recommend
from seqrec.protocol.splits import Split, leave_one_out

ITEMS = 15

histories = st.lists(
    st.lists(st.integers(1, ITEMS), min_size=3, max_size=9), min_size=1, max_size=6
)


def split_of(users: list[list[int]], cuts: list[int], keeps_seen: bool = False) -> Split:
    """Take all items from the cut of each user on as its targets."""
    log = log_of(users, ITEMS)
    whole = Split.whole(log, keeps_seen)
    return replace(whole, ends=whole.starts + np.array(cuts), stops=whole.ends)


def expected_ranks(
    scores: list[float], history: list[int], targets: list[int], keeps_seen: bool
) -> list[int]:
    """Put the targets behind all others with the same score, the first of equal ones last."""
    seen = [] if keeps_seen else history
    ranks = [slow_rank(scores, seen, target, ITEMS) for target in targets]
    return [
        rank if rank == MISS else rank - ranks[:place].count(rank)
        for place, rank in enumerate(ranks)
    ]


@given(histories, st.data(), st.integers(1, 7), st.booleans())
def test_ranks_are_those_of_a_slow_loop(
    users: list[list[int]], data: st.DataObject, batch_size: int, keeps_seen: bool
) -> None:
    # Few distinct scores, so that ties are common.
    row = st.lists(st.integers(-2, 2), min_size=ITEMS, max_size=ITEMS)
    table = np.array([data.draw(row) for _ in users])
    cuts = [data.draw(st.integers(1, len(user) - 1)) for user in users]
    split = split_of(users, cuts, keeps_seen)
    ranks, recommended = rank_and_recommend(table_scorer(table), split, batch_size)
    expected, whose = [], []
    for user, (items, cut, scores) in enumerate(zip(users, cuts, table, strict=True)):
        targets = list(dict.fromkeys(items[cut:]))
        expected += expected_ranks(scores.tolist(), items[:cut], targets, keeps_seen)
        whose += [user] * len(targets)
    assert ranks.tolist() == expected
    assert ranks.dtype == np.int32
    owners = split.target_users()
    assert owners is not None
    assert owners.tolist() == whose
    # Ten of the items that are ranked for each user, or all where there are fewer.
    ranked = [
        {*range(1, ITEMS + 1)} - (set() if keeps_seen else {*items[:cut]})
        for items, cut in zip(users, cuts, strict=True)
    ]
    assert recommended.sum() == sum(min(10, len(items)) for items in ranked)


@given(st.lists(st.lists(st.integers(1, 30), min_size=1, unique=True), min_size=1, max_size=5))
def test_metrics_are_those_of_trec_eval(ranks_of_users: list[list[int]]) -> None:
    judged, run = {}, {}
    for user, ranks in enumerate(ranks_of_users):
        judged[str(user)] = {f"item {rank}": 1 for rank in ranks}
        run[str(user)] = {f"item {rank}": float(-rank) for rank in range(1, 31)}
    for cutoff in (1, 5, 10, 30):
        names = {
            "hit_rate": f"success_{cutoff}",
            "recall": f"recall_{cutoff}",
            "precision": f"P_{cutoff}",
            "ndcg": f"ndcg_cut_{cutoff}",
            "map": f"map_cut_{cutoff}",
        }
        asked = {name.rpartition("_")[0] + f".{cutoff}" for name in names.values()}
        expected = pytrec_eval.RelevanceEvaluator(judged, asked).evaluate(run)
        flat = [rank for ranks in ranks_of_users for rank in ranks]
        users = np.repeat(np.arange(len(ranks_of_users)), [*map(len, ranks_of_users)])
        means = metrics_from_ranks(flat, [cutoff], users)
        for ours, theirs in names.items():
            values = [expected[str(user)][theirs] for user in range(len(ranks_of_users))]
            assert set_metric(flat, users, ours, cutoff) == pytest.approx(values)
            assert means[f"{ours}@{cutoff}"] == pytest.approx(np.mean(values))
        best = [min(ranks) for ranks in ranks_of_users]
        reciprocal = [1 / rank if rank <= cutoff else 0.0 for rank in best]
        assert set_metric(flat, users, "mrr", cutoff) == pytest.approx(reciprocal)
    assert {*names, "mrr"} == {*SET_METRICS}


@given(st.lists(st.integers(1, 20), min_size=1), st.integers(1, 15))
def test_metrics_of_one_target_each_are_the_same_either_way(ranks: list[int], cutoff: int) -> None:
    one, sets = (
        metrics_from_ranks(ranks, [cutoff]),
        metrics_from_ranks(ranks, [cutoff], np.arange(len(ranks))),
    )
    for name, value in one.items():
        assert sets[name] == pytest.approx(value)
    assert sets[f"recall@{cutoff}"] == sets[f"hit_rate@{cutoff}"]


@given(histories, st.data())
def test_seen_items_are_ranked_where_a_split_keeps_them(
    users: list[list[int]], data: st.DataObject
) -> None:
    row = st.lists(st.integers(-2, 2), min_size=ITEMS, max_size=ITEMS)
    table = np.array([data.draw(row) for _ in users])
    split = leave_one_out(log_of(users, ITEMS), keeps_seen=True).test
    ranks, recommended = rank_and_recommend(table_scorer(table), split, 3)
    assert ranks.tolist() == [
        slow_rank(scores, [], items[-1], ITEMS)
        for scores, items in zip(table.tolist(), users, strict=True)
    ]
    assert recommended.sum() == 10 * len(users)

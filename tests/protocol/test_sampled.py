"""Sampled metrics draw items of the train part; too few of these are refused before training."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_runs import log_of, small_config
from torch import Tensor

from seqrec.errors import SeqrecError
from seqrec.protocol.sampled import (
    Draw,
    fewest_drawable,
    rank_among_sampled,
    require_enough_items,
    sampled_metrics,
)
from seqrec.protocol.splits import leave_one_out

ITEMS = 12
histories = st.lists(
    st.lists(st.integers(1, ITEMS), min_size=3, max_size=9), min_size=1, max_size=6
)


def drawable(users: list[list[int]]) -> int:
    """By sets: items of the train part that are neither seen before the test nor its target."""
    occurs = {item for user in users for item in user[:-2]}
    return min(len(occurs - set(user)) for user in users)


@given(histories)
def test_the_fewest_that_a_user_leaves_is_counted_over_all_users(users: list[list[int]]) -> None:
    assert fewest_drawable(leave_one_out(log_of(users, ITEMS))) == drawable(users)


@given(histories, st.integers(1, ITEMS))
def test_too_many_are_refused_with_a_limit_that_is_then_accepted(
    users: list[list[int]], negatives: int
) -> None:
    splits, limit = leave_one_out(log_of(users, ITEMS)), drawable(users)

    def asked(number: int) -> None:
        evaluation = small_config(evaluation={"sampled_negatives": number}).evaluation
        require_enough_items(splits, evaluation)

    if negatives > limit:
        with pytest.raises(SeqrecError, match=f"Ask for at most {limit}"):
            asked(negatives)
    else:
        asked(negatives)
    if limit:
        asked(limit)


def test_items_that_never_occur_in_training_are_never_drawn() -> None:
    # Items 7 to 12 are targets only; whoever is ranked against them would see their high scores.
    users = [[1, 2, 3, 7, 8], [4, 5, 6, 9, 10], [1, 4, 2, 11, 12]]
    splits = leave_one_out(log_of(users, ITEMS))

    def score(batch: np.ndarray) -> Tensor:
        scores = torch.zeros(len(batch), ITEMS)
        scores[:, 6:] = 2.0
        scores[torch.arange(len(batch)), torch.from_numpy(splits.test.targets(batch) - 1)] = 1.0
        return scores

    evaluation = small_config(evaluation={"sampled_negatives": 3}).evaluation
    found = sampled_metrics(score, splits, evaluation, seed=0)
    assert found is not None
    for kind in ("uniform", "popularity"):
        assert found[kind]["mrr@10"] == 1.0
    weights = np.ones(ITEMS)  # with these, items of no train part may be drawn
    ranks = rank_among_sampled(score, splits.test, Draw(weights, 7, np.random.default_rng(0)), 2)
    assert ranks.max() > 1

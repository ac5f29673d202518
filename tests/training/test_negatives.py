"""Negatives: uniform over the train items that are not in the sequence, and nothing else."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from small_runs import log_of, small_config
from torch import Tensor

from seqrec.errors import SeqrecError
from seqrec.training.arithmetic import Engine
from seqrec.training.batches import TrainingSequences
from seqrec.training.negatives import NegativeSampler, by_owner, by_sorting
from seqrec.training.objective import make_objective, make_sampler

ITEMS = 20


def padded(sequences: list[list[int]]) -> Tensor:
    longest = max(map(len, sequences))
    return torch.tensor([[*sequence, *[0] * (longest - len(sequence))] for sequence in sequences])


items = st.integers(1, ITEMS)
cases = {
    "sequences": st.lists(st.lists(items, min_size=1, max_size=5), min_size=1, max_size=4),
    "others": st.sets(items, min_size=8),
    "seed": st.integers(0, 10_000),
}


@given(**cases)
def test_shared_negatives_are_distinct_train_items_outside_the_sequence(
    sequences: list[list[int]], others: set[int], seed: int
) -> None:
    pool = others.union(*sequences)
    sampler = NegativeSampler(torch.tensor(sorted(pool)), ITEMS, seed)
    most = min(len(pool - set(sequence)) for sequence in sequences)
    drawn = sampler.without_replacement(padded(sequences), most)
    assert drawn.shape == (len(sequences), most)
    for sequence, row in zip(sequences, drawn.tolist(), strict=True):
        assert len(set(row)) == most
        assert set(row) <= pool - set(sequence)


@given(**cases)
def test_negatives_of_a_position_are_train_items_outside_its_own_sequence(
    sequences: list[list[int]], others: set[int], seed: int
) -> None:
    pool = others.union(*sequences)
    sampler = NegativeSampler(torch.tensor(sorted(pool)), ITEMS, seed)
    counts = [len(sequence) for sequence in sequences]
    drawn = sampler.with_replacement(padded(sequences), counts, 7)
    assert drawn.shape == (sum(counts), 7)
    for sequence, rows in zip(sequences, drawn.split(counts), strict=True):
        assert set(rows.flatten().tolist()) <= pool - set(sequence)


@given(negatives=st.sampled_from([1, 3, 40]), **cases)
def test_the_draws_of_a_position_are_the_same_however_they_are_found(
    negatives: int, sequences: list[list[int]], others: set[int], seed: int
) -> None:
    """Few draws are found by a search, many in a list: runs of either are one experiment."""
    pool = others.union(*sequences)
    counts = [len(sequence) for sequence in sequences]
    sampler = NegativeSampler(torch.tensor(sorted(pool)), ITEMS, seed)
    drawn = sampler.with_replacement(padded(sequences), counts, negatives).split(counts)
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randint(2**62, (len(counts), max(counts) * negatives), generator=generator)
    for sequence, row, found in zip(sequences, numbers, drawn, strict=True):
        allowed = sorted(pool - set(sequence))
        expected = [allowed[number % len(allowed)] for number in row.tolist()]
        assert found.flatten().tolist() == expected[: found.numel()]


def uniform(counts: np.ndarray) -> bool:
    return bool(chisquare(counts).pvalue > 1e-3)


def test_shared_negatives_are_uniform() -> None:
    sequences = padded([[1, 2, 3], [4]]).repeat_interleave(3_000, 0)
    sampler = NegativeSampler(torch.arange(1, ITEMS - 1), ITEMS)  # two items are in no train part
    drawn = sampler.without_replacement(sequences, 4)
    for rows, allowed in (
        (drawn[:3_000], range(4, ITEMS - 1)),
        (drawn[3_000:], [1, 2, 3, *range(5, ITEMS - 1)]),
    ):
        counts = np.bincount(rows.flatten().numpy(), minlength=ITEMS + 1)
        assert counts.sum() == counts[list(allowed)].sum() == 12_000
        # Distinct draws of four spread more evenly than independent ones, so the test is mild.
        assert uniform(counts[list(allowed)])
    # Every pair is as likely as any other: the draws are not tied to each other.
    first, second = drawn[:3_000].sort(1).values[:, :2].T.numpy()
    assert len(set(zip(first.tolist(), second.tolist(), strict=True))) > 60


@given(
    draws=st.lists(st.lists(st.integers(0, 14), min_size=12, max_size=12), min_size=1, max_size=4),
    own=st.lists(st.integers(0, 15), min_size=1, max_size=6),
)
def test_sorting_finds_the_distinct_draws_that_owners_find(
    draws: list[list[int]], own: list[int]
) -> None:
    drawn, places = torch.tensor(draws), torch.tensor([own] * len(draws))
    marked = by_owner(drawn, places, 15)
    assert torch.equal(by_sorting(drawn, places, 15), marked)
    for row, found in zip(draws, marked, strict=True):
        chosen = [item for item, is_found in zip(row, found, strict=True) if is_found]
        assert sorted(chosen) == sorted(set(row) - set(own))


def test_sequences_that_fill_most_of_the_pool_are_drawn_for_too() -> None:
    """Where a stream of draws finds too few now and then."""
    pool, window, negatives = torch.arange(1, 221), 201, 9
    sequences = torch.stack([torch.randperm(220)[:window] + 1 for _ in range(64)])
    sampler = NegativeSampler(pool, 220)
    counts = torch.zeros(64, 221)
    for _ in range(100):
        drawn = sampler.without_replacement(sequences, negatives)
        assert all(len(set(row)) == negatives for row in drawn.tolist())
        counts.scatter_add_(1, drawn, torch.ones(64, negatives))
    assert counts.gather(1, sequences).sum() == 0
    # Each of 19 allowed items is one of the 9 in 47 of 100 draws, give or take 5 deviations.
    allowed = counts.scatter(1, sequences, -1)[:, 1:]
    allowed = allowed[allowed >= 0]
    assert allowed.numel() == 64 * 19
    assert ((allowed - 100 * 9 / 19).abs() < 5 * 5).all()


def test_negatives_of_a_position_are_uniform_and_drawn_with_replacement() -> None:
    lengths = [5_000, 1, 5_000]
    sequences = padded([[1, 2, 3], [9], [4]])
    sampler = NegativeSampler(torch.arange(1, ITEMS - 1), ITEMS)
    drawn = sampler.with_replacement(sequences, lengths, 2)
    for rows, allowed in (
        (drawn[:5_000], range(4, ITEMS - 1)),
        (drawn[5_001:], [1, 2, 3, *range(5, ITEMS - 1)]),
    ):
        counts = np.bincount(rows.flatten().numpy(), minlength=ITEMS + 1)[list(allowed)]
        assert counts.sum() == 10_000
        assert uniform(counts)
        pairs = np.zeros((ITEMS + 1, ITEMS + 1))
        np.add.at(pairs, tuple(rows.T.numpy()), 1)
        assert uniform(pairs[np.ix_(list(allowed), list(allowed))].flatten())


def test_few_of_many_items_are_drawn_uniformly_and_distinct() -> None:
    # More than twice as many items as are drawn: the path of repeated draws.
    items, negatives = 400, 60
    sequences = padded([[1, 2, 2, 3], [9]]).repeat_interleave(1_000, 0)
    pool = torch.arange(1, items - 9)
    drawn = NegativeSampler(pool, items).without_replacement(sequences, negatives)
    assert drawn.shape == (2_000, negatives)
    assert all(len(set(row)) == negatives for row in drawn.tolist())
    for rows, taken in ((drawn[:1_000], [1, 2, 3]), (drawn[1_000:], [9])):
        allowed = sorted(set(pool.tolist()) - set(taken))
        counts = np.bincount(rows.flatten().numpy(), minlength=items + 1)
        assert counts.sum() == counts[allowed].sum() == 1_000 * negatives
        assert uniform(counts[allowed])
    # Nor does the slot say anything of the item.
    assert uniform(np.bincount(drawn[1_000:, 0].numpy(), minlength=items)[10 : items - 9])


@pytest.mark.parametrize("items", [ITEMS, 4_000])
def test_the_draws_come_from_the_samplers_seed_alone(items: int) -> None:
    pool = torch.arange(1, items + 1)
    sequences = padded([[1], [2]])
    for draw in (
        lambda sampler: sampler.without_replacement(sequences, 5),
        lambda sampler: sampler.with_replacement(sequences, [2, 1], 5),
    ):
        first = draw(NegativeSampler(pool, items, 1))
        torch.rand(3)
        sampler = NegativeSampler(pool, items, 1)
        assert torch.equal(first, draw(sampler))
        assert not torch.equal(first, draw(sampler))
        assert not torch.equal(first, draw(NegativeSampler(pool, items, 2)))


def objective(users: list[list[int]], num_items: int, **loss: Any) -> Any:
    """Set up a loss on the train parts of the given histories, with a window of three items."""
    from seqrec.models.sasrec import SASRec
    from seqrec.protocol.splits import leave_one_out

    splits = leave_one_out(log_of(users, num_items))
    network = SASRec(num_items, 2, hidden_size=2)
    config = small_config().model_validate(small_config().model_dump() | {"loss": loss})
    assert config.loss is not None
    engine = Engine(torch.device("cpu"))
    sequences = TrainingSequences.of(splits.train, network.task, 2)
    sampler = make_sampler(sequences, config.loss, np.random.SeedSequence(0), engine.device)
    return make_objective(network, config.loss, sampler, engine)


# Train parts [1, 2, 3, 4] and [5, 5]; the window keeps 2, 3, 4, so two of five items are left.
USERS = [[1, 2, 3, 4, 6, 7], [5, 5, 6, 7]]


def test_as_many_negatives_as_the_fullest_sequence_leaves_can_be_drawn() -> None:
    objective(USERS, 7, kind="sampled-cross-entropy", negatives=2)


def test_more_negatives_than_there_are_is_an_error_that_names_the_numbers() -> None:
    with pytest.raises(SeqrecError) as caught:
        objective(USERS, 7, kind="sampled-cross-entropy", negatives=3)
    message = str(caught.value)
    assert "3 distinct negatives" in message
    assert "only 2 items are left" in message
    assert "5 items in the train set" in message
    assert "Ask for at most 2" in message


@pytest.mark.parametrize("sharing", ["sequence", "position"])
def test_a_sequence_that_holds_every_train_item_has_no_negative(sharing: str) -> None:
    with pytest.raises(SeqrecError, match="holds every item of the train set"):
        objective([[1, 2, 3, 4, 5]], 9, kind="binary-cross-entropy", negatives=1, sharing=sharing)

"""Negatives by popularity and in-batch: the right items, as often as they should be."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from small_runs import batch_of, simulated_log
from torch import Tensor

from seqrec.experiment.schema import Loss
from seqrec.models import NextItem
from seqrec.protocol.splits import leave_one_out
from seqrec.training.arithmetic import Engine
from seqrec.training.batches import Batch, TrainingSequences
from seqrec.training.losses.formulas import sampled_cross_entropy
from seqrec.training.negatives import WeightedSampler
from seqrec.training.objective import make_objective, make_sampler

CPU = torch.device("cpu")
DRAWS = 20_000


def padded(sequences: list[list[int]]) -> Tensor:
    longest = max(map(len, sequences))
    return torch.tensor([[*sequence, *[0] * (longest - len(sequence))] for sequence in sequences])


def sampled_for(sequences: list[list[int]], targets: list[int]) -> Batch:
    """A batch as far as sampling looks at it; the targets are one for each sequence."""
    return Batch([], torch.tensor(targets), padded(sequences), [1] * len(sequences))


def as_likely_as(drawn: Tensor, weights: dict[int, float]) -> bool:
    """Whether the draws agree with these weights, and nothing else was drawn."""
    counts = np.bincount(drawn.flatten().numpy(), minlength=max(weights) + 1)
    found = counts[list(weights)]
    expected = np.array([*weights.values()]) / sum(weights.values()) * counts.sum()
    return found.sum() == counts.sum() and bool(chisquare(found, expected).pvalue > 1e-3)


COUNTS = [0, 5, 1, 0, 30, 2, 9, 1]
"""How often each item occurs in the train part; item 0 is padding, and item 3 does not."""


def without(items: list[int]) -> dict[int, float]:
    return {i: n for i, n in enumerate(COUNTS) if n and i not in items}


@pytest.mark.parametrize("shared", [False, True])
def test_by_popularity_items_are_drawn_as_often_as_they_occur(shared: bool) -> None:
    sampler = WeightedSampler(torch.tensor(COUNTS))
    sequences = [[4, 4, 1], [2], [7, 5, 4]]
    batch = sampled_for(sequences, [1, 2, 7])
    drawn = sampler.draw(batch, batch.targets, DRAWS, shared)
    assert not drawn.distinct
    assert drawn.log_expected is None
    for sequence, row in zip(sequences, drawn.items, strict=True):
        assert as_likely_as(row, without(sequence))


def test_in_batch_items_are_drawn_as_often_as_they_are_others_targets() -> None:
    sampler = WeightedSampler(torch.tensor(COUNTS), in_batch=True)
    sequences = [[6, 2, 1], [4, 5], [4, 6], [1, 5, 4]]
    batch = sampled_for(sequences, [1, 5, 6, 4])
    targets = torch.tensor([2, 1, 1, 5, 6, 6, 4])
    drawn = sampler.draw(batch, targets, DRAWS, shared=True).items
    assert as_likely_as(drawn[0], {5: 1, 4: 1})
    assert as_likely_as(drawn[1], {2: 1, 1: 2, 6: 2})
    assert as_likely_as(drawn[2], {2: 1, 1: 2, 5: 1})
    assert as_likely_as(drawn[3], {2: 1, 6: 2})


def test_a_sequence_without_others_in_its_batch_has_uniform_negatives() -> None:
    sampler = WeightedSampler(torch.tensor(COUNTS), in_batch=True)
    batch = sampled_for([[1, 4]], [4])
    drawn = sampler.draw(batch, torch.tensor([4]), DRAWS, shared=True).items
    assert as_likely_as(drawn, dict.fromkeys([2, 5, 6, 7], 1))


items = st.integers(1, 20)


@given(
    sequences=st.lists(st.lists(items, min_size=1, max_size=6), min_size=1, max_size=5),
    others=st.sets(items, min_size=8),
    in_batch=st.booleans(),
    shared=st.booleans(),
    seed=st.integers(0, 1_000),
)
def test_weighted_negatives_are_train_items_outside_the_sequence(
    sequences: list[list[int]], others: set[int], in_batch: bool, shared: bool, seed: int
) -> None:
    pool = others.union(*sequences)
    counts = torch.zeros(21, dtype=torch.int64)
    counts[list(pool)] = torch.randint(1, 50, (len(pool),))
    sampler = WeightedSampler(counts, seed, in_batch, logq=True)
    labels = [len(sequence) for sequence in sequences]
    targets = torch.tensor([item for sequence in sequences for item in sequence])
    batch = Batch([], targets, padded(sequences), labels)
    drawn = sampler.draw(batch, targets, 7, shared)
    assert drawn.counts == (labels if shared else 1)
    assert drawn.items.shape == (len(sequences) if shared else sum(labels), 7)
    assert drawn.log_expected is not None
    assert drawn.log_expected.shape == drawn.items.shape
    rows = drawn.items.split([1] * len(sequences) if shared else labels)
    for sequence, row in zip(sequences, rows, strict=True):
        assert set(row.flatten().tolist()) <= pool - set(sequence)


def test_the_correction_makes_the_sum_over_negatives_that_over_all_items() -> None:
    """On average over draws, exp(logit - correction) adds up to the softmax's denominator."""
    sampler = WeightedSampler(torch.tensor(COUNTS), logq=True)
    logits = torch.randn(len(COUNTS), generator=torch.Generator().manual_seed(0))
    sequence = [4, 1]
    batch = sampled_for([sequence], [1])
    drawn = sampler.draw(batch, batch.targets, DRAWS, shared=True)
    assert drawn.log_expected is not None
    estimate = (logits[drawn.items] - drawn.log_expected).exp().sum()
    exact = sum(float(logits[item].exp()) for item in without(sequence))
    assert float(estimate) == pytest.approx(exact, rel=0.05)
    # So the corrected loss is about that over all items.
    target = torch.tensor([0.3])
    loss = sampled_cross_entropy(target, logits[drawn.items] - drawn.log_expected)
    assert float(loss) == pytest.approx(float((target.exp() + exact).log() - target), abs=0.05)


def test_in_batch_the_correction_is_by_popularity_in_the_train_part() -> None:
    sampler = WeightedSampler(torch.tensor(COUNTS), in_batch=True, logq=True)
    batch = sampled_for([[1], [4]], [1, 4])
    drawn = sampler.draw(batch, batch.targets, 3, shared=True)
    assert drawn.items.tolist() == [[4] * 3, [1] * 3]
    assert drawn.log_expected is not None
    expected = torch.tensor([[30.0] * 3, [5.0] * 3]) / sum(COUNTS) * 3
    torch.testing.assert_close(drawn.log_expected, expected.log())


@pytest.mark.parametrize("sampling", ["popularity", "in-batch"])
@pytest.mark.parametrize("logq", [False, True])
def test_the_objective_takes_what_the_sampler_draws(sampling: Any, logq: bool) -> None:
    split = leave_one_out(simulated_log()).train
    sequences = TrainingSequences.of(split, NextItem(), 10)
    loss = Loss(kind="sampled-cross-entropy", negatives=5, sampling=sampling, logq=logq)
    values = []
    for _ in range(2):
        sampler = make_sampler(sequences, loss, np.random.SeedSequence(0), CPU)
        assert isinstance(sampler, WeightedSampler)
        batch = batch_of(sequences, np.arange(20))
        network: Any = Plain(split.num_items)
        hidden = torch.randn(len(batch.targets), 4, generator=torch.Generator().manual_seed(1))
        values.append(make_objective(network, loss, sampler, Engine(CPU))(hidden, batch).detach())
        again = make_sampler(sequences, loss, np.random.SeedSequence(0), CPU)
        assert again is not None
        drawn = again.draw(batch, batch.targets, 5, shared=True)
        rows = torch.repeat_interleave(torch.tensor(batch.counts))
        logits = (network.item_table[drawn.items[rows]] @ hidden[:, :, None])[:, :, 0]
        assert (drawn.log_expected is not None) == logq
        if drawn.log_expected is not None:
            logits = logits - drawn.log_expected[rows]
        target = (hidden * network.item_table[batch.targets]).sum(1)
        torch.testing.assert_close(values[-1], sampled_cross_entropy(target, logits).mean())
    assert torch.equal(*values)


class Plain:
    """What the objective asks of a network."""

    task = NextItem()

    def __init__(self, num_items: int) -> None:
        self.item_table = torch.randn(
            num_items + 1, 4, generator=torch.Generator().manual_seed(2), requires_grad=True
        )

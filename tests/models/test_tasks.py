"""Tasks: what is input, what is label, and where the prediction is read."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_runs import log_of
from torch import Tensor

from seqrec.models import MaskedItem, NextItem
from seqrec.protocol.splits import leave_one_out

histories = st.lists(st.lists(st.integers(1, 9), min_size=3, max_size=12), min_size=1, max_size=5)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def windows(users: list[list[int]], window: int) -> Tensor:
    """The last `window` train items of each user."""
    splits = leave_one_out(log_of(users, 9))
    return torch.from_numpy(splits.train.last_items(np.arange(len(users)), window))


def real(rows: Tensor) -> list[list[int]]:
    return [[int(row) for row in line if row > 0] for line in rows]


@given(histories, st.integers(2, 8))
def test_causal_training_pairs_each_of_the_last_items_with_its_successor(
    users: list[list[int]], max_length: int
) -> None:
    task = NextItem()
    inputs, labels = task.training_batch(
        windows(users, task.training_window(max_length)), generator()
    )
    assert inputs.shape[1] <= max_length
    for user, ins, outs in zip(users, real(inputs), real(labels), strict=True):
        kept = user[:-2][-(max_length + 1) :]
        assert ins == kept[:-1]
        assert outs == kept[1:]
    # An input and its label stand at the same position, from the first one on.
    assert torch.equal(inputs > 0, labels > 0)
    assert all(bool(line[: int(line.sum())].all()) for line in labels > 0)


@given(histories, st.integers(2, 8))
def test_causal_prediction_is_read_at_the_last_of_max_length_items(
    users: list[list[int]], max_length: int
) -> None:
    task = NextItem()
    batch = task.prediction_batch(windows(users, task.prediction_window(max_length)))
    for user, line, position in zip(users, batch.inputs, batch.positions, strict=True):
        kept = user[:-2][-max_length:]
        assert line.tolist()[: len(kept)] == kept
        assert not line[len(kept) :].any()
        assert position == len(kept) - 1


@given(histories, st.integers(2, 8), st.integers(0, 10_000))
def test_masked_training_labels_exactly_the_positions_that_show_the_mask(
    users: list[list[int]], max_length: int, seed: int
) -> None:
    task = MaskedItem(0.4)
    sequences = windows(users, task.training_window(max_length))
    inputs, labels = task.training_batch(sequences, generator(seed))
    assert inputs.shape == labels.shape
    masked = inputs == task.mask_row
    assert torch.equal(masked, labels > 0)
    for user, line, label in zip(users, inputs, labels, strict=True):
        kept = user[:-2][-max_length:]
        whole = torch.where(label > 0, label, line).tolist()
        assert whole[: len(kept)] == [item + 1 for item in kept]
        assert not any(whole[len(kept) :])  # padding is neither masked nor labelled


@given(histories, st.integers(2, 8))
def test_masked_prediction_is_read_at_one_mask_after_the_last_items(
    users: list[list[int]], max_length: int
) -> None:
    task = MaskedItem()
    batch = task.prediction_batch(windows(users, task.prediction_window(max_length)))
    assert batch.inputs.shape[1] <= max_length
    for user, line, position in zip(users, batch.inputs, batch.positions, strict=True):
        kept = [item + 1 for item in user[:-2][-(max_length - 1) :]]
        assert line.tolist()[: len(kept) + 1] == [*kept, task.mask_row]
        assert not line[len(kept) + 1 :].any()
        assert position == len(kept)


@pytest.mark.parametrize("probability", [0.2, 0.5])
def test_each_position_is_masked_with_the_probability_asked_for(probability: float) -> None:
    sequences = torch.full((500, 100), 3)
    inputs, _ = MaskedItem(probability).training_batch(sequences, generator())
    masked = (inputs == MaskedItem.mask_row).double()
    deviation = (probability * (1 - probability)) ** 0.5
    assert abs(masked.mean() - probability) < 4 * deviation / 50_000**0.5
    # Independently: no place is preferred, and the share varies over users as a coin's does.
    assert (masked.mean(0) - probability).abs().max() < 5 * deviation / 500**0.5
    assert masked.mean(1).std() == pytest.approx(deviation / 10, rel=0.2)


def test_the_reference_masks_a_fifth() -> None:
    assert MaskedItem().mask_probability == 0.2


def test_masks_are_drawn_anew_each_time_from_the_generator_alone() -> None:
    sequences = torch.full((8, 20), 3)
    source = generator(1)
    first, second = (MaskedItem().training_batch(sequences, source).inputs for _ in range(2))
    assert not torch.equal(first, second)
    torch.rand(2)
    assert torch.equal(first, MaskedItem().training_batch(sequences, generator(1)).inputs)


def test_no_item_shares_a_row_with_padding_or_mask() -> None:
    assert (NextItem.special_rows, MaskedItem.special_rows) == (1, 2)
    assert MaskedItem.mask_row < MaskedItem.special_rows


def test_the_shortest_sequence_gives_a_label_and_a_shorter_one_none() -> None:
    causal = NextItem()
    assert (causal.training_batch(torch.tensor([[5, 6]]), generator()).labels > 0).any()
    assert not (causal.training_batch(torch.tensor([[5, 0]]), generator()).labels > 0).any()
    assert causal.shortest() == 2
    assert MaskedItem().shortest() == 1

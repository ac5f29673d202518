"""A batch is laid out for a CPU or for an accelerator, and the layout changes nothing computed."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_runs import (
    LOSSES,
    NETWORKS,
    batch_of,
    hidden_states,
    log_of,
    simulated_log,
    small_config,
    timed,
    without_dropout,
)
from torch import Tensor

from seqrec.models import MaskedItem, Network, NextItem
from seqrec.models.tasks import Task
from seqrec.protocol.splits import leave_one_out
from seqrec.training import batches
from seqrec.training.arithmetic import Engine
from seqrec.training.batches import (
    Batch,
    PaddedBatches,
    TrainingSequences,
    first_places,
    length_groups,
    places,
)
from seqrec.training.building import build_model
from seqrec.training.loop import Trainer, train
from seqrec.training.negatives import Negatives
from seqrec.training.objective import make_objective

CPU = torch.device("cpu")
SPLITS = leave_one_out(simulated_log())
descending = st.lists(st.integers(1, 40), min_size=1, max_size=30).map(
    lambda lengths: sorted(lengths, reverse=True)
)


@given(descending, st.integers(0, 100))
def test_groups_hold_every_sequence_once_and_pad_little(lengths: list[int], padding: int) -> None:
    groups = list(length_groups(lengths, padding))
    assert [row for group in groups for row in range(len(lengths))[group]] == list(
        range(len(lengths))
    )
    for group in groups:
        assert sum(lengths[group][0] - length for length in lengths[group]) <= padding
    # No group is smaller than it had to be: the next one's first would have been too much.
    for group, following in pairwise(groups):
        with_one_more = lengths[group.start : following.start + 1]
        assert sum(with_one_more[0] - length for length in with_one_more) > padding


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_places_are_those_of_a_padded_table(counts: list[int]) -> None:
    longest = max(counts)
    expected = [row * longest + i for row, count in enumerate(counts) for i in range(count)]
    assert torch.arange(len(counts) * longest)[places(counts, longest, CPU)].tolist() == expected


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.integers(0, 5))
def test_the_first_places_are_those_marked_and_then_filling(marked: list[bool], more: int) -> None:
    wanted = [place for place, is_marked in enumerate(marked) if is_marked]
    found, real = first_places(torch.tensor(marked), len(wanted) + more)
    assert found[real].tolist() == wanted
    assert real.tolist() == [True] * len(wanted) + [False] * more
    # What fills up is read and dropped; it must not be padding that a network never computed.
    assert set(found[~real].tolist()) <= set(wanted[:1] or [0])


@pytest.mark.parametrize("padding", [0, 20, 10_000])
@pytest.mark.parametrize("task", [NextItem(), MaskedItem(0.4)])
def test_a_batch_has_the_labels_of_its_users_and_their_inputs(
    task: Task, padding: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "PADDING_PER_GROUP", padding)
    # User u holds u+1 items of its own, so that an item tells its user.
    users = [[10 * u + i for i in range(1, u + 3)] + [97, 98] for u in range(8)]
    split = leave_one_out(log_of(users, 99)).train
    batch = batch_of(TrainingSequences(split, task, 6, np.arange(8)), np.array([5, 0, 7, 2]))
    assert isinstance(batch.counts, list)
    shift = task.special_rows - 1
    order = [5, 7, 2, 0]  # the longest first, as far as the window reads
    windows = [users[u][:-2][-6:] for u in order]
    assert [[int(i) for i in row if i > 0] for row in batch.sequences] == windows
    found = batch.targets.split(batch.counts)
    for (inputs,), labelled in batch.groups:
        assert int((inputs == 0).sum()) <= max(padding, len(inputs))
        assert bool((inputs.flatten()[labelled] > 0).all())
    for window, targets in zip(windows, found, strict=True):
        items = [int(row) - shift for row in targets]
        if isinstance(task, NextItem):
            assert items == window[1:]
        else:
            assert set(items) <= set(window)
    assert int(batch.labels()) == sum(batch.counts) == sum(len(p) for _, p in batch.groups)


def padded_batches(
    sequences: TrainingSequences, size: int, labels_alone: bool, on_device: bool = True
) -> PaddedBatches:
    """Batches as an accelerator gets them, on the host."""
    generator = torch.Generator().manual_seed(0)
    found = PaddedBatches(sequences, size, generator, CPU, labels_alone=labels_alone)
    found.on_device = on_device
    return found


class SameNegatives:
    """Negatives that follow from a sequence alone, however many are asked for at once."""

    def draw(self, batch: Batch, targets: Tensor, negatives: int, shared: bool) -> Negatives:
        first = batch.sequences.sum(1, keepdim=True)
        items = (first + torch.arange(negatives)) % SPLITS.test.num_items + 1
        if shared:
            return Negatives(items, batch.counts, distinct=True)
        counts = [batch.counts] * len(items) if isinstance(batch.counts, int) else batch.counts
        return Negatives(items.repeat_interleave(torch.tensor(counts), 0), 1, distinct=False)


@pytest.mark.parametrize("loss", list(LOSSES))
@pytest.mark.parametrize("implementation", list(NETWORKS))
def test_the_layout_changes_neither_loss_nor_gradients(
    implementation: str, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hyperparameters = without_dropout(implementation)
    config = small_config(implementation, loss, hyperparameters=hyperparameters)
    assert config.loss is not None
    users, everybody = np.arange(40), torch.arange(40)

    def computed(layout: str, padding: int = 0) -> tuple[Tensor, list[Tensor | None]]:
        monkeypatch.setattr(batches, "PADDING_PER_GROUP", padding)
        torch.manual_seed(0)
        network = build_model(config, SPLITS.test.num_items)
        assert isinstance(network, Network)
        assert config.loss is not None
        if isinstance(network.task, MaskedItem):
            network.task.mask_probability = 1.0  # the same masks, however they are drawn
        sequences = TrainingSequences.of(SPLITS.train, network.task, config.max_length)
        negatives: Any = SameNegatives() if config.loss.negatives else None
        objective = make_objective(network, config.loss, negatives, Engine(CPU))
        if layout == "grouped":
            batch = batch_of(sequences, users)
        else:
            # With room for more users than there are.
            laid_out = padded_batches(sequences, 48, layout == "labels alone")
            laid_out.begin(everybody)
            batch = laid_out.batch(*laid_out.inputs(0))
        network.train()
        value = objective(hidden_states(network, batch), batch)
        value.backward()
        return value.detach(), [parameter.grad for parameter in network.parameters()]

    value, gradients = computed("grouped", 10_000)
    layouts: list[Any] = [("grouped", 0), ("grouped", 30), ("all positions",)]
    layouts += [("labels alone",)] * (config.loss.negatives is None)
    for layout in layouts:
        other_value, other_gradients = computed(*layout)
        torch.testing.assert_close(other_value, value)
        torch.testing.assert_close(other_gradients, gradients, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("labels_alone", [False, True])
@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("task", [NextItem(), NextItem("target"), MaskedItem(0.4)])
def test_an_accelerators_batches_have_one_shape_and_each_user_once(
    task: Task, on_device: bool, labels_alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tensor, "pin_memory", lambda tensor: tensor)
    log = timed(log_of([[item + 1 for item in range(length)] for length in range(4, 24)], 30))
    sequences = TrainingSequences.of(leave_one_out(log).train, task, 8)
    laid_out = padded_batches(sequences, 6, labels_alone, on_device)
    shapes, seen, labels = set(), [], 0
    for order in (torch.arange(20), torch.arange(20).flip(0)):
        laid_out.begin(order)
        for first in range(0, 20, 6):
            batch = laid_out.batch(*laid_out.inputs(first))
            [(arguments, positions)] = batch.groups
            assert batch.real is not None
            shapes.add(tuple(each.shape for each in (*arguments, positions, batch.sequences)))
            lengths = (batch.sequences > 0).sum(1)[: 20 - first]
            expected = sequences.split.lengths(order[first : first + 6].numpy())
            assert lengths.tolist() == np.minimum(expected, sequences.window).tolist()
            seen += lengths.tolist()
            labels += int(batch.labels())
            if not isinstance(task, MaskedItem):
                assert int(batch.labels()) == int((lengths - 1).sum())
            inputs = arguments[0].flatten()[positions][batch.real]
            assert bool((inputs > 0).all())
            assert bool((batch.targets[batch.real] > 0).all())
    assert len(shapes) == 1
    assert len(seen) == 40
    assert labels > 0


def test_room_for_masks_is_made_for_nearly_any_draw() -> None:
    task = MaskedItem(0.3)
    draws = np.random.default_rng(0).binomial(500, 0.3, 1_000_000)
    assert draws.max() < task.most_labels(500, 10) < 300
    assert MaskedItem(0.9).most_labels(10, 5) == 10


@pytest.mark.parametrize("implementation", ["sasrec", "bert4rec"])
@pytest.mark.parametrize("loss", ["full", "sampled", "binary"])
def test_a_training_learns_as_well_from_an_accelerators_batches(
    implementation: str, loss: str
) -> None:
    config = small_config(
        implementation,
        loss,
        max_length=20,
        training={"batch_size": 16, "max_epochs": 8, "learning_rate": 0.003},
    )
    last = []
    for padded in (False, True):
        torch.manual_seed(0)
        network = build_model(config, SPLITS.test.num_items)
        assert isinstance(network, Network)
        trainer = Trainer(network, SPLITS, config, Engine(CPU))
        if padded:
            trainer.batches = padded_batches(trainer.sequences, 16, loss == "full")
        last.append([epoch.training_loss for epoch in train(trainer)])
    grouped, padded_ones = last
    assert padded_ones[-1] < padded_ones[0]
    # Dropout, masks and negatives are drawn for other shapes, and the loss is otherwise the same.
    assert padded_ones[0] == pytest.approx(grouped[0], rel=0.02)
    assert padded_ones[-1] == pytest.approx(grouped[-1], rel=0.05)

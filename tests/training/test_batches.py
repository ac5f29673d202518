"""A batch is laid out by length, and the layout changes nothing that is computed."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_runs import LOSSES, NETWORKS, log_of, simulated_log, small_config, without_dropout

from seqrec.models import MaskedItem, Network, NextItem
from seqrec.models.tasks import Task
from seqrec.protocol.splits import leave_one_out
from seqrec.training import batches
from seqrec.training.arithmetic import Engine
from seqrec.training.batches import TrainingSequences, length_groups, places
from seqrec.training.building import build_model
from seqrec.training.objective import make_objective, make_sampler

CPU = torch.device("cpu")
META = torch.device("meta")
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
    assert list(length_groups(lengths, None)) == [slice(0, len(lengths))]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_places_are_those_of_a_padded_table(counts: list[int]) -> None:
    longest = max(counts)
    expected = [row * longest + i for row, count in enumerate(counts) for i in range(count)]
    assert places(counts, longest, CPU).tolist() == expected


@pytest.mark.parametrize("padding", [0, 20, 10_000])
@pytest.mark.parametrize("task", [NextItem(), MaskedItem(0.4)])
def test_a_batch_has_the_labels_of_its_users_and_their_inputs(
    task: Task, padding: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "PADDING_PER_GROUP", padding)
    # User u holds u+1 items of its own, so that an item tells its user.
    users = [[10 * u + i for i in range(1, u + 3)] + [97, 98] for u in range(8)]
    split = leave_one_out(log_of(users, 99)).train
    chosen = np.array([5, 0, 7, 2])
    sequences = TrainingSequences(split, task, 6, np.arange(8))
    batch = sequences.batch(chosen, torch.Generator().manual_seed(0), CPU)
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
    assert sum(batch.counts) == len(batch.targets) == sum(len(p) for _, p in batch.groups)


@pytest.mark.parametrize("loss", list(LOSSES))
@pytest.mark.parametrize("implementation", list(NETWORKS))
def test_the_layout_changes_neither_loss_nor_gradients(
    implementation: str, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hyperparameters = without_dropout(implementation)
    config = small_config(implementation, loss, hyperparameters=hyperparameters)
    # Laid out as for an accelerator, and left on the host.
    monkeypatch.setattr(batches, "to_device", lambda device, tensor: tensor)
    results = []
    for padding, device in ((0, CPU), (30, CPU), (10_000, CPU), (0, META)):
        monkeypatch.setattr(batches, "PADDING_PER_GROUP", padding)
        torch.manual_seed(0)
        network = build_model(config, SPLITS.test.num_items)
        assert isinstance(network, Network)
        assert config.loss is not None
        users = np.arange(40)
        sequences = TrainingSequences.of(SPLITS.train, network.task, config.max_length)
        sampler = make_sampler(sequences, config.loss, np.random.SeedSequence(0), CPU)
        objective = make_objective(network, config.loss, sampler, Engine(CPU))
        generator = torch.Generator().manual_seed(0)
        batch = sequences.batch(users, generator, device)
        network.train()
        hidden = torch.cat([network(*read).flatten(0, 1)[at] for read, at in batch.groups])
        value = objective(hidden, batch)
        value.backward()
        gradients = [parameter.grad for parameter in network.parameters()]
        results.append((len(batch.groups), value.detach(), gradients))
    assert results[0][0] > results[1][0] > results[2][0] == results[3][0] == 1
    for _, value, gradients in (*results[:2], results[3]):
        torch.testing.assert_close(value, results[2][1])
        torch.testing.assert_close(gradients, results[2][2], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("task", [NextItem(), MaskedItem(0.4)])
def test_an_accelerator_is_given_one_shape_whoever_is_in_the_batch(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "to_device", lambda device, tensor: tensor)
    log = log_of([[item + 1 for item in range(length)] for length in range(4, 24)], 30)
    split, generator = leave_one_out(log).train, torch.Generator().manual_seed(0)
    window = task.training_window(8)
    shortest, longest, short_window = np.arange(5), np.arange(15, 20), np.arange(5) * 3
    shapes = set()
    for users in (shortest, longest, short_window):
        batch = TrainingSequences.of(split, task, 8).batch(users, generator, META)
        assert len(batch.groups) == 1
        shapes.add((batch.groups[0].arguments[0].shape, batch.sequences.shape))
    assert shapes == {((5, 8), (5, window))}

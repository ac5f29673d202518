"""Training batches: whose sequences form one, and how these are laid out for the network.

The protocol decides which users form a batch; how they are laid out changes no result. A CPU gets
next to no padding (`GroupedBatches`); an accelerator gets the same shapes in every step, none of
which depends on numbers that the host would have to wait for (`PaddedBatches`).
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from seqrec.errors import SeqrecError
from seqrec.models.tasks import Task
from seqrec.protocol.log_tensors import LogTensors, log_for, to_device
from seqrec.protocol.splits import Split

PADDING_PER_GROUP = 512
"""Padded positions that cost about as much as one more call of the network, on a CPU."""

ROOM = 1024
"""Room for labels comes in multiples of this, so that it rarely changes from epoch to epoch."""

COUNTED_AT_ONCE = 4096
"""Users whose sequences are counted at a time."""


class Group(NamedTuple):
    """Sequences that go through the network together."""

    arguments: tuple[Tensor, ...]
    """What the network is called with: inputs `[sequences, time]` in rows of the item table and,
    if its task has times, these."""
    positions: Tensor
    """Which of the flattened inputs the loss is taken of, `[positions]`."""


class Batch(NamedTuple):
    """Users of one training step."""

    groups: list[Group]
    """Sequences of similar length, side by side."""
    targets: Tensor
    """Labels of all groups' positions, `[positions]`, in rows of the item table."""
    sequences: Tensor
    """Item numbers `[batch, longest]`, padded with 0 on the right."""
    counts: Sequence[int] | int
    """Positions of each sequence; one number where all have as many."""
    real: Tensor | None = None
    """Which positions have a label, bool `[positions]`; the others are padding. None: all have."""

    def labels(self) -> Tensor:
        """Count the labels, on the device."""
        return torch.tensor(len(self.targets)) if self.real is None else self.real.sum()


class Batches(Protocol):
    """Lays out the batches of an epoch."""

    def begin(self, order: Tensor) -> None:
        """Take the users of an epoch, int64 `[users]`, in the order of their batches."""

    def inputs(self, first: int) -> tuple[Tensor, ...]:
        """Return what `batch` needs for the users from place `first` of the order on."""

    def batch(self, *inputs: Tensor) -> Batch:
        """Turn the last items of a batch's users into inputs and labels, for which it may draw."""

    def room(self) -> int:
        """Return how many positions a batch has room for; 0 where each has as many as it needs."""


@dataclass(frozen=True)
class TrainingSequences:
    """What a network is trained on: the last items of every user who has enough of them."""

    split: Split
    task: Task
    window: int
    """Items of the longest sequence."""
    users: np.ndarray
    """int64 `[trainable users]`: those whose train part gives at least one label."""

    @classmethod
    def of(cls, split: Split, task: Task, max_length: int) -> "TrainingSequences":
        """Take the trainable users of `split`. Raises `SeqrecError` if there are none."""
        shortest = task.shortest()
        users = np.flatnonzero(split.ends - split.starts >= shortest)
        if len(users) == 0:
            raise SeqrecError(
                f"no user has {shortest} train interactions, so there is nothing to train on: two "
                "of each user's interactions are held out for validation and test."
            )
        return cls(split, task, task.training_window(max_length), users)

    def gather(
        self, log: LogTensors, starts: Tensor, ends: Tensor, longest: int
    ) -> tuple[Tensor, ...]:
        """Return the last items between bounds `[rows]` and, if the task has times, when they came.

        Each is `[rows, longest]`, padded with 0 on the right.
        """
        items = log.last_items(starts, ends, self.window, longest)
        if self.task.times is None:
            return (items,)
        return items, log.last_times(starts, ends, self.window, longest)

    def times_of(self, inputs: Tensor, times: Sequence[Tensor]) -> Iterator[Tensor]:
        """Cut the times of whole sequences to those that the task tells with the inputs.

        The last item of a sequence is a label alone, whose time only some tasks tell.
        """
        for each in times:
            yield each[:, : inputs.shape[1] + (self.task.times == "target")]

    def most_distinct_items(self) -> int:
        """Count the distinct items of the sequence that has the most."""
        most = 0
        for first in range(0, len(self.users), COUNTED_AT_ONCE):
            users = self.users[first : first + COUNTED_AT_ONCE]
            items = np.sort(self.split.last_items(users, self.window), axis=1)
            new = (items[:, 1:] != items[:, :-1]) & (items[:, 1:] > 0)
            most = max(most, int((new.sum(1) + (items[:, 0] > 0)).max()))
        return most


class GroupedBatches:
    """Sequences of similar length side by side, the longest first: for a CPU."""

    def __init__(
        self, sequences: TrainingSequences, batch_size: int, generator: torch.Generator
    ) -> None:
        """Prepare batches of `batch_size` users; the task draws from `generator`."""
        self.sequences, self.batch_size, self.generator = sequences, batch_size, generator
        self.log = log_for(torch.device("cpu"), sequences.split)

    def begin(self, order: Tensor) -> None:
        self.order = order

    def room(self) -> int:
        return 0

    def inputs(self, first: int) -> tuple[Tensor, ...]:
        return (self.order[first : first + self.batch_size],)

    def batch(self, *inputs: Tensor) -> Batch:
        (users,) = inputs
        starts, ends = self.sequences.split.bounds(users.numpy())
        lengths = np.minimum(ends - starts, self.sequences.window)
        order = np.argsort(-lengths, kind="stable")
        lengths = lengths[order]
        first, last = self.log.bounds(starts[order], ends[order])
        longest = max(1, int(lengths[0]))
        sequences, *times = self.sequences.gather(self.log, first, last, longest)
        rows, labels = self.sequences.task.training_batch(sequences, self.generator)
        labelled = labels > 0
        groups = []
        for group in length_groups(lengths, PADDING_PER_GROUP):
            time = max(1, int((rows[group.start] > 0).sum()))
            read = rows[group, :time]
            told = self.sequences.times_of(read, [each[group] for each in times])
            place = labelled[group, :time].flatten().nonzero()[:, 0]
            groups.append(Group((read, *told), place))
        return Batch(groups, labels[labelled], sequences, labelled.sum(1).tolist())


class PaddedBatches:
    """One group of always the same shape, so that kernels prepared for one step serve the next.

    Where the log is on the device, a batch is gathered there from the bounds of its histories.
    Where it is too large for that, a thread of the host gathers one batch ahead.
    """

    def __init__(
        self,
        sequences: TrainingSequences,
        batch_size: int,
        generator: torch.Generator,
        device: torch.device,
        *,
        labels_alone: bool,
    ) -> None:
        """Prepare batches of `batch_size` users; the task draws from `generator`, on the device.

        With `labels_alone`, a batch's positions are its labels and little padding; without, all
        that the network computes.
        """
        self.sequences, self.batch_size, self.generator = sequences, batch_size, generator
        self.device, self.labels_alone = device, labels_alone
        self.log = log_for(device, sequences.split)
        self.on_device = self.log.device.type == device.type
        self._room = 0
        self._thread = ThreadPoolExecutor(1)
        self._ahead: dict[int, Future[tuple[Tensor, ...]]] = {}

    def begin(self, order: Tensor) -> None:
        # The last batch is filled up with the first users, whose labels do not count there.
        users = np.resize(order.numpy(), (-(-len(order) // self.batch_size), self.batch_size))
        starts, ends = self.sequences.split.bounds(users.ravel())
        lengths = np.minimum(ends - starts, self.sequences.window).reshape(users.shape)
        most = self.sequences.task.most_labels(int(lengths.sum(1).max()), self.batch_size)
        self._room = max(self._room, -(-most // ROOM) * ROOM)  # enough for all epochs so far
        self.starts, self.ends = self.log.bounds(starts, ends)
        counted = torch.arange(users.size) < len(order)
        self.counted = to_device(self.device, counted)
        self._ahead.clear()

    def room(self) -> int:
        return self._room

    def inputs(self, first: int) -> tuple[Tensor, ...]:
        rows = slice(first, first + self.batch_size)
        if self.on_device:
            return self.starts[rows], self.ends[rows], self.counted[rows]
        found = self._ahead.pop(first, None) or self._thread.submit(self._gathered, first)
        if rows.stop < len(self.starts):
            self._ahead[rows.stop] = self._thread.submit(self._gathered, rows.stop)
        sent = (each.to(self.device, non_blocking=True) for each in found.result())
        return *sent, self.counted[rows]

    def _gathered(self, first: int) -> tuple[Tensor, ...]:
        rows = slice(first, first + self.batch_size)
        found = self._sequences(self.starts[rows], self.ends[rows])
        return tuple(each.pin_memory() for each in found)

    def _sequences(self, starts: Tensor, ends: Tensor) -> tuple[Tensor, ...]:
        return self.sequences.gather(self.log, starts, ends, self.sequences.window)

    def batch(self, *inputs: Tensor) -> Batch:
        *found, counted = inputs
        sequences, *times = self._sequences(*found) if self.on_device else found
        rows, labels = self.sequences.task.training_batch(sequences, self.generator)
        real = ((labels > 0) & counted[:, None]).flatten()
        targets, positions = labels.flatten() * real, torch.arange(real.numel(), device=self.device)
        if self.labels_alone:
            positions, real = first_places(real, min(self._room, len(real)))
            targets = targets[positions]
        group = Group((rows, *self.sequences.times_of(rows, times)), positions)
        return Batch([group], targets, sequences, labels.shape[1], real)


def make_batches(
    sequences: TrainingSequences,
    batch_size: int,
    generator: torch.Generator,
    device: torch.device,
    *,
    labels_alone: bool,
) -> Batches:
    """Return batches as a device wants them; what is drawn for them comes from `generator`.

    With `labels_alone`, the loss is to be taken of little else than labels.
    """
    if device.type == "cpu":
        return GroupedBatches(sequences, batch_size, generator)
    return PaddedBatches(sequences, batch_size, generator, device, labels_alone=labels_alone)


def first_places(marked: Tensor, room: int) -> tuple[Tensor, Tensor]:
    """List where `marked` `[places]` holds, `[room]`, filled up with the first of these.

    Also returns which of the list are not filling, bool `[room]`. The host waits for nothing.
    """
    found = marked.sum()
    torch._assert_async(found <= room, "a batch has more labels than room was made for")
    slot = torch.where(marked, marked.cumsum(0) - 1, room).clamp(max=room)
    places = slot.new_zeros(room + 1)
    places.scatter_(0, slot, torch.arange(len(marked), device=marked.device))
    real = torch.arange(room, device=marked.device) < found
    return torch.where(real, places[:-1], places[0]), real


def length_groups(lengths: Sequence[int] | np.ndarray, padding: int) -> Iterator[slice]:
    """Cut descending `lengths` into runs, each padded by at most `padding` positions."""
    start = padded = 0
    for row, length in enumerate(lengths):
        padded += lengths[start] - length
        if padded > padding:
            yield slice(start, row)
            start, padded = row, 0
    yield slice(start, len(lengths))


def most(counts: Sequence[int] | int) -> int:
    """Return how many positions the sequence has that has the most."""
    return counts if isinstance(counts, int) else max(counts)


def places(counts: Sequence[int] | int, longest: int, device: torch.device) -> Tensor | slice:
    """Return where each of `counts` positions a sequence stands in a flattened
    `[sequences, longest]`; one number of positions fills it."""
    if isinstance(counts, int):
        return slice(None)
    inside = torch.arange(longest) < torch.tensor(counts)[:, None]
    return to_device(device, inside.flatten().nonzero()[:, 0])

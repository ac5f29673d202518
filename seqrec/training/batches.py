"""Training batches with next to no padding: sequences of similar length side by side.

The protocol decides which users form a batch; how they are laid out for the network changes no
result. Everything is prepared on the host, so that it never waits for an accelerator.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.errors import SeqrecError
from seqrec.models.tasks import Task
from seqrec.protocol.ranking import to_device
from seqrec.protocol.splits import Split

PADDING_PER_GROUP = 512
"""Padded positions that cost about as much as one more call of the network, on a CPU."""

COUNTED_AT_ONCE = 4096
"""Users whose sequences are counted at a time."""


class Group(NamedTuple):
    """Sequences that go through the network together."""

    arguments: tuple[Tensor, ...]
    """What the network is called with: inputs `[sequences, time]` in rows of the item table and,
    if its task has times, these."""
    labelled: Tensor
    """Where the labelled positions stand in the flattened inputs."""


class Batch(NamedTuple):
    """Users of one training step, the longest sequences first."""

    groups: list[Group]
    """Sequences of similar length, side by side."""
    targets: Tensor
    """Labels of all groups' labelled positions, `[positions]`, in rows of the item table."""
    sequences: Tensor
    """Item numbers `[batch, longest]`, padded with 0 on the right."""
    counts: list[int]
    """Labelled positions of each sequence."""


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

    def batch(self, users: np.ndarray, generator: torch.Generator, device: torch.device) -> Batch:
        """Turn the last items of `users` into inputs and labels; the task draws from `generator`.

        On a CPU they come in groups with little padding. An accelerator gets a single group that
        always has the same shape, so that kernels prepared for one step serve the next.
        """
        lengths = np.minimum(self.split.lengths(users), self.window)
        order = np.argsort(-lengths, kind="stable")
        ordered = users[order]
        sequences = torch.from_numpy(self.split.last_items(ordered, self.window))
        on_cpu = device.type == "cpu"
        if not on_cpu:
            sequences = F.pad(sequences, (0, self.window - sequences.shape[1]))
        inputs, labels = self.task.training_batch(sequences, generator)
        times = self._times(ordered, sequences.shape[1])
        labelled = labels > 0
        groups = []
        for group in length_groups(lengths[order], PADDING_PER_GROUP if on_cpu else None):
            time = max(1, int((inputs[group.start] > 0).sum())) if on_cpu else inputs.shape[1]
            place = labelled[group, :time].flatten().nonzero()[:, 0]
            arguments = [inputs[group, :time]]
            if times is not None:
                arguments.append(times[group, : time + (self.task.times == "target")])
            on_device = tuple(to_device(device, argument) for argument in arguments)
            groups.append(Group(on_device, to_device(device, place)))
        return Batch(
            groups,
            to_device(device, labels[labelled]),
            to_device(device, sequences),
            labelled.sum(1).tolist(),
        )

    def _times(self, users: np.ndarray, longest: int) -> Tensor | None:
        """Return when the items of each sequence came, `[batch, longest]`, if the task has times.

        The last item of a sequence is a label alone, so that these are one more than the inputs.
        """
        if self.task.times is None:
            return None
        times = torch.from_numpy(self.split.last_times(users, self.window, with_targets=False))
        return F.pad(times, (0, longest - times.shape[1]))

    def most_distinct_items(self) -> int:
        """Count the distinct items of the sequence that has the most."""
        most = 0
        for first in range(0, len(self.users), COUNTED_AT_ONCE):
            users = self.users[first : first + COUNTED_AT_ONCE]
            items = np.sort(self.split.last_items(users, self.window), axis=1)
            new = (items[:, 1:] != items[:, :-1]) & (items[:, 1:] > 0)
            most = max(most, int((new.sum(1) + (items[:, 0] > 0)).max()))
        return most


def length_groups(lengths: Sequence[int] | np.ndarray, padding: int | None) -> Iterator[slice]:
    """Cut descending `lengths` into runs, each padded by at most `padding` positions.

    None puts all into one run.
    """
    start = padded = 0
    for row, length in enumerate(lengths):
        padded += lengths[start] - length
        if padding is not None and padded > padding:
            yield slice(start, row)
            start, padded = row, 0
    yield slice(start, len(lengths))


def places(counts: Sequence[int], longest: int, device: torch.device) -> Tensor:
    """Return where each of `counts` positions a sequence stands in a flattened
    `[sequences, longest]`."""
    inside = torch.arange(longest) < torch.tensor(counts)[:, None]
    return to_device(device, inside.flatten().nonzero()[:, 0])

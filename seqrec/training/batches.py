"""Training batches without padding to speak of: sequences of similar length side by side.

A batch is the users that the protocol puts together; how they are laid out for the network changes
no result. Everything is prepared on the host, so that no accelerator is ever waited for.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.models.tasks import Task
from seqrec.protocol.ranking import to_device
from seqrec.protocol.splits import Split, last_items

PADDING_PER_GROUP = 512
"""Padded positions that cost about as much as one more call of the network, on a CPU."""


class Batch(NamedTuple):
    """Users of one training step, the longest sequences first."""

    groups: list[tuple[Tensor, Tensor]]
    """Inputs `[sequences, time]` in rows of the item table, and where their labelled positions
    stand in the flattened inputs."""
    targets: Tensor
    """Labels of all groups' labelled positions, `[positions]`, in rows of the item table."""
    sequences: Tensor
    """Item numbers `[batch, longest]`, right-padded with 0."""
    counts: list[int]
    """Labelled positions of each sequence."""


def training_batch(
    split: Split,
    users: np.ndarray,
    window: int,
    task: Task,
    generator: torch.Generator,
    device: torch.device,
) -> Batch:
    """The last `window` items of each user, made into inputs and labels by the task.

    On a CPU these are groups with little padding. An accelerator has fewer calls and always the
    same shape to do: what has been prepared or recorded for one step serves the next.
    """
    lengths = np.minimum(split.lengths(users), window)
    order = np.argsort(-lengths, kind="stable")
    sequences = torch.from_numpy(last_items(split, users[order], window))
    on_cpu = device.type == "cpu"
    if not on_cpu:
        sequences = F.pad(sequences, (0, window - sequences.shape[1]))
    inputs, labels = task.training_batch(sequences, generator)
    labelled = labels > 0
    groups = []
    for group in length_groups(lengths[order], PADDING_PER_GROUP if on_cpu else None):
        time = max(1, int((inputs[group.start] > 0).sum())) if on_cpu else inputs.shape[1]
        place = labelled[group, :time].flatten().nonzero()[:, 0]
        groups.append((to_device(device, inputs[group, :time]), to_device(device, place)))
    return Batch(
        groups,
        to_device(device, labels[labelled]),
        to_device(device, sequences),
        labelled.sum(1).tolist(),
    )


def length_groups(lengths: Sequence[int] | np.ndarray, padding: int | None) -> Iterator[slice]:
    """Runs of `lengths`, which descend, that are each padded by at most `padding` positions.

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
    """Where each position stands in a flattened `[sequences, longest]` of the given counts."""
    inside = torch.arange(longest) < torch.tensor(counts)[:, None]
    return to_device(device, inside.flatten().nonzero()[:, 0])

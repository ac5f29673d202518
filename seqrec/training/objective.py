"""The objective of a training: encoder, loss and negatives of a configuration, put together."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from seqrec.experiment.schema import Loss
from seqrec.models.network import Network
from seqrec.protocol.splits import Split, item_counts, last_items
from seqrec.training import losses as losses
from seqrec.training.batches import Batch
from seqrec.training.negatives import NegativeSampler
from seqrec.training.precision import Engine

Encoder = Callable[[Tensor], Tensor]
"""Hidden states `[batch, time, width]`, in float32, of inputs `[batch, time]`."""


Objective = Callable[[Tensor, Batch], Tensor]
"""Loss of the hidden states `[positions, width]` of a batch's labelled positions."""


def make_sampler(
    split: Split, loss: Loss, seed: np.random.SeedSequence, device: torch.device
) -> NegativeSampler | None:
    """A sampler of the items that occur in training, for a loss that needs negatives."""
    if loss.negatives is None:
        return None
    train_items = torch.from_numpy(np.flatnonzero(item_counts(split))).to(device)
    return NegativeSampler(train_items, split.num_items, int(seed.generate_state(1)[0]))


def make_encoder(network: Network, engine: Engine) -> Encoder:
    """The network as it computes in training, compiled if asked for.

    On an accelerator, where batches have one shape (and the last of an epoch another), its kernels
    are then recorded and replayed at once: to launch them one by one can take longer than what they
    do.
    """
    forward: Encoder = network
    if engine.compile and engine.device.type == "cpu":
        forward = torch.compile(network)
    elif engine.compile:
        forward = torch.compile(network, mode="reduce-overhead", dynamic=False)
    narrow = engine.device.type == "cuda" and engine.precision == "bfloat16"

    def encode(inputs: Tensor) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16, enabled=narrow):
            return forward(inputs).float()

    return encode


def make_objective(
    network: Network,
    split: Split,
    users: np.ndarray,
    window: int,
    loss: Loss,
    sampler: NegativeSampler | None,
    engine: Engine,
) -> Objective:
    """The configured loss as a function of a batch; its negatives come from `sampler`."""
    arithmetic = (engine.logits_per_chunk, engine.product_type)
    if loss.kind == "cross-entropy":

        def full(hidden: Tensor, batch: Batch) -> Tensor:
            return losses.cross_entropy(hidden, batch.targets, network.item_table, *arithmetic)

        return full

    count = loss.negatives
    if count is None or sampler is None:
        raise ValueError(f"{loss.kind} needs negatives")
    shared = loss.sharing == "sequence"
    sampler.check(count, longest_distinct(split, users, window), distinct=shared)
    to_rows = network.task.special_rows - 1
    function = {
        "sampled-cross-entropy": losses.sampled_cross_entropy,
        "binary-cross-entropy": losses.binary_cross_entropy,
    }[loss.kind]

    def sampled(hidden: Tensor, batch: Batch) -> Tensor:
        if shared:
            negatives = sampler.without_replacement(batch.sequences, count)
            counts = batch.counts
        else:
            negatives = sampler.with_replacement(batch.sequences, batch.counts, count)
            counts = [1] * len(hidden)
        return function(
            hidden, batch.targets, network.item_table, negatives + to_rows, counts, *arithmetic
        )

    return sampled


def longest_distinct(split: Split, users: np.ndarray, window: int) -> int:
    """The most distinct items that any training sequence holds."""
    most = 0
    for first in range(0, len(users), 4096):
        items = np.sort(last_items(split, users[first : first + 4096], window), axis=1)
        new = (items[:, 1:] != items[:, :-1]) & (items[:, 1:] > 0)
        most = max(most, int((new.sum(1) + (items[:, 0] > 0)).max()))
    return most

"""The objective of a training: encoder, loss and negatives of a configuration, put together."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from seqrec.experiment.schema import Loss
from seqrec.models.network import Network
from seqrec.training import losses
from seqrec.training.arithmetic import Engine
from seqrec.training.batches import Batch, TrainingSequences
from seqrec.training.negatives import NegativeSampler

Encoder = Callable[[Tensor], Tensor]
"""Hidden states `[batch, time, width]`, in float32, of inputs `[batch, time]`."""

Objective = Callable[[Tensor, Batch], Tensor]
"""Loss of the hidden states `[positions, width]` of a batch's labelled positions."""


def make_encoder(network: Network, engine: Engine) -> Encoder:
    """Return the network as it computes in training, compiled if the engine asks for it.

    On an accelerator, where batches have one shape (and the last of an epoch another), the
    network's kernels are then recorded and replayed at once: launching them one by one can take
    longer than their work.
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


def make_sampler(
    sequences: TrainingSequences, loss: Loss, seed: np.random.SeedSequence, device: torch.device
) -> NegativeSampler | None:
    """Make a sampler of the items that occur in training; None for a loss without negatives.

    Raises `SeqrecError` where a sequence leaves too few items to draw from.
    """
    if loss.negatives is None:
        return None
    split = sequences.split
    train_items = torch.from_numpy(np.flatnonzero(split.item_counts())).to(device)
    sampler = NegativeSampler(train_items, split.num_items, int(seed.generate_state(1)[0]))
    shared = loss.sharing == "sequence"
    sampler.check(loss.negatives, sequences.most_distinct_items(), distinct=shared)
    return sampler


def make_objective(
    network: Network, loss: Loss, sampler: NegativeSampler | None, engine: Engine
) -> Objective:
    """Return the configured loss as a function of a batch; its negatives come from `sampler`."""
    arithmetic = (engine.logits_per_chunk, engine.product_type)
    if loss.kind == "cross-entropy":

        def full(hidden: Tensor, batch: Batch) -> Tensor:
            return losses.cross_entropy(hidden, batch.targets, network.item_table, *arithmetic)

        return full

    count = loss.negatives
    if count is None or sampler is None:
        raise ValueError(f"{loss.kind} needs negatives")
    to_rows = network.task.special_rows - 1
    function = {
        "sampled-cross-entropy": losses.sampled_cross_entropy,
        "binary-cross-entropy": losses.binary_cross_entropy,
    }[loss.kind]

    def sampled(hidden: Tensor, batch: Batch) -> Tensor:
        if loss.sharing == "sequence":
            negatives = sampler.without_replacement(batch.sequences, count)
            counts = batch.counts
        else:
            negatives = sampler.with_replacement(batch.sequences, batch.counts, count)
            counts = [1] * len(hidden)
        return function(
            hidden, batch.targets, network.item_table, negatives + to_rows, counts, *arithmetic
        )

    return sampled

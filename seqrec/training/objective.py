"""The objective of a training: encoder, loss and negatives of a configuration, put together."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.models.network import Network
from seqrec.training.arithmetic import Engine
from seqrec.training.batches import Batch, TrainingSequences
from seqrec.training.losses.registry import full_loss, sampled_loss_of
from seqrec.training.losses.sampled import Sampled
from seqrec.training.negatives import NegativeSampler, WeightedSampler

if TYPE_CHECKING:
    from seqrec.experiment.schema import Loss

Encoder = Callable[..., Tensor]
"""Hidden states `[batch, time, width]`, in float32, of what a network is called with."""

Objective = Callable[[Tensor, Batch], Tensor]
"""Loss of the hidden states `[positions, width]` of a batch's positions, zero for padding."""


def make_encoder(network: Network, engine: Engine) -> Encoder:
    """Return the network as it computes in training, compiled if the engine asks for it."""
    forward: Encoder = network
    if engine.compile:  # on an accelerator all batches have one shape
        dynamic = None if engine.device.type == "cpu" else False
        forward = torch.compile(network, dynamic=dynamic)
    narrow = engine.device.type == "cuda" and engine.precision == "bfloat16"

    def encode(*arguments: Tensor) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16, enabled=narrow):
            return forward(*arguments).float()

    return encode


def make_sampler(
    sequences: TrainingSequences, loss: "Loss", seed: np.random.SeedSequence, device: torch.device
) -> NegativeSampler | None:
    """Make a sampler of the items that occur in training; None for a loss without negatives.

    Raises `SeqrecError` where a sequence leaves too few items to draw from.
    """
    if loss.negatives is None:
        return None
    split = sequences.split
    counts, number = split.item_counts(), int(seed.generate_state(1)[0])
    shared = loss.sharing == "sequence"
    if loss.sampling == "uniform":
        train_items = torch.from_numpy(np.flatnonzero(counts)).to(device)
        sampler = NegativeSampler(train_items, split.num_items, number)
        sampler.check(loss.negatives, sequences.most_distinct_items(), distinct=shared)
        return sampler
    train_counts = torch.from_numpy(counts).to(device)
    sampler = WeightedSampler(train_counts, number, loss.sampling == "in-batch", loss.logq)
    sampler.check(loss.negatives, sequences.most_distinct_items(), distinct=False)
    return sampler


def make_objective(
    network: Network,
    loss: "Loss",
    sampler: NegativeSampler | None,
    engine: Engine,
    *,
    sparse: bool = False,
) -> Objective:
    """Return the configured loss as a function of a batch; its negatives come from `sampler`.

    With `sparse`, the gradient of the item table has rows for the batch's items alone.
    """
    arithmetic = (engine.logits_per_chunk, engine.product_type)
    special_rows = network.task.special_rows
    num_items = len(network.item_table) - special_rows
    if loss.negatives is None:
        over_all = full_loss(loss, num_items)

        def full(hidden: Tensor, batch: Batch) -> Tensor:
            return over_all(hidden, batch.targets, network.item_table, *arithmetic, batch.real)

        return full

    count, shared = loss.negatives, loss.sharing == "sequence"
    if sampler is None:
        raise ValueError(f"{loss.kind} needs negatives")
    of_negatives = sampled_loss_of(loss, num_items)
    to_rows = special_rows - 1

    def sampled(hidden: Tensor, batch: Batch) -> Tensor:
        drawn = sampler.draw(batch, batch.targets - to_rows, count, shared)
        arguments = Sampled(
            batch.targets,
            drawn.items + to_rows,
            drawn.counts,
            *arithmetic,
            distinct=drawn.distinct,
            correction=drawn.log_expected,
            real=batch.real,
        )
        table = network.item_table
        if sparse:
            table, arguments = rows_alone(table, arguments)
        return of_negatives(hidden, table, arguments)

    return sampled


def rows_alone(table: Tensor, arguments: Sampled) -> tuple[Tensor, Sampled]:
    """Cut a table down to the rows that a loss reads, `[rows read, width]`, and number these anew.

    The gradient that reaches `table` is sparse, so that no work grows with its rows.
    """
    targets, negatives = arguments.targets, arguments.negatives
    rows, place = torch.cat([targets, negatives.flatten()]).unique(return_inverse=True)
    read = arguments._replace(
        targets=place[: len(targets)], negatives=place[len(targets) :].view_as(negatives)
    )
    return F.embedding(rows, table, sparse=True), read

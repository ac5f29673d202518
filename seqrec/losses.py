"""Losses over an item table that never hold more logits than a chunk.

A loss takes the hidden states of labelled positions only, `[positions, width]`, their targets as
rows of the item table, and the table itself. Memory grows with `positions x width`, not with
`positions x items`: each chunk's gradient is computed right after its logits, in the forward pass,
and the logits are dropped.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LOGITS_PER_CHUNK = 1_000_000
"""Logits held at a time: 4 MB in float32, which stays in a CPU's cache."""


def cross_entropy(
    hidden: Tensor, targets: Tensor, table: Tensor, logits_per_chunk: int = LOGITS_PER_CHUNK
) -> Tensor:
    """Mean softmax cross-entropy over every row of the table (SASRec+, BERT4Rec, GRU4Rec).

    `hidden` `[positions, width]`, `targets` `[positions]`, `table` `[rows, width]`.
    """
    chunk = max(1, logits_per_chunk // len(table))
    return _CrossEntropy.apply(hidden, table, targets, chunk)


def sampled_cross_entropy(
    hidden: Tensor,
    targets: Tensor,
    table: Tensor,
    negatives: Tensor,
    sequence: Tensor,
    logits_per_chunk: int = LOGITS_PER_CHUNK,
) -> Tensor:
    """Mean cross-entropy of the target against its negatives (SASRec+ N).

    `sequence` `[positions]`, ascending, says which row of `negatives` `[sequences, N]` a position
    is scored against: one row a sequence where negatives are shared, one row a position otherwise.
    """

    def loss(logits: Tensor) -> Tensor:
        # The target stands first.
        return (torch.logsumexp(logits, 1) - logits[:, 0]).sum()

    return _mean_over_chunks(loss, hidden, targets, table, negatives, sequence, logits_per_chunk)


def binary_cross_entropy(
    hidden: Tensor,
    targets: Tensor,
    table: Tensor,
    negatives: Tensor,
    sequence: Tensor,
    logits_per_chunk: int = LOGITS_PER_CHUNK,
) -> Tensor:
    """Mean binary cross-entropy over the logits of targets and negatives (the original SASRec).

    Arguments as in `sampled_cross_entropy`.
    """

    def loss(logits: Tensor) -> Tensor:
        signs = torch.ones_like(logits)
        signs[:, 0] = -1.0
        return F.softplus(logits * signs).sum() / logits.shape[1]

    return _mean_over_chunks(loss, hidden, targets, table, negatives, sequence, logits_per_chunk)


class _CrossEntropy(torch.autograd.Function):
    """Full cross-entropy with its gradient, written out because it is where the time goes."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, table: Tensor, targets: Tensor, chunk: int) -> Tensor:
        grad_hidden = torch.empty_like(hidden)
        grad_table = torch.zeros_like(table)
        total = hidden.new_zeros(())
        for part in _slices(len(hidden), chunk):
            states, labels = hidden[part], targets[part, None]
            logits = states @ table.T
            maximum = logits.amax(1, keepdim=True)
            target_logits = logits.gather(1, labels) - maximum
            exponentials = logits.sub_(maximum).exp_()
            normaliser = exponentials.sum(1, keepdim=True)
            total += (normaliser.log() - target_logits).sum()
            # d loss / d logits = softmax - one-hot of the target
            grad_logits = exponentials.div_(normaliser)
            grad_logits.scatter_add_(1, labels, -torch.ones_like(target_logits))
            torch.mm(grad_logits, table, out=grad_hidden[part])
            grad_table.addmm_(grad_logits.T, states)
        ctx.save_for_backward(grad_hidden.div_(len(hidden)), grad_table.div_(len(hidden)))
        return total / len(hidden)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_hidden, grad_table = ctx.saved_tensors
        return grad_hidden * grad_outputs[0], grad_table * grad_outputs[0], None, None


def _mean_over_chunks(
    loss: Callable[[Tensor], Tensor],
    hidden: Tensor,
    targets: Tensor,
    table: Tensor,
    negatives: Tensor,
    sequence: Tensor,
    logits_per_chunk: int,
) -> Tensor:
    """Mean of `loss` (a sum over positions of `[positions, 1 + N]` logits, target first).

    Chunks end where a sequence ends, so that the negatives of a sequence are gathered once.
    """
    if len(negatives) == 0:
        raise ValueError("no sequence to take a loss of")
    counts = torch.bincount(sequence, minlength=len(negatives))
    chunks = list(_sequence_chunks(counts, negatives.shape[1], table.shape[1], logits_per_chunk))

    def chunk_loss(states: Tensor, items: Tensor, rows: slice, positions: slice) -> Tensor:
        width = items.shape[1]
        lengths = counts[rows]
        # [sequences, longest, width]: padding costs little inside a chunk and allows one product.
        padded = states.new_zeros(len(lengths), int(lengths.max()), width)
        index = sequence[positions] - rows.start
        offset = torch.arange(len(index), device=index.device) - (
            torch.cumsum(lengths, 0) - lengths
        ).repeat_interleave(lengths)
        padded = padded.index_put((index, offset), states)
        against = F.embedding(negatives[rows], items)
        negative_logits = torch.bmm(padded, against.transpose(1, 2))[index, offset]
        target_logits = (states * F.embedding(targets[positions], items)).sum(1, keepdim=True)
        return loss(torch.cat([target_logits, negative_logits], 1)) / len(hidden)

    return _Chunked.apply(hidden, table, chunk_loss, chunks)


class _Chunked(torch.autograd.Function):
    """A sum of chunk losses whose gradients are taken chunk by chunk in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        table: Tensor,
        chunk_loss: Callable[[Tensor, Tensor, slice, slice], Tensor],
        chunks: list[tuple[slice, slice]],
    ) -> Tensor:
        grad_hidden = torch.empty_like(hidden)
        grad_table = torch.zeros_like(table)
        total = hidden.new_zeros(())
        for rows, positions in chunks:
            with torch.enable_grad():
                states = hidden[positions].detach().requires_grad_()
                items = table.detach().requires_grad_()
                loss = chunk_loss(states, items, rows, positions)
            grad_hidden[positions], part = torch.autograd.grad(loss, (states, items))
            grad_table += part
            total += loss.detach()
        ctx.save_for_backward(grad_hidden, grad_table)
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_hidden, grad_table = ctx.saved_tensors
        return grad_hidden * grad_outputs[0], grad_table * grad_outputs[0], None, None


def _slices(length: int, chunk: int) -> Iterator[slice]:
    for start in range(0, length, chunk):
        yield slice(start, min(start + chunk, length))


def _sequence_chunks(
    counts: Tensor, negatives: int, width: int, logits_per_chunk: int
) -> Iterator[tuple[slice, slice]]:
    """Runs of whole sequences as (sequences, positions), each below the limit where one fits."""
    start = position = length = longest = 0
    for row, count in enumerate(counts.tolist()):
        # Each sequence is padded to the longest, and its negatives' vectors take memory too, as
        # much as `width` logits each.
        cost = (row - start + 1) * (max(longest, count) + width) * negatives
        if row > start and cost > logits_per_chunk:
            yield slice(start, row), slice(position, position + length)
            start, position, length, longest = row, position + length, 0, 0
        length += count
        longest = max(longest, count)
    yield slice(start, len(counts)), slice(position, position + length)

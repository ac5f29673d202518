"""Losses of the target and its negatives, chunk by chunk of logits.

What is computed from the logits are `Terms`: of a formula that has its gradient written by hand
(`terms`), or of any other, by autograd inside the chunk (`generic`). The products with the item
table, which take most of the time, are the same for all.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.training.batches import places
from seqrec.training.losses import chunks
from seqrec.training.losses.chunks import (
    LOGITS_PER_CHUNK,
    rounded_length,
    rounded_up,
    sequence_chunks,
    slices,
    spread,
)
from seqrec.training.losses.gradients import losses_of, mean_gradients, number_of
from seqrec.training.losses.terms import TermsOf, binary_terms, softmax_terms

LOGITS_PER_GATHER = 40
"""Logits that a product with the table gives in the time that it takes to gather one vector, and to
add its gradient."""


class Sampled(NamedTuple):
    """Arguments of a sampled loss besides the hidden states and the table."""

    targets: Tensor
    """Rows of the table, `[positions]`."""
    negatives: Tensor
    """Rows of the table, `[rows, N]`."""
    counts: Sequence[int] | int
    """How many successive positions are scored against each row of `negatives`: those of a sequence
    where negatives are shared, one each otherwise. One number where all rows have as many."""
    logits_per_chunk: int = LOGITS_PER_CHUNK
    product_type: torch.dtype | None = None
    """Type of the products with shared negatives; None for that of the hidden states."""
    distinct: bool = True
    """Whether the negatives of a row are known to differ from each other."""
    correction: Tensor | None = None
    """What to subtract from the negatives' logits, `[rows, N]`."""
    real: Tensor | None = None
    """Which positions are not padding, `[positions]`, None for all: padding's hidden states must be
    zero, and it does not count."""


def sampled_loss(hidden: Tensor, table: Tensor, terms: TermsOf, arguments: Sampled) -> Tensor:
    """Compute the mean over positions of a loss of their logits of target and negatives.

    `hidden` `[positions, width]`, `table` `[rows, width]`.
    """
    return _SampledLoss.apply(hidden, table, terms, arguments)


def sampled_cross_entropy(
    hidden: Tensor,
    targets: Tensor,
    table: Tensor,
    negatives: Tensor,
    counts: Sequence[int],
    logits_per_chunk: int = LOGITS_PER_CHUNK,
    product_type: torch.dtype | None = None,
) -> Tensor:
    """Compute the mean cross-entropy of the target against its negatives (SASRec+ N).

    The arguments are those of `Sampled`.
    """
    arguments = Sampled(targets, negatives, counts, logits_per_chunk, product_type)
    return sampled_loss(hidden, table, softmax_terms, arguments)


def binary_cross_entropy(
    hidden: Tensor,
    targets: Tensor,
    table: Tensor,
    negatives: Tensor,
    counts: Sequence[int],
    logits_per_chunk: int = LOGITS_PER_CHUNK,
    product_type: torch.dtype | None = None,
) -> Tensor:
    """Compute the mean binary cross-entropy of targets and negatives (the original SASRec).

    The arguments are those of `Sampled`.
    """
    arguments = Sampled(targets, negatives, counts, logits_per_chunk, product_type)
    return sampled_loss(hidden, table, binary_terms, arguments)


class _SampledLoss(torch.autograd.Function):
    """Mean over positions of a loss of their logits of target and negatives."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, table: Tensor, terms: TermsOf, arguments: Sampled
    ) -> Tensor:
        targets, negatives, counts = arguments[:3]
        if len(negatives) == 0:
            raise ValueError("no sequence to take a loss of")
        positives = table[targets]
        target_logits = (hidden * positives).sum(1)
        shared = len(negatives) < len(hidden)
        # Products for single positions are too small to gain from another type.
        kind = (arguments.product_type if shared else None) or hidden.dtype
        maskable = arguments.distinct and arguments.correction is None
        mostly = shared and maskable and 2 * negatives.shape[1] > len(table)
        single = counts == 1 or (not isinstance(counts, int) and set(counts) == {1})
        if single and len(table) < LOGITS_PER_GATHER * negatives.shape[1]:
            pieces = _picked_from_table
        else:
            pieces = _against_table if mostly else _against_negatives
        total, weights, grad_hidden, grad_table = pieces(
            hidden.to(kind), target_logits, table.to(kind), table, terms, arguments
        )
        grad_hidden.addcmul_(weights[:, None], positives)
        grad_table.index_add_(0, targets, weights[:, None] * hidden)
        ctx.save_for_backward(grad_hidden, grad_table)
        ctx.number = number_of(hidden, arguments.real)
        return total / ctx.number

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        return *mean_gradients(ctx, grad_outputs[0]), None, None


def _against_table(
    states: Tensor,
    target_logits: Tensor,
    rows: Tensor,
    table: Tensor,
    terms: TermsOf,
    arguments: Sampled,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the sum of the losses, their derivatives by target logits, and negatives' gradients.

    It suits distinct negatives that are most of the table, and that nothing corrects: computing all
    logits and masking the others costs less than gathering the negatives.
    """
    count, (_, negatives, counts, limit, *_) = len(states), arguments
    asked_for = rows.new_full((len(negatives), len(table)), -torch.inf).scatter_(1, negatives, 0.0)
    states, target_logits = rounded_up(states), rounded_up(target_logits)
    losses, weights = torch.empty_like(target_logits), torch.empty_like(target_logits)
    grad_hidden = table.new_empty(states.shape)
    grad_rows = table.new_zeros(table.T.shape)  # this way round the products are faster
    for part in slices(len(states), max(1, limit // len(table) // chunks.ROUND) * chunks.ROUND):
        logits = _with_rows(states[part] @ rows.T, asked_for, counts, part.start)
        found = terms(target_logits[part], logits, negatives.shape[1], None)
        scale = found.scale[:, None]
        losses[part], weights[part] = found.loss, found.by_target
        grad_hidden[part] = (found.by_negatives @ rows) * scale
        grad_rows += (states[part] * scale).to(rows.dtype).T @ found.by_negatives
    grad_table = grad_rows.T.contiguous()
    total = losses_of(losses[:count], arguments.real).sum()
    return total, weights[:count], grad_hidden[:count], grad_table


def _with_rows(logits: Tensor, added: Tensor, counts: Sequence[int] | int, first: int) -> Tensor:
    """Add to the logits of successive positions, from the `first` on, the row of their sequence."""
    if isinstance(counts, int):
        positions = torch.arange(first, first + len(logits), device=logits.device)
        return logits.add_(added[(positions // counts).clamp(max=len(added) - 1)])
    ends = list(accumulate(counts))
    for sequence in range(bisect_right(ends, first), len(ends)):
        start, end = ends[sequence] - counts[sequence] - first, ends[sequence] - first
        if start >= len(logits):
            break
        logits[max(0, start) : end] += added[sequence]
    return logits


def _against_negatives(
    states: Tensor,
    target_logits: Tensor,
    rows: Tensor,
    table: Tensor,
    terms: TermsOf,
    arguments: Sampled,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the same as `_against_table`, gathering each sequence's negatives from the table."""
    _, negatives, counts, limit, *_ = arguments
    correction = arguments.correction
    weights, grad_hidden = torch.empty_like(target_logits), table.new_empty(states.shape)
    grad_table, total = torch.zeros_like(table), table.new_zeros(())
    for group, part in sequence_chunks(counts, negatives, table.shape[1], limit):
        items, real = negatives[group], _part(arguments.real, part)
        # [sequences, longest, ...]: sequences side by side, so that one call does all.
        if isinstance(counts, int):
            shape, place = (len(items), counts), places(counts, counts, table.device)
        else:
            shape = (len(items), rounded_length(max(counts[group])))
            place = places(counts[group], shape[1], table.device)
        padded = spread(states[part], place, shape)
        vectors = F.embedding(items, rows)  # [sequences, N, width]; faster than indexing
        logits = padded @ vectors.transpose(1, 2)
        if correction is not None:
            logits -= correction[group, None].to(logits.dtype)
        known = real if isinstance(place, slice) else place
        found = terms(spread(target_logits[part], place, shape), logits, items.shape[1], known)
        scale = found.scale[..., None]
        total += losses_of(found.loss.flatten()[place], real).sum()
        weights[part] = found.by_target.flatten()[place]
        by_states = (found.by_negatives @ vectors) * scale
        grad_hidden[part] = by_states.flatten(0, 1)[place].to(table.dtype)
        by_vectors = found.by_negatives.transpose(1, 2) @ (padded * scale).to(rows.dtype)
        grad_table.index_add_(0, items.flatten(), by_vectors.flatten(0, 1).to(table.dtype))
    return total, weights, grad_hidden, grad_table


def _picked_from_table(
    states: Tensor,
    target_logits: Tensor,
    rows: Tensor,
    table: Tensor,
    terms: TermsOf,
    arguments: Sampled,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the same as `_against_negatives` where each position has negatives of its own.

    Gathering the vectors of many negatives takes longer than computing all logits and picking.
    """
    negatives, correction = arguments.negatives, arguments.correction
    total, weights = table.new_zeros(()), torch.empty_like(target_logits)
    grad_hidden, grad_rows = table.new_empty(states.shape), table.new_zeros(table.T.shape)
    for part in slices(len(states), max(1, arguments.logits_per_chunk // len(table))):
        items = negatives[part]
        logits = (states[part] @ rows.T).gather(1, items)
        if correction is not None:
            logits -= correction[part]
        real = _part(arguments.real, part)
        found = terms(target_logits[part], logits, items.shape[1], real)
        total += losses_of(found.loss, real).sum()
        weights[part] = found.by_target
        by_logits = rows.new_zeros(len(items), len(rows))
        by_logits.scatter_add_(1, items, found.by_negatives * found.scale[:, None])
        grad_hidden[part] = by_logits @ rows
        grad_rows += states[part].T @ by_logits
    return total, weights, grad_hidden, grad_rows.T.contiguous()


def _part(real: Tensor | None, part: slice) -> Tensor | None:
    return None if real is None else real[part]

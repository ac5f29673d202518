"""Losses over an item table that never hold more logits than a chunk.

A loss takes the hidden states of labelled positions only, `[positions, width]`, their targets as
rows of the item table, and the table itself. Memory grows with `positions x width`, not with
`positions x items`: each chunk's gradient is computed right after its logits, in the forward pass,
and the logits are dropped. Gradients are written out, because this is where the time goes.

`product_type` is the type of the matrix products with the table and of the logits; sums over
positions and everything else stay in the type of the hidden states. bfloat16 halves the memory
traffic, by which these products are bound.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.batches import places

LOGITS_PER_CHUNK = 16_000_000
"""Logits held at a time: few enough to stay in a CPU's cache, many enough to share a call's cost;
`make benchmark` shows how little depends on it."""

FEWEST_POSITIONS = 128
"""With room for fewer positions than this in a chunk, the full loss takes its chunks by items."""


def cross_entropy(
    hidden: Tensor,
    targets: Tensor,
    table: Tensor,
    logits_per_chunk: int = LOGITS_PER_CHUNK,
    product_type: torch.dtype | None = None,
) -> Tensor:
    """Mean softmax cross-entropy over every row of the table (SASRec+, BERT4Rec, GRU4Rec).

    `hidden` `[positions, width]`, `targets` `[positions]`, `table` `[rows, width]`.
    """
    kind = product_type or hidden.dtype
    return _CrossEntropy.apply(hidden, table, targets, logits_per_chunk, kind)


def sampled_cross_entropy(
    hidden: Tensor,
    targets: Tensor,
    table: Tensor,
    negatives: Tensor,
    counts: Sequence[int],
    logits_per_chunk: int = LOGITS_PER_CHUNK,
    product_type: torch.dtype | None = None,
) -> Tensor:
    """Mean cross-entropy of the target against its negatives (SASRec+ N).

    `counts` says how many successive positions are scored against each row of `negatives`
    `[rows, N]`: those of a sequence where negatives are shared, one each otherwise.
    """
    arguments = _Sampled(targets, negatives, counts, logits_per_chunk, product_type)
    return _SampledLoss.apply(hidden, table, _softmax_terms, arguments)


def binary_cross_entropy(
    hidden: Tensor,
    targets: Tensor,
    table: Tensor,
    negatives: Tensor,
    counts: Sequence[int],
    logits_per_chunk: int = LOGITS_PER_CHUNK,
    product_type: torch.dtype | None = None,
) -> Tensor:
    """Mean binary cross-entropy over the logits of targets and negatives (the original SASRec).

    Arguments as in `sampled_cross_entropy`.
    """
    arguments = _Sampled(targets, negatives, counts, logits_per_chunk, product_type)
    return _SampledLoss.apply(hidden, table, _binary_terms, arguments)


class _CrossEntropy(torch.autograd.Function):
    """Full cross-entropy; d loss / d logits is the softmax less the one-hot target."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, table: Tensor, targets: Tensor, limit: int, kind: torch.dtype
    ) -> Tensor:
        states, rows = hidden.to(kind), table.to(kind)
        few = limit // len(table) < FEWEST_POSITIONS and limit // len(hidden) >= 1
        pieces = _by_items if few else _by_positions
        total, grad_hidden, grad_table = pieces(states, rows, hidden, table, targets, limit)
        # The targets' part of the gradient, for all chunks at once and without rounding.
        grad_hidden -= table[targets]
        grad_table.index_add_(0, targets, hidden, alpha=-1.0)
        ctx.save_for_backward(grad_hidden, grad_table)
        return total / len(hidden)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        return *_mean_gradients(ctx, grad_outputs[0]), None, None, None


def _by_positions(
    states: Tensor, rows: Tensor, hidden: Tensor, table: Tensor, targets: Tensor, limit: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Sum of the losses and what all items but the targets do to the gradients.

    A chunk is some positions' logits of all items.
    """
    grad_hidden, grad_table = torch.empty_like(hidden), torch.zeros_like(table)
    total = hidden.new_zeros(())
    for part in _slices(len(hidden), max(1, limit // len(table))):
        probabilities = torch.softmax(states[part] @ rows.T, 1)
        total -= _log(probabilities.gather(1, targets[part, None])).sum()
        grad_hidden[part] = probabilities @ rows
        grad_table += probabilities.T @ states[part]
    return total, grad_hidden, grad_table


def _by_items(
    states: Tensor, rows: Tensor, hidden: Tensor, table: Tensor, targets: Tensor, limit: int
) -> tuple[Tensor, Tensor, Tensor]:
    """As `_by_positions`, where a chunk is all positions' logits of some items.

    Logits are computed twice, first for their normaliser; but the gradient of a large table, which
    takes longer to read and write than a few positions' logits, is written once.
    """
    parts = list(_slices(len(table), limit // len(hidden)))
    normaliser = hidden.new_full((len(hidden),), -torch.inf)
    for part in parts:
        logits = (states @ rows[part].T).to(hidden.dtype)
        normaliser = torch.logaddexp(normaliser, logits.logsumexp(1))
    grad_hidden, grad_table = torch.zeros_like(hidden), torch.empty_like(table)
    for part in parts:
        logits = (states @ rows[part].T).to(hidden.dtype)
        probabilities = logits.sub_(normaliser[:, None]).exp_().to(states.dtype)
        grad_hidden += probabilities @ rows[part]
        grad_table[part] = probabilities.T @ states
    target_logits = (hidden * table[targets]).sum(1)
    return (normaliser - target_logits).sum(), grad_hidden, grad_table


class _Sampled(NamedTuple):
    """What a sampled loss is told beside hidden states and table."""

    targets: Tensor
    negatives: Tensor
    counts: Sequence[int]
    logits_per_chunk: int
    product_type: torch.dtype | None


class _Terms(NamedTuple):
    """A loss of each position, and its derivatives by the logits."""

    loss: Tensor
    """`[...]`."""
    by_target: Tensor
    """d loss / d target logit, `[...]`."""
    by_negatives: Tensor
    """d loss / d negative logits, `[..., N]`, to be multiplied by `scale`."""
    scale: Tensor
    """`[...]`; kept apart, because the products to come are far smaller than the logits."""


def _softmax_terms(target: Tensor, negatives: Tensor, count: int) -> _Terms:
    """Cross-entropy of the target's logit `[...]` among those of its negatives `[..., items]`.

    `count` of these are negatives; the others' logits are minus infinity.
    """
    maximum = negatives.amax(-1).to(target.dtype)
    probabilities = torch.softmax(negatives, -1)  # among the negatives alone
    normaliser = maximum - _log(probabilities.amax(-1))
    total = torch.logaddexp(target, normaliser)
    return _Terms(
        total - target, torch.expm1(target - total), probabilities, (normaliser - total).exp()
    )


def _binary_terms(target: Tensor, negatives: Tensor, count: int) -> _Terms:
    """As `_softmax_terms`, with one decision for each logit."""
    share = 1 / (1 + count)
    loss = F.softplus(-target) + F.softplus(negatives).sum(-1, dtype=target.dtype)
    scale = torch.full_like(target, share)
    return _Terms(loss * share, -torch.sigmoid(-target) * share, torch.sigmoid(negatives), scale)


class _SampledLoss(torch.autograd.Function):
    """Mean over positions of a loss of their logits against target and negatives."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        table: Tensor,
        terms: Callable[[Tensor, Tensor, int], _Terms],
        arguments: _Sampled,
    ) -> Tensor:
        targets, negatives, counts, limit, product_type = arguments
        if len(counts) == 0:
            raise ValueError("no sequence to take a loss of")
        kind = product_type or hidden.dtype
        states, rows, positives = hidden.to(kind), table.to(kind), table[targets]
        target_logits = (hidden * positives).sum(1)
        weights = torch.empty_like(target_logits)
        grad_hidden = torch.empty_like(hidden)
        grad_table = torch.zeros_like(table)
        total = hidden.new_zeros(())
        shared = len(counts) < len(hidden)
        if shared and 2 * negatives.shape[1] > len(table):
            # Most of the table is asked for: all of it, less what is not, costs less to compute.
            left_out = torch.ones(len(counts), len(table), dtype=torch.bool, device=hidden.device)
            left_out.scatter_(1, negatives, False)
            lengths = torch.tensor(counts, device=hidden.device)
            sequence = torch.repeat_interleave(lengths, output_size=len(hidden))
            for part in _slices(len(hidden), max(1, limit // len(table))):
                logits = states[part] @ rows.T
                logits.masked_fill_(left_out[sequence[part]], -torch.inf)
                found = terms(target_logits[part], logits, negatives.shape[1])
                scale = found.scale[:, None]
                total += found.loss.sum()
                weights[part] = found.by_target
                grad_hidden[part] = (found.by_negatives @ rows) * scale
                grad_table += found.by_negatives.T @ (states[part] * scale).to(kind)
        else:
            for group, part in _sequence_chunks(counts, negatives.shape[1], len(table[0]), limit):
                place = places(counts[group], hidden.device)
                items = negatives[group]
                # [sequences, longest, ...]: sequences side by side, so that one call does all.
                shape = (len(items), max(counts[group]))
                padded = _spread(states[part], place, shape)
                vectors = rows[items]  # [sequences, N, width]
                logits = padded @ vectors.transpose(1, 2)
                found = terms(_spread(target_logits[part], place, shape), logits, len(items[0]))
                scale = found.scale[..., None]
                total += found.loss.flatten()[place].sum()
                weights[part] = found.by_target.flatten()[place]
                by_states = (found.by_negatives @ vectors) * scale
                grad_hidden[part] = by_states.flatten(0, 1)[place].to(hidden.dtype)
                by_vectors = found.by_negatives.transpose(1, 2) @ (padded * scale).to(kind)
                grad_table.index_add_(0, items.flatten(), by_vectors.flatten(0, 1).to(table.dtype))
        grad_hidden.addcmul_(weights[:, None], positives)
        grad_table.index_add_(0, targets, weights[:, None] * hidden)
        ctx.save_for_backward(grad_hidden, grad_table)
        return total / len(hidden)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        return *_mean_gradients(ctx, grad_outputs[0]), None, None


def _mean_gradients(ctx: Any, grad_output: Tensor) -> tuple[Tensor, Tensor]:
    """The saved gradients of a sum over positions as those of its mean."""
    grad_hidden, grad_table = ctx.saved_tensors
    weight = grad_output / len(grad_hidden)
    return grad_hidden * weight, grad_table * weight


def _log(probability: Tensor) -> Tensor:
    """In float32 at least; a probability too small for it counts as the smallest there is."""
    probability = probability if probability.dtype == torch.float64 else probability.float()
    return probability.clamp_min(torch.finfo(probability.dtype).tiny).log()


def _slices(length: int, chunk: int) -> Iterator[slice]:
    for start in range(0, length, chunk):
        yield slice(start, min(start + chunk, length))


def _sequence_chunks(
    counts: Sequence[int], negatives: int, width: int, logits_per_chunk: int
) -> Iterator[tuple[slice, slice]]:
    """Runs of whole sequences as (sequences, positions), each below the limit where one fits."""
    start = position = length = longest = 0
    for row, count in enumerate(counts):
        # Each sequence is padded to the longest, and its negatives' vectors take memory too, as
        # much as `width` logits each.
        cost = (row - start + 1) * (max(longest, count) + width) * negatives
        if row > start and cost > logits_per_chunk:
            yield slice(start, row), slice(position, position + length)
            start, position, length, longest = row, position + length, 0, 0
        length += count
        longest = max(longest, count)
    yield slice(start, len(counts)), slice(position, position + length)


def _spread(values: Tensor, place: Tensor, shape: tuple[int, int]) -> Tensor:
    """`[sequences, longest, ...]` with `values` `[positions, ...]` at their places, else zero."""
    spread = values.new_zeros(shape[0] * shape[1], *values.shape[1:])
    return spread.index_copy_(0, place, values).view(*shape, *values.shape[1:])

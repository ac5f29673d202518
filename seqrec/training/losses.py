"""Losses over an item table that never hold more logits than a chunk.

A loss takes the hidden states of labelled positions only, `[positions, width]`, their targets as
rows of the item table, and the table itself. Memory grows with `positions x width`, not with
`positions x items`: each chunk's gradient is computed right after its logits, in the forward pass,
and the logits are dropped. Gradients are written by hand, because most of the time is spent here.

`product_type` is the type of the matrix products with the table and of the logits; sums over
positions and everything else keep the type of the hidden states. These products are bound by memory
traffic, which bfloat16 halves.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.training.batches import places

LOGITS_PER_CHUNK = 16_000_000
"""Logits held at a time: few enough for a CPU's cache, many enough to share a call's cost."""


ROUND = 128
"""Positions of a chunk come in multiples of this. The library behind bfloat16 products prepares
code for each shape and keeps it: a new shape with each step costs time and, in the end, gigabytes.
"""


def cross_entropy(
    hidden: Tensor,
    targets: Tensor,
    table: Tensor,
    logits_per_chunk: int = LOGITS_PER_CHUNK,
    product_type: torch.dtype | None = None,
) -> Tensor:
    """Compute the mean cross-entropy over all rows of the table (SASRec+, BERT4Rec, GRU4Rec).

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
    """Compute the mean cross-entropy of the target against its negatives (SASRec+ N).

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
    """Compute the mean binary cross-entropy of targets and negatives (the original SASRec).

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
        count = len(hidden)
        states, labels = _rounded_up(hidden.to(kind)), _rounded_up(targets)
        # With room for few positions in a chunk, chunks of items are better.
        pieces = _by_positions if limit // len(table) >= ROUND else _by_items
        log_likelihood, grad_hidden, grad_table = pieces(
            states, labels, table.to(kind), table, limit
        )
        # The targets' part of the gradient, for all chunks at once and without rounding.
        grad_hidden = grad_hidden[:count] - table[targets]
        grad_table.index_add_(0, targets, hidden, alpha=-1.0)
        ctx.save_for_backward(grad_hidden, grad_table)
        return -log_likelihood[:count].sum() / count

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        return *_mean_gradients(ctx, grad_outputs[0]), None, None, None


def _by_positions(
    states: Tensor, labels: Tensor, rows: Tensor, table: Tensor, limit: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute each position's log-likelihood and the softmax's part of the gradients.

    `rows` is the table in the type of the products. A chunk is some positions' logits of all items.
    """
    log_likelihood = table.new_empty(len(states))
    grad_hidden = table.new_empty(states.shape)
    grad_rows = table.new_zeros(table.T.shape)  # this way round the products are faster
    for part in _slices(len(states), limit // len(rows) // ROUND * ROUND):
        probabilities = torch.softmax(states[part] @ rows.T, 1)
        log_likelihood[part] = _log(probabilities.gather(1, labels[part, None]))[:, 0]
        grad_hidden[part] = (probabilities @ rows).to(table.dtype)
        grad_rows += states[part].T @ probabilities
    return log_likelihood, grad_hidden, grad_rows.T.contiguous()


def _by_items(
    states: Tensor, labels: Tensor, rows: Tensor, table: Tensor, limit: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the same as `_by_positions` with chunks of all positions' logits of some items.

    Logits are computed twice, the first time for their normaliser. In return the gradient of a
    large table, which takes longer to read and write than the logits of a few positions, is written
    only once.
    """
    parts = list(_slices(len(rows), max(1, limit // len(states))))
    normaliser = table.new_full((len(states),), -torch.inf)
    for part in parts:
        logits = (states @ rows[part].T).to(table.dtype)
        normaliser = torch.logaddexp(normaliser, logits.logsumexp(1))
    grad_hidden, grad_table = table.new_zeros(states.shape), torch.empty_like(table)
    for part in parts:
        logits = (states @ rows[part].T).to(table.dtype)
        probabilities = logits.sub_(normaliser[:, None]).exp_().to(states.dtype)
        grad_hidden += probabilities @ rows[part]
        grad_table[part] = probabilities.T @ states
    label_logits = (states * rows[labels]).sum(1, dtype=table.dtype)
    return label_logits - normaliser, grad_hidden, grad_table


class _Sampled(NamedTuple):
    """Arguments of a sampled loss besides the hidden states and the table."""

    targets: Tensor
    negatives: Tensor
    counts: Sequence[int]
    logits_per_chunk: int
    product_type: torch.dtype | None


class _Terms(NamedTuple):
    """The loss of each position, and its derivatives by the logits."""

    loss: Tensor
    """`[...]`."""
    by_target: Tensor
    """d loss / d target logit, `[...]`."""
    by_negatives: Tensor
    """d loss / d negative logits, `[..., N]`, to be multiplied by `scale`."""
    scale: Tensor
    """`[...]`; kept apart, because the products to come are far smaller than the logits."""


TermsOf = Callable[[Tensor, Tensor, int], _Terms]
"""A loss of target logits `[...]`, negatives' logits `[..., items]` and the number of negatives."""


def _softmax_terms(target: Tensor, negatives: Tensor, count: int) -> _Terms:
    """Compute the cross-entropy of targets' logits `[...]` among their negatives' `[..., items]`.

    `count` of the items are negatives; the others' logits are minus infinity.
    """
    maximum = _largest(negatives).to(target.dtype)
    probabilities = torch.softmax(negatives, -1)  # among the negatives alone
    normaliser = maximum - _log(_largest(probabilities))
    total = torch.logaddexp(target, normaliser)
    return _Terms(
        total - target, torch.expm1(target - total), probabilities, (normaliser - total).exp()
    )


def _binary_terms(target: Tensor, negatives: Tensor, count: int) -> _Terms:
    """Compute the same as `_softmax_terms` for one binary decision per logit."""
    share = 1 / (1 + count)
    loss = F.softplus(-target) + F.softplus(negatives).sum(-1, dtype=target.dtype)
    scale = torch.full_like(target, share)
    return _Terms(loss * share, -torch.sigmoid(-target) * share, torch.sigmoid(negatives), scale)


class _SampledLoss(torch.autograd.Function):
    """Mean over positions of a loss of their logits of target and negatives."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        table: Tensor,
        terms: TermsOf,
        arguments: _Sampled,
    ) -> Tensor:
        targets, negatives, counts, _, product_type = arguments
        if len(counts) == 0:
            raise ValueError("no sequence to take a loss of")
        positives = table[targets]
        target_logits = (hidden * positives).sum(1)
        shared = len(counts) < len(hidden)
        # Products for single positions are too small to gain from another type.
        kind = (product_type if shared else None) or hidden.dtype
        mostly = shared and 2 * negatives.shape[1] > len(table)
        pieces = _against_table if mostly else _against_negatives
        total, weights, grad_hidden, grad_table = pieces(
            hidden.to(kind), target_logits, table.to(kind), table, terms, arguments
        )
        grad_hidden.addcmul_(weights[:, None], positives)
        grad_table.index_add_(0, targets, weights[:, None] * hidden)
        ctx.save_for_backward(grad_hidden, grad_table)
        return total / len(hidden)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        return *_mean_gradients(ctx, grad_outputs[0]), None, None


def _against_table(
    states: Tensor,
    target_logits: Tensor,
    rows: Tensor,
    table: Tensor,
    terms: TermsOf,
    arguments: _Sampled,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the sum of the losses, their derivatives by target logits, and negatives' gradients.

    It suits negatives that are most of the table: computing all logits and masking the others costs
    less than gathering the negatives.
    """
    count, (_, negatives, counts, limit, _) = len(states), arguments
    asked_for = rows.new_full((len(counts), len(table)), -torch.inf).scatter_(1, negatives, 0.0)
    ends = list(accumulate(counts))
    states, target_logits = _rounded_up(states), _rounded_up(target_logits)
    losses, weights = torch.empty_like(target_logits), torch.empty_like(target_logits)
    grad_hidden = table.new_empty(states.shape)
    grad_rows = table.new_zeros(table.T.shape)  # this way round the products are faster
    for part in _slices(len(states), max(1, limit // len(table) // ROUND) * ROUND):
        logits = states[part] @ rows.T
        for sequence in range(bisect_right(ends, part.start), len(ends)):
            start, end = ends[sequence] - counts[sequence] - part.start, ends[sequence] - part.start
            if start >= len(logits):
                break
            logits[max(0, start) : end] += asked_for[sequence]
        found = terms(target_logits[part], logits, negatives.shape[1])
        scale = found.scale[:, None]
        losses[part], weights[part] = found.loss, found.by_target
        grad_hidden[part] = (found.by_negatives @ rows) * scale
        grad_rows += (states[part] * scale).to(rows.dtype).T @ found.by_negatives
    grad_table = grad_rows.T.contiguous()
    return losses[:count].sum(), weights[:count], grad_hidden[:count], grad_table


def _against_negatives(
    states: Tensor,
    target_logits: Tensor,
    rows: Tensor,
    table: Tensor,
    terms: TermsOf,
    arguments: _Sampled,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the same as `_against_table`, gathering each sequence's negatives from the table."""
    _, negatives, counts, limit, _ = arguments
    weights, grad_hidden = torch.empty_like(target_logits), table.new_empty(states.shape)
    grad_table, total = torch.zeros_like(table), table.new_zeros(())
    for group, part in _sequence_chunks(counts, negatives.shape[1], table.shape[1], limit):
        items = negatives[group]
        # [sequences, longest, ...]: sequences side by side, so that one call does all.
        shape = (len(items), _rounded_length(max(counts[group])))
        place = places(counts[group], shape[1], table.device)
        padded = _spread(states[part], place, shape)
        vectors = F.embedding(items, rows)  # [sequences, N, width]; faster than indexing
        logits = padded @ vectors.transpose(1, 2)
        found = terms(_spread(target_logits[part], place, shape), logits, items.shape[1])
        scale = found.scale[..., None]
        total += found.loss.flatten()[place].sum()
        weights[part] = found.by_target.flatten()[place]
        by_states = (found.by_negatives @ vectors) * scale
        grad_hidden[part] = by_states.flatten(0, 1)[place].to(table.dtype)
        by_vectors = found.by_negatives.transpose(1, 2) @ (padded * scale).to(rows.dtype)
        grad_table.index_add_(0, items.flatten(), by_vectors.flatten(0, 1).to(table.dtype))
    return total, weights, grad_hidden, grad_table


def _mean_gradients(ctx: Any, grad_output: Tensor) -> tuple[Tensor, Tensor]:
    """Turn the saved gradients of a sum over positions into those of its mean."""
    grad_hidden, grad_table = ctx.saved_tensors
    weight = grad_output / len(grad_hidden)
    return grad_hidden * weight, grad_table * weight


def _log(probability: Tensor) -> Tensor:
    """Take the logarithm in float32 at least; too small a probability counts as the smallest."""
    probability = probability if probability.dtype == torch.float64 else probability.float()
    return probability.clamp_min(torch.finfo(probability.dtype).tiny).log()


def _largest(x: Tensor) -> Tensor:
    """Find the largest along the last dimension.

    A CPU compares 16-bit integers many times as fast as bfloat16: as integers, the bits of
    non-negative numbers are in the same order, those of negative ones in the reverse.
    """
    if x.dtype != torch.bfloat16:
        return x.amax(-1)
    bits = x.view(torch.int16)
    up, down = bits.amax(-1), bits.amin(-1)
    return torch.where(up >= 0, up, down).view(x.dtype)


def _rounded_up(positions: Tensor) -> Tensor:
    """Append zeros to `[positions, ...]` up to a multiple of `ROUND`.

    A state of zeros adds nothing to the table's gradient, whatever its logits.
    """
    missing = -len(positions) % ROUND
    return torch.cat([positions, positions.new_zeros(missing, *positions.shape[1:])])


def _slices(length: int, chunk: int) -> Iterator[slice]:
    for start in range(0, length, chunk):
        yield slice(start, min(start + chunk, length))


def _sequence_chunks(
    counts: Sequence[int], negatives: int, width: int, logits_per_chunk: int
) -> Iterator[tuple[slice, slice]]:
    """Cut whole sequences into runs of (sequences, positions), below the limit where possible."""
    start = position = length = longest = 0
    for row, count in enumerate(counts):
        # Each sequence is padded to the longest, and its negatives' vectors take memory too, as
        # much as `width` logits each.
        cost = (row - start + 1) * (_rounded_length(max(longest, count)) + width) * negatives
        if row > start and cost > logits_per_chunk:
            yield slice(start, row), slice(position, position + length)
            start, position, length, longest = row, position + length, 0, 0
        length += count
        longest = max(longest, count)
    yield slice(start, len(counts)), slice(position, position + length)


def _rounded_length(length: int) -> int:
    """Round a longer sequence's length up to a multiple of eight, for the reason of `ROUND`."""
    return length if length < 8 else -(-length // 8) * 8


def _spread(values: Tensor, place: Tensor, shape: tuple[int, int]) -> Tensor:
    """Put `values` `[positions, ...]` at their places in `[sequences, longest, ...]`, else zero."""
    spread = values.new_zeros(shape[0] * shape[1], *values.shape[1:])
    return spread.index_copy_(0, place, values).view(*shape, *values.shape[1:])

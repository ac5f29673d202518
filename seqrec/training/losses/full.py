"""Cross-entropy over all items, with its gradient written by hand: most of the time is spent here.

Each chunk's gradient is computed right after its logits, in the forward pass, and the logits are
dropped. `product_type` is the type of the matrix products with the table and of the logits; sums
over positions and everything else keep the type of the hidden states. These products are bound by
memory traffic, which bfloat16 halves.
"""

from typing import Any

import torch
from torch import Tensor

from seqrec.training.losses import chunks
from seqrec.training.losses.chunks import LOGITS_PER_CHUNK, rounded_up, slices
from seqrec.training.losses.gradients import log_of, losses_of, mean_gradients, number_of


def cross_entropy(
    hidden: Tensor,
    targets: Tensor,
    table: Tensor,
    logits_per_chunk: int = LOGITS_PER_CHUNK,
    product_type: torch.dtype | None = None,
    real: Tensor | None = None,
) -> Tensor:
    """Compute the mean cross-entropy over all rows of the table (SASRec+, BERT4Rec, GRU4Rec).

    `hidden` `[positions, width]`, `targets` `[positions]`, `table` `[rows, width]`. Positions that
    are not `real` `[positions]` are padding: their hidden states must be zero, and they do not
    count.
    """
    kind = product_type or hidden.dtype
    return _CrossEntropy.apply(hidden, table, targets, logits_per_chunk, kind, real)


class _CrossEntropy(torch.autograd.Function):
    """Full cross-entropy; d loss / d logits is the softmax less the one-hot target."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        table: Tensor,
        targets: Tensor,
        limit: int,
        kind: torch.dtype,
        real: Tensor | None,
    ) -> Tensor:
        count = len(hidden)
        states, labels = rounded_up(hidden.to(kind)), rounded_up(targets)
        # With room for few positions in a chunk, chunks of items are better.
        pieces = _by_positions if limit // len(table) >= chunks.ROUND else _by_items
        log_likelihood, grad_hidden, grad_table = pieces(
            states, labels, table.to(kind), table, limit
        )
        # The targets' part of the gradient, for all chunks at once and without rounding.
        grad_hidden = grad_hidden[:count] - table[targets]
        grad_table.index_add_(0, targets, hidden, alpha=-1.0)
        ctx.save_for_backward(grad_hidden, grad_table)
        ctx.number = number_of(hidden, real)
        return -losses_of(log_likelihood[:count], real).sum() / ctx.number

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        return *mean_gradients(ctx, grad_outputs[0]), None, None, None, None


def _by_positions(
    states: Tensor, labels: Tensor, rows: Tensor, table: Tensor, limit: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute each position's log-likelihood and the softmax's part of the gradients.

    `rows` is the table in the type of the products. A chunk is some positions' logits of all items.
    """
    log_likelihood = table.new_empty(len(states))
    grad_hidden = table.new_empty(states.shape)
    grad_rows = table.new_zeros(table.T.shape)  # this way round the products are faster
    for part in slices(len(states), limit // len(rows) // chunks.ROUND * chunks.ROUND):
        probabilities = torch.softmax(states[part] @ rows.T, 1)
        log_likelihood[part] = log_of(probabilities.gather(1, labels[part, None]))[:, 0]
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
    parts = list(slices(len(rows), max(1, limit // len(states))))
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

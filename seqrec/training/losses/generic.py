"""Any formula of logits as a loss: autograd inside each chunk, so that no more logits are held.

Once a chunk's logits are computed, the formula's gradient by them is taken, both are turned into
gradients of the hidden states and of the item table, and the chunk is dropped.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seqrec.training.losses.chunks import LOGITS_PER_CHUNK, slices
from seqrec.training.losses.gradients import mean_gradients, number_of
from seqrec.training.losses.sampled import Sampled, sampled_loss
from seqrec.training.losses.terms import Terms, TermsOf

Formula = Callable[[Tensor, Tensor], Tensor]
"""Losses `[positions]` of the logits of targets and negatives, or of all logits and the targets;
see `formulas`."""


def full_by_autograd(
    formula: Formula,
    hidden: Tensor,
    targets: Tensor,
    table: Tensor,
    logits_per_chunk: int = LOGITS_PER_CHUNK,
    product_type: torch.dtype | None = None,
    real: Tensor | None = None,
) -> Tensor:
    """Compute the mean of a formula of the logits `[positions, rows]` and the targets' rows.

    `hidden` `[positions, width]`, `targets` `[positions]`, `table` `[rows, width]`, and `real` as
    in `full.cross_entropy`. A chunk holds one position's logits at least. The formula gets them in
    the type of `hidden`.
    """
    kind = product_type or hidden.dtype
    return _FullLoss.apply(hidden, table, formula, targets, logits_per_chunk, kind, real)


def sampled_by_autograd(
    formula: Formula, hidden: Tensor, table: Tensor, arguments: Sampled
) -> Tensor:
    """Compute the mean of a formula of the logits of targets and negatives.

    The formula gets the logits in the type of `hidden`, whatever that of the products is.
    """
    return sampled_loss(hidden, table, terms_by_autograd(formula), _in_rows_of_a_chunk(arguments))


def terms_by_autograd(formula: Formula) -> TermsOf:
    """Return what the hand-written functions of `terms` compute, for any formula."""

    def terms(target: Tensor, negatives: Tensor, count: int, place: Tensor | None) -> Terms:
        logits = (target.flatten(), negatives.flatten(0, -2))
        if place is None or len(place) == len(logits[0]):
            found = _gradients(formula, *(each.to(target.dtype) for each in logits))
            if place is not None and place.dtype == torch.bool:
                found = _without_padding(found, place)
        else:  # padding is not shown to the formula, whose gradient might not be finite there
            real = _gradients(formula, *(each[place].to(target.dtype) for each in logits))
            found = tuple(
                each.new_zeros(len(logits[0]), *each.shape[1:]).index_copy_(0, place, each)
                for each in real
            )
        loss, by_target = (each.view_as(target) for each in found[:2])
        by_negatives = found[2].view_as(negatives).to(negatives.dtype)
        return Terms(loss, by_target, by_negatives, torch.ones_like(target))

    return terms


def _without_padding(found: tuple[Tensor, ...], real: Tensor) -> tuple[Tensor, ...]:
    """Zero what is found for padding, where a formula's gradient might not be finite."""
    return tuple(each.masked_fill(~real.view(-1, *[1] * (each.dim() - 1)), 0.0) for each in found)


def _gradients(formula: Formula, *inputs: Tensor) -> tuple[Tensor, ...]:
    """Return the formula's losses `[positions]` and their derivatives by the float inputs."""
    leaves = [each.detach() for each in inputs]
    logits = [each.requires_grad_() for each in leaves if each.is_floating_point()]
    with torch.enable_grad():
        loss = formula(*leaves)
        gradients = torch.autograd.grad(loss.sum(), logits, materialize_grads=True)
    return loss.detach(), *gradients


class _FullLoss(torch.autograd.Function):
    """Mean over positions of a formula of the logits of all rows."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        table: Tensor,
        formula: Formula,
        targets: Tensor,
        limit: int,
        kind: torch.dtype,
        real: Tensor | None,
    ) -> Tensor:
        states, rows = hidden.to(kind), table.to(kind)
        grad_hidden, grad_table = torch.empty_like(hidden), torch.zeros_like(table)
        total = table.new_zeros(())
        for part in slices(len(states), max(1, limit // len(rows))):
            logits = (states[part] @ rows.T).to(hidden.dtype)
            found = _gradients(formula, logits, targets[part])
            loss, by_logits = found if real is None else _without_padding(found, real[part])
            total += loss.sum()
            by_logits = by_logits.to(kind)
            grad_hidden[part] = (by_logits @ rows).to(hidden.dtype)
            grad_table += by_logits.T @ states[part]
        ctx.save_for_backward(grad_hidden, grad_table)
        ctx.number = number_of(hidden, real)
        return total / ctx.number

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        return *mean_gradients(ctx, grad_outputs[0]), None, None, None, None, None


def _in_rows_of_a_chunk(arguments: Sampled) -> Sampled:
    """Cut sequences whose logits alone are more than a chunk, so that none is scored at once."""
    negatives, counts = arguments.negatives, arguments.counts
    most = max(1, arguments.logits_per_chunk // negatives.shape[1])
    most -= most % 8 if most > 8 else 0  # see `chunks.rounded_length`
    correction = arguments.correction
    # Gathered: a formula has no use for the logits of items that are no negatives.
    arguments = arguments._replace(distinct=False)
    if isinstance(counts, int) and counts > most:
        length = max(length for length in range(1, most + 1) if counts % length == 0)
        return arguments._replace(
            negatives=negatives.repeat_interleave(counts // length, 0),
            counts=length,
            correction=None
            if correction is None
            else correction.repeat_interleave(counts // length, 0),
        )
    if isinstance(counts, int) or not counts or max(counts) <= most:
        return arguments
    pieces = [[len(range(part.start, part.stop)) for part in slices(n, most)] for n in counts]
    rows = torch.tensor([row for row, piece in enumerate(pieces) for _ in piece])
    rows = rows.to(negatives.device)
    return arguments._replace(
        negatives=negatives[rows],
        counts=[length for piece in pieces for length in piece],
        correction=None if correction is None else correction[rows],
    )

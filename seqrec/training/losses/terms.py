"""Sampled losses with gradients written by hand: a loss of logits, and its derivatives by them.

Each computes the formula of its name in `formulas`, over logits `[..., N]`. Items that are not
among the negatives may be there with logits of minus infinity; they change nothing.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.training.losses.gradients import largest, log_of


class Terms(NamedTuple):
    """The loss of each position, and its derivatives by the logits."""

    loss: Tensor
    """`[...]`."""
    by_target: Tensor
    """d loss / d target logit, `[...]`."""
    by_negatives: Tensor
    """d loss / d negative logits, `[..., N]`, to be multiplied by `scale`."""
    scale: Tensor
    """`[...]`; kept apart, because the products to come are far smaller than the logits."""


TermsOf = Callable[[Tensor, Tensor, int, Tensor | None], Terms]
"""A loss of target logits `[...]`, negatives' logits `[..., items]`, the number of negatives, and
which of the flattened targets are not padding: their places, a mask, or None for all."""


def softmax_terms(
    target: Tensor, negatives: Tensor, count: int, place: Tensor | None = None
) -> Terms:
    """Compute the cross-entropy of targets' logits `[...]` among their negatives' `[..., items]`.

    `count` of the items are negatives; the others' logits are minus infinity.
    """
    maximum = largest(negatives).to(target.dtype)
    probabilities = torch.softmax(negatives, -1)  # among the negatives alone
    normaliser = maximum - log_of(largest(probabilities))
    total = torch.logaddexp(target, normaliser)
    return Terms(
        total - target, torch.expm1(target - total), probabilities, (normaliser - total).exp()
    )


def binary_terms(
    target: Tensor,
    negatives: Tensor,
    count: int,
    place: Tensor | None = None,
    power: float = 1.0,
) -> Terms:
    """Compute the same as `softmax_terms` for one binary decision per logit.

    The target's probability is raised to `power` (gBCE).
    """
    share = 1 / (1 + count)
    loss = power * F.softplus(-target) + F.softplus(negatives).sum(-1, dtype=target.dtype)
    scale = torch.full_like(target, share)
    by_target = -torch.sigmoid(-target) * share * power
    return Terms(loss * share, by_target, torch.sigmoid(negatives), scale)

"""What hand-written gradients share."""

from typing import Any

import torch
from torch import Tensor


def number_of(positions: Tensor, real: Tensor | None) -> int | Tensor:
    """Count the positions that are `real`, all if that is None; at least one."""
    return len(positions) if real is None else real.sum().clamp(min=1)


def losses_of(loss: Tensor, real: Tensor | None) -> Tensor:
    """Zero the losses `[positions]` of padding, if there is any."""
    return loss if real is None else loss.masked_fill(~real, 0.0)


def mean_gradients(ctx: Any, grad_output: Tensor) -> tuple[Tensor, Tensor]:
    """Turn the saved gradients of a sum over `ctx.number` positions into those of its mean."""
    grad_hidden, grad_table = ctx.saved_tensors
    weight = grad_output / ctx.number
    return grad_hidden * weight, grad_table * weight


def log_of(probability: Tensor) -> Tensor:
    """Take the logarithm in float32 at least; too small a probability counts as the smallest."""
    probability = probability if probability.dtype == torch.float64 else probability.float()
    return probability.clamp_min(torch.finfo(probability.dtype).tiny).log()


def largest(x: Tensor) -> Tensor:
    """Find the largest along the last dimension.

    A CPU compares 16-bit integers many times as fast as bfloat16: as integers, the bits of
    non-negative numbers are in the same order, those of negative ones in the reverse.
    """
    if x.dtype != torch.bfloat16:
        return x.amax(-1)
    bits = x.view(torch.int16)
    up, down = bits.amax(-1), bits.amin(-1)
    return torch.where(up >= 0, up, down).view(x.dtype)

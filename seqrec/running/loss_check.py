"""Check a custom loss on made-up logits before anything is trained with it.

A loss that mixes positions depends on how the work is cut into chunks; one without a gradient, or
with the wrong sign, trains without complaint and teaches nothing, or the opposite.
"""

import inspect

import torch
from torch import Tensor

from seqrec.errors import SeqrecError
from seqrec.experiment.custom import LOSS, custom_code, custom_module
from seqrec.experiment.schema import Loss
from seqrec.training.losses.generic import Formula
from seqrec.training.losses.registry import formula_of, function_of
from seqrec.wording import quoted

POSITIONS = 32
"""Enough that a loss which is 0 for many logits, as one with a margin, is not so for all."""
MOST_LOGITS = 1_000
"""Logits of a position that a loss over all items is tried on."""
LARGEST_LOGIT = 20.0
"""Trained networks give logits of this size now and then; sigmoid(20) is 1 in float32."""
ROUNDING_TOLERANCE = 1e-4
"""Largest difference between equal losses, relative to the largest."""


def check_loss(loss: Loss, num_items: int, device: torch.device) -> None:
    """Try a custom loss on made-up logits, small and large, of some positions and of one.

    Draws from torch's random stream. Raises a `SeqrecError` that names the line of the function and
    says what is wrong with it.
    """
    with custom_code(loss.kind, "on made-up logits", all_of_it=True, role=LOSS):
        formula = formula_of(loss, num_items)
        violation, reached = None, set[str]()
        for largest in (1.0, LARGEST_LOGIT):
            inputs = _logits(loss, num_items, largest, device)
            violation = violation or _first_violation(formula, inputs, largest, reached)
        for name in ("logits",) if loss.negatives is None else ("target", "negatives"):
            if name not in reached:
                violation = violation or (
                    f"no gradient reaches {name}: the loss does not depend on it."
                )
        if violation:
            raise SeqrecError(f"loss.kind {quoted(loss.kind)}{_place(loss)}: {violation}")


def _logits(
    loss: Loss, num_items: int, largest: float, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Make up the logits of target and negatives, or all logits and the target's row."""
    columns = min(num_items + 1, MOST_LOGITS) if loss.negatives is None else 1 + loss.negatives
    logits = largest * (2 * torch.rand(POSITIONS, columns, device=device) - 1)
    if loss.negatives is None:
        return logits, torch.randint(1, columns, (POSITIONS,), device=device)
    return logits[:, 0].contiguous(), logits[:, 1:].contiguous()


def _first_violation(
    formula: Formula, inputs: tuple[Tensor, Tensor], largest: float, reached: set[str]
) -> str | None:
    """Describe the first rule that the formula breaks, and its remedy; None if there is none.

    Adds to `reached` the names of the logits that a gradient reaches.
    """
    leaves = [each.clone() for each in inputs]
    logits = [each.requires_grad_() for each in leaves if each.is_floating_point()]
    losses = formula(*leaves)
    if violation := _in_form(losses, POSITIONS, inputs[0].dtype):
        return violation
    if not bool(torch.isfinite(losses).all()):
        return (
            f"it is not finite for logits of -{largest:g} to {largest:g}. Write log(sigmoid(x)) as "
            "F.logsigmoid(x), log(1 + exp(x)) as F.softplus(x), log(sum(exp(x))) as x.logsumexp(1)."
        )
    if violation := _in_gradients(losses, logits, inputs, largest, reached):
        return violation
    return _in_mixing(formula, inputs, losses.detach())


def _in_form(losses: object, positions: int, kind: torch.dtype) -> str | None:
    if not isinstance(losses, Tensor):
        found = type(losses).__name__
    elif list(losses.shape) != [positions] or losses.dtype != kind:
        found = f"{losses.dtype} of shape {list(losses.shape)}"
    else:
        return None
    return (
        f"it gives {found} for {positions} position{'s' if positions > 1 else ''}, and must give "
        f"one loss for each, {kind} of shape [{positions}]. Leave out a mean over positions; "
        "over the negatives it is .mean(1)."
    )


def _in_gradients(
    losses: Tensor,
    logits: list[Tensor],
    inputs: tuple[Tensor, Tensor],
    largest: float,
    reached: set[str],
) -> str | None:
    """Describe a gradient that is missing, mixes positions, is not finite or has the wrong sign."""
    if not losses.requires_grad:
        return (
            "no gradient reaches the logits. Look for detach, .item(), a comparison, argmax, round "
            "or a detour through numpy."
        )
    gradients = torch.autograd.grad(losses.sum(), logits, retain_graph=True, materialize_grads=True)
    if not all(bool(torch.isfinite(each).all()) for each in gradients):
        return f"its gradient is not finite for logits of -{largest:g} to {largest:g}."
    first = torch.autograd.grad(losses[0], logits, materialize_grads=True)
    if any(bool(each[1:].any()) for each in first):
        return MIXES
    names = ("logits",) if len(logits) == 1 else ("target", "negatives")
    reached |= {name for name, each in zip(names, gradients, strict=True) if bool(each.any())}
    by_target = gradients[0]
    if len(logits) == 1:
        by_target = by_target.gather(1, inputs[1][:, None])
    if bool((by_target >= 0).all()) and bool(by_target.any()):
        return (
            "it grows with the logit of the target and never falls, so training would push the "
            "targets down. Is a minus missing?"
        )
    return None


MIXES = (
    "the loss of a position changes with the logits of other positions, and each must depend on "
    "its own alone: positions come in chunks. Look for a mean, sum, sort or softmax over "
    "dimension 0."
)


def _in_mixing(formula: Formula, inputs: tuple[Tensor, Tensor], losses: Tensor) -> str | None:
    """Describe a loss that depends on which positions it is called with."""
    with torch.no_grad():
        if not torch.equal(formula(*(each.clone() for each in inputs)), losses):
            return None  # it draws random numbers, and its gradient mixes nothing
        for count in (POSITIONS // 2, 1):
            some = formula(*(each[:count].clone() for each in inputs))
            if violation := _in_form(some, count, inputs[0].dtype):
                return violation
            difference = (some - losses[:count]).abs().max()
            if bool(difference > ROUNDING_TOLERANCE * losses.abs().max()):
                return MIXES
    return None


def _place(loss: Loss) -> str:
    """Say where the function of a loss begins, as far as that can be told."""
    file, function = custom_module(loss.kind), function_of(loss.kind)
    try:
        line = f":{inspect.getsourcelines(function)[1]}"
    except (OSError, TypeError):  # a callable that is no function
        line = ""
    return f" in {file}{line}" if file else ""

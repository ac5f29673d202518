"""From a configured loss to the functions that compute it.

A loss is a formula of logits: one of `formulas` or, named `package.module:function`, one of your
own. Where it pays, a built-in has its gradient written by hand; the formula then says what that
must equal.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from seqrec.experiment.custom import LOSS, import_custom, is_custom
from seqrec.training.losses import formulas
from seqrec.training.losses.full import cross_entropy
from seqrec.training.losses.generic import Formula, full_by_autograd, sampled_by_autograd
from seqrec.training.losses.sampled import Sampled, sampled_loss
from seqrec.training.losses.terms import TermsOf, binary_terms, softmax_terms

if TYPE_CHECKING:
    from seqrec.experiment.schema import Loss

FullLoss = Callable[[Tensor, Tensor, Tensor, int, torch.dtype | None, Tensor | None], Tensor]
"""Mean loss of hidden states, targets and the item table; see `full.cross_entropy`."""

SampledLoss = Callable[[Tensor, Tensor, Sampled], Tensor]
"""Mean loss of hidden states, the item table and `Sampled` arguments."""


def full_loss(loss: "Loss", num_items: int) -> FullLoss:
    """Return what computes a configured loss over all items."""
    if loss.kind == "cross-entropy":
        return cross_entropy
    return partial(full_by_autograd, formula_of(loss, num_items))


def sampled_loss_of(loss: "Loss", num_items: int) -> SampledLoss:
    """Return what computes a configured loss of target and negatives."""
    terms = _hand_written(loss, num_items)
    if terms is None:
        return partial(sampled_by_autograd, formula_of(loss, num_items))

    def compute(hidden: Tensor, table: Tensor, arguments: Sampled) -> Tensor:
        return sampled_loss(hidden, table, terms, arguments)

    return compute


def formula_of(loss: "Loss", num_items: int) -> Formula:
    """Return the formula of a configured loss, with its parameters filled in."""
    function = function_of(loss.kind)
    return partial(function, **_parameters(function, loss, num_items))


def _hand_written(loss: "Loss", num_items: int) -> TermsOf | None:
    if loss.kind == "sampled-cross-entropy":
        return softmax_terms
    if loss.kind == "binary-cross-entropy":
        return binary_terms
    if loss.kind == "gbce" and loss.negatives:
        given = _parameters(formulas.gbce, loss, num_items)
        return partial(binary_terms, power=formulas.gbce_power(loss.negatives, **given))
    return None


def function_of(kind: str) -> Callable[..., Tensor]:
    """Return the function of a loss, of the package or your own; raises `SeqrecError`."""
    function: Callable[..., Tensor] = (
        import_custom(kind, LOSS) if is_custom(kind) else getattr(formulas, kind.replace("-", "_"))
    )
    return function


def _parameters(function: Callable[..., Tensor], loss: "Loss", num_items: int) -> dict[str, Any]:
    """Return all that a formula takes besides logits: its defaults, what is configured, and the
    number of items if it wants that."""
    known = inspect.signature(function).parameters
    defaults = {
        name: each.default for name, each in known.items() if each.default is not each.empty
    }
    given = {"num_items": num_items} if "num_items" in known else {}
    return defaults | loss.parameters | given

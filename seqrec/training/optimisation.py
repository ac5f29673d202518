"""The optimiser of a training, and how its learning rate changes with the steps.

The rate is a function of the step alone, so that a training that goes on has nothing to remember.
"""

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from seqrec.errors import SeqrecError
from seqrec.models.network import Network

if TYPE_CHECKING:
    from seqrec.experiment.schema import Training


class LazyAdam:
    """Adam that passes over the items without a gradient: neither they nor their moments change.

    The item table's gradient has a row for each item that a step reads, and its cost no part that
    grows with the number of items. All other weights are Adam's.
    """

    def __init__(self, network: Network, rate: float) -> None:
        """Prepare to optimise `network`, whose item table gets row-sparse gradients from now on.

        Raises `SeqrecError` for a network that scores items by another table than it reads.
        """
        table = network.items.weight
        if network.item_table is not table:
            raise SeqrecError(
                f"training.sparse: {type(network).__name__} scores items by another table than the "
                "one that it reads, or by one computed from it, so that every item has a gradient "
                "in each step. Leave training.sparse out."
            )
        network.items.sparse = True
        others = [each for each in network.parameters() if each is not table]
        self._parts = [
            torch.optim.SparseAdam([table], lr=rate),
            torch.optim.Adam(others, lr=rate, fused=True),
        ]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self._parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for part in self._parts:
            part.zero_grad(set_to_none=set_to_none)

    def step(self) -> None:
        """Take a step along the gradients."""
        for part in self._parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """Return all that the steps to come depend on."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        for part, found in zip(self._parts, state["parts"], strict=True):
            part.load_state_dict(found)


Optimiser = torch.optim.Optimizer | LazyAdam


def make_optimiser(
    network: Network, settings: "Training", *, capturable: bool = False
) -> Optimiser:
    """Return the configured optimiser of all of the network's weights.

    A `capturable` one can be part of a CUDA graph: its learning rate is a tensor on the device.
    Raises `SeqrecError` where `LazyAdam` does.
    """
    rate: float | Tensor = settings.learning_rate
    if settings.sparse:
        return LazyAdam(network, settings.learning_rate)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.optimiser]
    further = {"weight_decay": settings.weight_decay} if settings.weight_decay else {}
    if capturable:
        rate = torch.tensor(rate, device=network.item_table.device)
        further["capturable"] = True
    return kind(network.parameters(), lr=rate, fused=True, **further)


def set_learning_rate(optimiser: Optimiser, rate: float) -> None:
    """Let the steps to come have a learning rate."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            # A CUDA graph reads this very tensor; one that was saved may have come to the host.
            group["lr"] = group["lr"].to(group["params"][0].device).fill_(rate)
        else:
            group["lr"] = rate


def learning_rate(settings: "Training", step: int, steps: int) -> float:
    """Return the learning rate of a step, counted from 0, of a training of at most `steps`.

    It rises linearly over `warmup_steps`, and then stays or, along half a cosine, falls to 0 at the
    end of the last step (Loshchilov and Hutter, 2017, without restarts).
    """
    warmup = settings.warmup_steps
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    if settings.schedule == "constant":
        return settings.learning_rate
    done = (step - warmup) / (steps - warmup)
    return settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))

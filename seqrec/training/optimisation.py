"""The optimiser of a training, and how its learning rate changes with the steps.

The rate is a function of the step alone, so that a training that goes on has nothing to remember.
"""

import math
from typing import TYPE_CHECKING

import torch

from seqrec.models.network import Network

if TYPE_CHECKING:
    from seqrec.experiment.schema import Training


def make_optimiser(network: Network, settings: "Training") -> torch.optim.Optimizer:
    """Return the configured optimiser of all of the network's weights."""
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.optimiser]
    decay = {"weight_decay": settings.weight_decay} if settings.weight_decay else {}
    return kind(network.parameters(), lr=settings.learning_rate, fused=True, **decay)


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

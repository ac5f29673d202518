"""The arithmetic of training: its precision, and torch's process-wide settings."""

from dataclasses import dataclass
from typing import Literal

import torch

from seqrec.training.losses import LOGITS_PER_CHUNK


@dataclass(frozen=True)
class Engine:
    """The options of the training loop, decided."""

    device: torch.device
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of products with the item table in a loss and, on a GPU, of the network's in training.
    Weights, their gradients, sums and evaluation are float32."""
    logits_per_chunk: int = LOGITS_PER_CHUNK
    """Logits that a loss holds at a time."""
    compile: bool = False
    """Whether the network goes through torch.compile."""

    @property
    def product_type(self) -> torch.dtype:
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32


def use_onednn(engine: Engine) -> None:
    """oneDNN for products in bfloat16 alone, process-wide.

    In float32 nothing is left to it but the GELU, for which it prepares code for each new shape and
    keeps it between the blocks of a step. The gaps between them grow: a training of BERT4Rec took
    3.9 GB in the end. Without, its first epochs take 1.1 GB and no more with each.
    """
    torch.backends.mkldnn.enabled = engine.precision == "bfloat16"  # type: ignore[assignment]

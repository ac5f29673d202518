"""The arithmetic of a run: its engine, and torch's process-wide settings.

The choice for a run is made elsewhere; its effect on a result is decided here.
"""

from dataclasses import dataclass

import torch

from seqrec.training.losses import LOGITS_PER_CHUNK
from seqrec.training.precision import Precision


@dataclass(frozen=True)
class Engine:
    """What a run computes on, how precisely, and in what portions."""

    device: torch.device
    precision: Precision = "float32"
    """Precision of the loss's products with the item table and, on a GPU, of the network in
    training. Weights, their gradients, sums and evaluation are float32."""
    logits_per_chunk: int = LOGITS_PER_CHUNK
    """Logits that a loss holds at a time."""
    compile: bool = False
    """Whether the network goes through torch.compile."""

    @property
    def product_type(self) -> torch.dtype:
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32


def set_arithmetic(engine: Engine) -> None:
    """Set how torch computes in this process.

    A CPU is deterministic. cuDNN's recurrent layers do not compute in TF32, their default, which
    no record would mention. oneDNN serves products in bfloat16 alone: in float32 only the GELU is
    left to it, for which it prepares code for each new shape and keeps it between the blocks of a
    step. The gaps between them grow, and a training of BERT4Rec ended at 3.9 GB; without oneDNN it
    stays at 1.1 GB.
    """
    torch.use_deterministic_algorithms(engine.device.type == "cpu")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.mkldnn.enabled = engine.precision == "bfloat16"  # type: ignore[assignment]

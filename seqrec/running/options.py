"""How a run is to compute: what a person may ask for. Nothing here imports torch."""

from dataclasses import dataclass
from typing import Literal

from seqrec.training.precision import Precision

PrecisionOption = Literal["auto", Precision]
"""A precision, or `auto` for the one that is faster on the device."""

Seen = Literal["drop", "keep"]
"""Whether items of a user's own history are left out of the recommendations."""


@dataclass(frozen=True)
class EngineOptions:
    """How a run is to compute; `auto` and None leave it to the machine."""

    device: str = "auto"
    """auto, cpu, cuda or cuda:<number>."""
    threads: int | None = None
    """CPU threads; None for one for each core, but at most four."""
    precision: PrecisionOption = "auto"
    """Precision of matrix products; `auto` takes the faster one."""
    logits_per_chunk: int | None = None
    """Logits that a loss computes at a time; None for what suits the device."""
    compile: bool = False
    """Whether to compile the network with torch.compile."""
    runs_per_gpu: int | None = None
    """Runs that may share a GPU, where `device` leaves open which one; None for any number."""


AUTOMATIC = EngineOptions()

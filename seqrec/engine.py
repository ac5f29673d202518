"""How a run computes: on what, how precisely and in what portions. What it computes is elsewhere.

None of this belongs to the configuration of a run, but all of it to its record.
"""

import ctypes
import platform
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from seqrec.errors import SeqrecError
from seqrec.losses import LOGITS_PER_CHUNK

Precision = Literal["auto", "float32", "bfloat16"]

LOGITS_PER_CHUNK_OF_A_GPU = 2**27
"""Thousands of positions in one call even of a large item table; a quarter GB of bfloat16."""

CPUINFO = Path("/proc/cpuinfo")
"""Where Linux describes each processor."""


@dataclass(frozen=True)
class EngineOptions:
    """What a person may ask for; `auto` leaves it to the machine."""

    device: str = "auto"
    """auto, cpu, cuda or cuda:<number>."""
    threads: int | None = None
    """CPU threads; all cores if None."""
    precision: Precision = "auto"
    logits_per_chunk: int | None = None
    """Left to the device if None."""
    compile: bool = False
    runs_per_gpu: int = 1
    """Runs that may be on a GPU at a time, where `device` leaves the choice of one."""


AUTOMATIC = EngineOptions()


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


def choose_engine(options: EngineOptions) -> Engine:
    """Decide what is left to the machine; raises `SeqrecError` for a device that is not there."""
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    device = choose_device(options.device)
    # By default cuDNN's recurrent layers compute in TF32, of which a record would not know.
    torch.backends.cudnn.allow_tf32 = False
    precision = options.precision
    if precision == "auto":
        precision = "bfloat16" if bfloat16_is_faster(device) else "float32"
    by_device = LOGITS_PER_CHUNK if device.type == "cpu" else LOGITS_PER_CHUNK_OF_A_GPU
    return Engine(device, precision, options.logits_per_chunk or by_device, options.compile)


def choose_device(name: str) -> torch.device:
    """`auto` takes CUDA where there is one, else the CPU; anything else is taken as named."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SeqrecError(
            f"--device {name}: cannot be used here ({str(error).splitlines()[0]}). "
            "Write auto, cpu, cuda or cuda:<number>."
        ) from error
    return device


def device_title(device: torch.device) -> str:
    """The name of the processor or accelerator."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        processor = CPUINFO.read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        processor = ""
    match dict(re.findall(r"^(\S.*?)\s*: (.+)$", processor, re.MULTILINE)):
        case {"model name": name, "cpu family": family, "model": model}:
            # Virtual machines call processors generations apart by one name.
            return f"{name} (family {family}, model {model})"
        case {"model name": name}:
            return name
    return platform.processor() or platform.machine()


def bfloat16_is_faster(device: torch.device) -> bool:
    """Whether products in bfloat16 pay: by measurement on a CPU, always on a recent GPU.

    With instructions for them they are twice as fast or more, without many times slower, so that
    the answer does not hang on the noise of a measurement of some milliseconds.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    fastest = {}
    for kind in (torch.float32, torch.bfloat16):
        states, rows = torch.ones(512, 64, dtype=kind), torch.ones(64, 4096, dtype=kind)
        fastest[kind] = min(_seconds_of_a_product(states, rows) for _ in range(8))
    return fastest[torch.bfloat16] < 0.8 * fastest[torch.float32]


def _seconds_of_a_product(left: torch.Tensor, right: torch.Tensor) -> float:
    start = time.perf_counter()
    torch.mm(left, right)
    return time.perf_counter() - start


def is_out_of_memory(error: Exception) -> bool:
    """Also where CUDA and its libraries say so in a text alone."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError | torch.OutOfMemoryError)
        or "out of memory" in text
        or "alloc_failed" in text
        or ("memory" in text and "alloc" in text)
    )


def keep_freed_memory() -> None:
    """Let the C library keep what is freed for the next step, where it is glibc.

    It hands large blocks back to the system at once, which then clears them page by page for the
    next step, which can take a quarter of a training step's time.
    """
    if platform.system() != "Linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        mmap_threshold, trim_threshold, mmap_max = -3, -1, -4  # of malloc.h
        if not library.mallopt(mmap_threshold, 2**30):  # older ones take no more than 32 MB
            library.mallopt(mmap_max, 0)
        library.mallopt(trim_threshold, 2**31 - 1)


def hand_back_freed_memory() -> None:
    """Give the system what has been freed, between epochs, where the C library is glibc.

    Of what `keep_freed_memory` keeps, the pieces of training steps and those of validation fit each
    other badly: without this a training of SASRec+ 3000 on beauty grew epoch by epoch, to 3 GB.
    """
    if platform.system() != "Linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def use_onednn(engine: Engine) -> None:
    """oneDNN for products in bfloat16 alone, process-wide.

    In float32 nothing is left to it but the GELU, for which it prepares code for each new shape and
    keeps it between the blocks of a step. The gaps between them grow: a training of BERT4Rec took
    3.9 GB in the end. Without, its first epochs take 1.1 GB and no more with each.
    """
    torch.backends.mkldnn.enabled = engine.precision == "bfloat16"  # type: ignore[assignment]

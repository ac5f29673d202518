"""Which device a run computes on, and how: what is left to the machine is decided here."""

import platform
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from seqrec.errors import SeqrecError
from seqrec.training.losses import LOGITS_PER_CHUNK
from seqrec.training.precision import Engine

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

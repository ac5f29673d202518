"""Turn the options of a person into an `Engine`: the machine decides what they leave open."""

import os
import time

import torch

from seqrec.running.device import choose_device
from seqrec.running.options import EngineOptions
from seqrec.training.arithmetic import Engine
from seqrec.training.losses import LOGITS_PER_CHUNK

GPU_LOGITS_PER_CHUNK = 2**27
"""Fits thousands of positions even with a large item table, in 256 MiB of bfloat16."""


MOST_THREADS = 4
"""Threads of a run that is not told how many: machines are shared, and more add little."""


def choose_engine(options: EngineOptions) -> Engine:
    """Decide what `options` leave open; set the number of threads and the GPU of the process.

    Raises `SeqrecError` for a device that cannot be used.
    """
    torch.set_num_threads(options.threads or default_threads())
    device = choose_device(options.device)
    if device.type == "cuda":
        # A CUDA graph records the current GPU: that of another would be empty, and do nothing.
        torch.cuda.set_device(device)
    precision = options.precision
    if precision == "auto":
        precision = "bfloat16" if bfloat16_is_faster(device) else "float32"
    suitable = LOGITS_PER_CHUNK if device.type == "cpu" else GPU_LOGITS_PER_CHUNK
    return Engine(device, precision, options.logits_per_chunk or suitable, options.compile)


def default_threads() -> int:
    """Return as many threads as OMP_NUM_THREADS says, else one for each core, but at most four."""
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if said.isdecimal() and int(said):
        return int(said)
    return min(MOST_THREADS, usable_cores())


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on a Mac
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def bfloat16_is_faster(device: torch.device) -> bool:
    """Tell whether matrix products are faster in bfloat16 than in float32.

    On a GPU this depends on its generation; on a CPU it is measured. With instructions for
    bfloat16, products are at least twice as fast; without, they are many times slower. So a noisy
    measurement of a few milliseconds is enough.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # oneDNN computes them, and is off in a process that has done a run in float32; the run to come
    # sets it anew.
    torch.backends.mkldnn.enabled = True  # type: ignore[assignment]
    best_seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        states, rows = torch.ones(512, 64, dtype=dtype), torch.ones(64, 4096, dtype=dtype)
        best_seconds[dtype] = min(_product_seconds(states, rows) for _ in range(8))
    return best_seconds[torch.bfloat16] < 0.8 * best_seconds[torch.float32]


def _product_seconds(left: torch.Tensor, right: torch.Tensor) -> float:
    start = time.perf_counter()
    torch.mm(left, right)
    return time.perf_counter() - start

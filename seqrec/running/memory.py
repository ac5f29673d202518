"""Memory of a training process: what the C library keeps of freed memory, and the peak."""

import ctypes
import platform
import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for the next training step; does nothing elsewhere.

    By default glibc returns large blocks to the system at once. The system clears their pages
    before it hands them out again, which can take a quarter of a training step's time.
    """
    if platform.system() != "Linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        mmap_threshold, trim_threshold, mmap_max = -3, -1, -4  # from malloc.h
        if not library.mallopt(mmap_threshold, 2**30):  # older versions allow at most 32 MB
            library.mallopt(mmap_max, 0)
        library.mallopt(trim_threshold, 2**31 - 1)


def hand_back_freed_memory() -> None:
    """Make glibc return freed memory to the system, between epochs; does nothing elsewhere.

    Training steps and validation free pieces of different sizes, which do not fit each other's
    needs. Without this, training SASRec+ 3000 on beauty grew with every epoch, to 3 GB.
    """
    if platform.system() != "Linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def peak_memory(device: torch.device) -> int:
    """Return the peak in bytes: of the GPU's memory, or on a CPU of the resident memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(OSError):
        # getrusage also counts what the parent held when it started this process.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

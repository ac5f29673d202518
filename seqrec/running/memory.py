"""Memory of a training process: what the C library keeps, and the peak."""

import ctypes
import platform
import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch


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


def peak_memory(device: torch.device) -> int:
    """Bytes: of the accelerator where there is one, else the process's resident memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(OSError):
        # getrusage would remember what the parent had when it started this process.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

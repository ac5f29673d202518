"""The device of a run: find it by the name a person gives it, and tell what it is."""

import platform
import re
from pathlib import Path

import torch

from seqrec.errors import SeqrecError
from seqrec.wording import shortened

CPUINFO = Path("/proc/cpuinfo")
"""Where Linux describes each processor."""


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; `auto` is CUDA where there is one, else the CPU.

    A GPU comes with its number, as in the device of its tensors: `cuda` does not equal `cuda:0`.
    Raises `SeqrecError` for a device that cannot be used.
    """
    if name == "auto":
        return _numbered("cuda" if torch.cuda.is_available() else "cpu")
    from seqrec.running.workflow import DEVICE  # with pydantic, which `auto` does without

    if not DEVICE.matches(name):
        raise SeqrecError(f"--device {shortened(name)}: {DEVICE.meant}.")
    try:
        return _numbered(name)
    except (RuntimeError, AssertionError) as error:
        raise SeqrecError(
            f"--device {name}: cannot be used here ({str(error).splitlines()[0]}); {DEVICE.meant}."
        ) from error


def _numbered(name: str) -> torch.device:
    return torch.empty(0, device=name).device


def product_name(device: torch.device) -> str:
    """Return the product name of the processor or accelerator."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        processor = CPUINFO.read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        processor = ""
    match dict(re.findall(r"^(\S.*?)\s*: (.+)$", processor, re.MULTILINE)):
        case {"model name": name, "cpu family": family, "model": model}:
            # Virtual machines give one name to processors that are generations apart.
            return f"{name} (family {family}, model {model})"
        case {"model name": name}:
            return name
    return platform.processor() or platform.machine()

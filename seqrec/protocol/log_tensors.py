"""The log as tensors, on the device where a model is trained and evaluated if it has the room.

There, batches, histories and targets are gathered by index, and the host prepares nothing but which
rows come next. A log that is too large stays on the host, memory-mapped, and what is gathered there
is sent.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seqrec.protocol.splits import Split, last_values

SHARE_OF_DEVICE = 0.1
"""Share of a device's free memory that a log may take."""


@dataclass(frozen=True)
class LogTensors:
    """A log's items and times on one device."""

    items: Tensor
    """int32 `[interactions]`, as in `Split`."""
    times: Tensor | None

    @property
    def device(self) -> torch.device:
        return self.items.device

    def last_items(self, starts: Tensor, ends: Tensor, window: int, longest: int) -> Tensor:
        """Return the last `window` items of histories by their bounds `[rows]`.

        int64 `[rows, longest]`, padded with 0 on the right.
        """
        columns = torch.arange(longest, device=self.device)
        return last_values(self.items, starts, ends, window, columns).long()

    def last_times(
        self, starts: Tensor, ends: Tensor, window: int, longest: int, following: int = 0
    ) -> Tensor:
        """Return when each of `last_items` came, and the `following` ones after these.

        Unix seconds, int64 `[rows, longest + following]`, padded with 0 on the right.
        """
        if self.times is None:
            raise ValueError("the log has no times")
        columns = torch.arange(longest + following, device=self.device)
        return last_values(self.times, starts, ends, window, columns, following)

    def pairs(self, starts: np.ndarray, ends: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return whole histories, by their bounds, as pairs: (row, item), int64 each."""
        total = int((ends - starts).sum())
        first, last = self.bounds(starts, ends)
        lengths = last - first
        row = torch.repeat_interleave(lengths, output_size=total)
        before = lengths.cumsum(0) - lengths
        index = torch.arange(total, device=self.device) - (before - first)[row]
        return row, self.items[index].long()

    def bounds(self, *arrays: np.ndarray) -> tuple[Tensor, ...]:
        """Send bounds of histories to where the log is."""
        return tuple(to_device(self.device, torch.from_numpy(array)) for array in arrays)


def log_for(device: torch.device, split: Split) -> LogTensors:
    """Return the log of a split on `device`, or on the host where it is too large for that.

    It is decided and copied once for all splits of the log, whatever room there is later.
    """
    if device not in split.copies:
        size = split.items.nbytes + (0 if split.times is None else split.times.nbytes)
        home = device if size <= room_for_log(device) else torch.device("cpu")
        items = tensor_of(split.items).to(home)
        times = None if split.times is None else tensor_of(split.times).to(home)
        split.copies[device] = LogTensors(items, times)
    log: LogTensors = split.copies[device]
    return log


def room_for_log(device: torch.device) -> float:
    """Return how many bytes a log may take on a device."""
    if device.type != "cuda":
        return float("inf")
    return SHARE_OF_DEVICE * torch.cuda.mem_get_info(device)[0]


def tensor_of(array: np.ndarray) -> Tensor:
    """Return an array's memory as a tensor, which nobody may write to if the array is mapped."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


def to_device(device: torch.device, tensor: Tensor) -> Tensor:
    """Send a tensor of the host to `device`; the host does not wait until it has arrived."""
    if tensor.device.type == device.type:
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)

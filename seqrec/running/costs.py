"""Estimate the memory and time to ask a cluster for, with headroom.

The estimates use only the sizes of the log and the configuration. Their factors come from the
measurements in `profiles/measured.csv`, and a test compares every one of these with the estimate.
"""

from typing import NamedTuple

from seqrec.data.statistics import Statistics
from seqrec.experiment.schema import RunConfig
from seqrec.layout import LogFiles

FLOAT_BYTES = 4

BYTES_PER_MB = 10**6

BASE_MB = 600
"""Python, its libraries and their buffers."""

CUDA_MB = 2000
"""Host memory of CUDA's libraries on top of that; not measured by this project."""

LOG_BYTES = 50
"""What a run holds at its peak for each interaction of the log: of 20 million, popularity held 27
bytes for each, and a part of a BPR-MF 42."""

HEADROOM = 1.5
"""Memory asked for, relative to the estimate."""

BASE_MINUTES = 30
"""Time asked for besides training: start, evaluation, and headroom for short runs."""

EPOCHS = 100
"""Epochs for which time is asked; a longer training is resumed."""

CPU_THREAD_SLOWDOWN = 15
"""Time of one CPU thread relative to the GPU of the published times."""

FIT_SECONDS_PER_INTERACTION = 1e-3
"""Both fits of BPR-MF: five times what ml-1m takes on one thread."""


class LogSize(NamedTuple):
    """How large a log is."""

    items: int
    interactions: int

    @classmethod
    def read(cls, log: LogFiles) -> "LogSize":
        """Read the size of a log; raises as `Statistics.read` does."""
        statistics = Statistics.read(log.statistics)
        return cls(statistics.items, statistics.interactions)


def memory_mb(config: RunConfig, size: LogSize, gpu: bool) -> int:
    """Estimate the host memory of a run, in 10^6 bytes; `gpu` tells whether it is on a GPU."""
    hidden = _size(config, "hidden_size", _size(config, "factors", 64))
    needed = LOG_BYTES * size.interactions
    # The item table, its gradient, both moments of the optimiser, the best epoch's copy, and a
    # saved state.
    needed += 10 * size.items * hidden * FLOAT_BYTES
    needed += 5 * config.evaluation.batch_size * size.items * FLOAT_BYTES  # scores
    needed += _activation_bytes(config, hidden)
    return round(HEADROOM * (BASE_MB + needed / BYTES_PER_MB) + (CUDA_MB if gpu else 0))


def _activation_bytes(config: RunConfig, hidden: int) -> int:
    """Estimate what a training step holds of a batch."""
    if config.training is None:
        return 0
    layers = _size(config, "layers", _size(config, "blocks", 2))
    positions = config.training.batch_size * config.max_length
    attention = 8 * _size(config, "heads", 1) * config.max_length
    # A GELU also leaves gaps between blocks in the heap (see `training.arithmetic.set_arithmetic`).
    inner = 30 * _size(config, "intermediate_size", 0)
    needed = layers * positions * (40 * hidden + attention + inner) * FLOAT_BYTES
    if config.loss and config.loss.negatives:
        # Blocks of negatives' vectors differ in size, which leaves gaps in the heap.
        rows = config.training.batch_size * config.loss.negatives
        needed += 9 * rows * hidden * FLOAT_BYTES
    return needed


def _size(config: RunConfig, name: str, default: int) -> int:
    """Return a hyperparameter if it is an integer; custom models may mean anything by its name."""
    value = config.hyperparameters.get(name)
    return value if isinstance(value, int) else default


def minutes(config: RunConfig, size: LogSize, gpu: bool, threads: int) -> int:
    """Estimate the time of a run, in minutes; for a long training, that of its first 100 epochs.

    A training that needs more time is resumed. A fit cannot be, so its time is that of both fits.
    """
    return round(BASE_MINUTES + training_minutes(config, size, gpu, threads))


def training_minutes(config: RunConfig, size: LogSize, gpu: bool, threads: int) -> float:
    """Estimate how much of `minutes` is training."""
    if config.training is None:
        return size.interactions * FIT_SECONDS_PER_INTERACTION / 60
    epochs = min(config.training.max_epochs, EPOCHS)
    epoch_seconds = size.interactions * (1e-5 + 4e-10 * size.items)
    if not gpu:
        epoch_seconds *= CPU_THREAD_SLOWDOWN / threads
    trainings = 2 if config.split.refit else 1
    return trainings * epochs * epoch_seconds / 60

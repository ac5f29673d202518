"""What a run is expected to take, so that a cluster can be asked for it: an estimate, with room.

From the sizes of the log and the configuration alone. `profiles/measured.csv` has the measurements
that the factors come from, and a test holds every one of them to what would have been asked for.
"""

from collections.abc import Mapping
from typing import Any

from seqrec.experiment.schema import RunConfig

FLOAT_BYTES = 4


MB = 10**6


BASE_MB = 600
"""Python, its libraries and their buffers."""


CUDA_MB = 2000
"""What CUDA's libraries take of the host's memory beside that; not measured by this project."""


ROOM = 1.5


CPU_SLOWDOWN = 15
"""One CPU thread against the GPU of the paper's times."""


FIT_SECONDS = 1e-3
"""Of both fits of BPR-MF, for an interaction: five times what ml-1m takes on one thread."""


def memory_mb(config: RunConfig, statistics: Mapping[str, Any], gpu: bool) -> int:
    """Host memory to ask for, in 10^6 bytes."""

    def size(name: str, default: int) -> int:
        """A model of somebody's own may mean anything by a name."""
        value = config.hyperparameters.get(name)
        return value if isinstance(value, int) else default

    hidden = size("hidden_size", size("factors", 64))
    layers = size("layers", size("blocks", 2))
    needed = 40 * statistics["interactions"]  # bytes: the log, its splits and the pairs seen
    # The item table with its gradient, the optimiser's moments, the best epoch's and a saved state.
    needed += 10 * statistics["items"] * hidden * FLOAT_BYTES
    needed += 5 * config.evaluation.batch_size * statistics["items"] * FLOAT_BYTES  # scores
    if config.training:
        positions = config.training.batch_size * config.max_length
        attention = 8 * size("heads", 1) * config.max_length
        # With a GELU the gaps between blocks count, too (see `engine.use_onednn`).
        inner = 30 * size("intermediate_size", 0)
        needed += layers * positions * (40 * hidden + attention + inner) * FLOAT_BYTES
        if config.loss and config.loss.negatives:
            # Vectors of negatives come in pieces of unlike sizes, which leave gaps in the heap.
            rows = config.training.batch_size * config.loss.negatives
            needed += 9 * rows * hidden * FLOAT_BYTES
    return round(ROOM * (BASE_MB + needed / MB) + (CUDA_MB if gpu else 0))


def minutes(config: RunConfig, statistics: Mapping[str, Any], gpu: bool, threads: int) -> int:
    """Time to ask for: of a hundred epochs. A training that needs more is resumed; a fit, which
    is made twice, is not."""
    if config.training is None:
        return round(30 + statistics["interactions"] * FIT_SECONDS / 60)
    epochs = min(config.training.max_epochs, 100)
    seconds = statistics["interactions"] * (1e-5 + 4e-10 * statistics["items"])  # an epoch
    if not gpu:
        seconds *= CPU_SLOWDOWN / threads
    return round(30 + epochs * seconds / 60)

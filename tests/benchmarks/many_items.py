"""A log with as many items as a measurement asks for."""

import numpy as np

from seqrec.data.sequences import Sequences

HISTORY, HELD_OUT = 10, 2
LEAST_USERS = 1_000


def log_of(items: int) -> Sequences:
    """Make a log of short histories in whose train part every item occurs."""
    rng, trained = np.random.default_rng(0), HISTORY - HELD_OUT
    users = max(-(-items // trained), LEAST_USERS)
    histories = rng.integers(1, items + 1, (users, HISTORY), dtype=np.int32)
    every = rng.permutation(np.resize(np.arange(1, items + 1, dtype=np.int32), users * trained))
    histories[:, :trained] = every.reshape(users, trained)
    return Sequences(histories.ravel(), np.arange(users + 1) * HISTORY, items)

"""Loss and step of a training with very many items."""

import math
from collections.abc import Iterator
from statistics import median
from typing import Any

import numpy as np
from accelerator.bench import Bench
from accelerator.configs import read_config
from accelerator.prepared import REAL
from accelerator.steps import measured_blocks, next_step

from seqrec.data.sequences import Sequences
from seqrec.training.loop import Trainer

HISTORY = 10
LEAST_USERS = 1_000
LOSS_CALLS = 5


def log_of(items: int) -> Sequences:
    """Make a log of short histories in whose train part nearly every item occurs."""
    rng, users = np.random.default_rng(0), max(LEAST_USERS, math.ceil(items / (HISTORY - 2)))
    histories = rng.integers(1, items + 1, (users, HISTORY), dtype=np.int32)
    every = rng.permutation(np.resize(np.arange(1, items + 1, dtype=np.int32), users * 8))
    histories[:, :-2] = every.reshape(users, HISTORY - 2)
    return Sequences(histories.ravel(), np.arange(users + 1) * HISTORY, items)


def items(
    bench: Bench, items: int, model: str, precision: str, compile: bool, sparse: bool
) -> Iterator[dict[str, Any]]:
    """Measure a step, and in it the loss alone, with that many items."""
    values = bench.prepared.configs[REAL[0]][model]
    config = read_config(values | {"max_length": HISTORY, "dataset": f"{items:,} items"})
    config.training.sparse = sparse
    engine = bench.engine(precision, compile)
    splits, network = bench.begin(config, log_of(items), engine)
    trainer = Trainer(network, splits, config, engine)
    blocks = measured_blocks(bench, lambda: next_step(trainer))
    found = {name: median(block[name] for block in blocks) for name in blocks[0]}
    found |= {"items": items, "precision": precision, "compile": compile}
    yield found
    if not compile:  # where all of a step is recorded, no part of it can be timed
        found["loss, s"] = loss_seconds(bench, trainer)
        yield found


def loss_seconds(bench: Bench, trainer: Trainer) -> float:
    """Seconds of the loss in a step, with its negatives and the gradients that it takes itself."""
    original, seconds = trainer.objective, []

    def timed(*arguments: Any) -> Any:
        start = bench.seconds()
        loss = original(*arguments)
        seconds.append(bench.seconds() - start)
        return loss

    trainer.objective = timed
    for _ in range(LOSS_CALLS):
        next_step(trainer)
    return median(seconds)

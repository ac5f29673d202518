"""Loss and step of a training with very many items."""

from collections.abc import Iterator
from statistics import median
from typing import Any

from accelerator.bench import Bench
from accelerator.configs import read_config
from accelerator.prepared import REAL
from accelerator.steps import measured_blocks, next_step
from many_items import HISTORY, log_of

from seqrec.training.loop import Trainer

LOSS_CALLS = 5


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

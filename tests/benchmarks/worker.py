"""One side of a comparison, in a process of its own: builds a model, then does as it is told.

    python tests/benchmarks/worker.py ours|textbook|fitted DATA CONFIG THREADS BORN

It reads commands from its input, `NAME NUMBER` on each line, and answers each with a line of JSON:

    steps N       seconds of each of N training steps
    validate N    seconds of ranking the validation targets of N users
    products N    operations of the matrix products of that, by the type of their numbers
    fit 0         seconds of fitting a model that needs no training loop
    facts 0       what else is known: peak memory, parameters, precision

BORN is the time at which the process was started.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import Timer
from textbook import Baseline
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from seqrec.data.interactions import Interactions
from seqrec.experiment.schema import RunConfig
from seqrec.models import Fitted, Network, NextItem
from seqrec.protocol.ranking import ScoreUsers, rank_users
from seqrec.protocol.splits import Splits, leave_one_out
from seqrec.running.engine import choose_engine
from seqrec.running.memory import keep_freed_memory, peak_memory
from seqrec.running.options import AUTOMATIC
from seqrec.training.arithmetic import set_arithmetic
from seqrec.training.batches import GroupedBatches, PaddedBatches, TrainingSequences
from seqrec.training.building import build_model, seeded_model
from seqrec.training.loop import Trainer
from seqrec.training.negatives import NegativeSampler

Commands = dict[str, Callable[[int], Any]]
"""What a side can be asked for."""


class Products(TorchDispatchMode):
    """Counts the operations of matrix products by the type of their numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: dict[str, int] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            numbers = next(value for value in args if isinstance(value, torch.Tensor))
            kind = str(numbers.dtype).removeprefix("torch.")
            found = count(*args, **(kwargs or {}), out_val=result)
            self.operations[kind] = self.operations.get(kind, 0) + found
        return result


def ours(splits: Splits, config: RunConfig, born: float) -> Commands:
    """Train with the package's trainer, a step at a time."""
    keep_freed_memory()
    engine = choose_engine(AUTOMATIC)
    set_arithmetic(engine)
    network = seeded_model(config, splits.test.num_items)
    assert isinstance(network, Network)
    outside = [
        Timer(GroupedBatches, "batch"),
        Timer(PaddedBatches, "batch"),
        Timer(NegativeSampler, "with_replacement"),
        Timer(NegativeSampler, "without_replacement"),
    ]
    trainer = Trainer(network.to(engine.device), splits, config, engine)

    def step() -> float:
        if not trainer.users_left:
            trainer.begin_epoch()
        network.train()
        start = time.perf_counter()
        trainer.step()
        if engine.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    def steps(number: int) -> list[float]:
        before = sum(timer.seconds for timer in outside)
        seconds = [step() for _ in range(number)]
        facts["share outside"] = (sum(timer.seconds for timer in outside) - before) / sum(seconds)
        return seconds

    def validate(users: int) -> float:
        network.eval()
        return ranking_seconds(trainer.score, splits, config, users)

    def products(users: int) -> dict[str, int]:
        with Products() as counted:
            validate(users)
        return counted.operations

    step()
    facts: dict[str, Any] = {"seconds to first step": time.time() - born}
    with Products() as counted:
        step()
    facts |= {
        "operations": counted.operations,
        "precision": engine.precision,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }
    return {
        "steps": steps,
        "validate": validate,
        "products": products,
        "facts": lambda _: {**facts, "peak bytes": peak_memory(engine.device)},
    }


def fitted(splits: Splits, config: RunConfig, born: float) -> Commands:
    """Fit a model of the package that needs no training loop."""
    model = build_model(config, splits.test.num_items)
    assert isinstance(model, Fitted)

    def fit(_: int) -> float:
        start = time.perf_counter()
        model.fit(splits.validation.without_targets(), config.seed, torch.get_num_threads())
        return time.perf_counter() - start

    return {
        "fit": fit,
        "validate": lambda users: ranking_seconds(model.score, splits, config, users),
        "facts": lambda _: {"peak bytes": peak_memory(torch.device("cpu"))},
    }


def textbook(splits: Splits, config: RunConfig, born: float) -> Commands:
    """Train and validate as a textbook does."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    baseline = Baseline(splits.train, config, device)
    users = TrainingSequences.of(splits.train, NextItem(), config.max_length).users
    rng = np.random.default_rng(config.seed)

    def step() -> float:
        batch = rng.choice(users, min(128, len(users)), replace=False)
        start = time.perf_counter()
        baseline.step(batch)  # returns a number of the host: nothing is left to wait for
        return time.perf_counter() - start

    def validate(number: int) -> float:
        start = time.perf_counter()
        baseline.evaluate(splits.validation, np.arange(number))
        return time.perf_counter() - start

    baseline.step(users[:8])
    return {
        "steps": lambda number: [step() for _ in range(number)],
        "validate": validate,
        "facts": lambda _: {"peak bytes": peak_memory(baseline.device)},
    }


def ranking_seconds(score: ScoreUsers, splits: Splits, config: RunConfig, users: int) -> float:
    """Time the ranking of the first users' validation targets."""
    start = time.perf_counter()
    with torch.no_grad():
        rank_users(score, splits.validation, np.arange(users), config.evaluation.batch_size)
    return time.perf_counter() - start


def main() -> None:
    side, data, config_json, threads, born = sys.argv[1:]
    torch.set_num_threads(int(threads))
    sides = {
        "ours": ours,
        "textbook": textbook,
        "fitted": fitted,
    }
    splits = leave_one_out(Interactions.load(Path(data)))
    commands = sides[side](splits, RunConfig.model_validate_json(config_json), float(born))
    for line in sys.stdin:
        name, number = line.split()
        print(json.dumps(commands[name](int(number))), flush=True)


if __name__ == "__main__":
    main()

"""One side of a comparison, in a process of its own: builds a model, then does as it is told.

    python tests/benchmarks/worker.py ours|compiled|textbook|fitted DATA CONFIG THREADS

reads commands from its input, one a line, and answers each with a line of JSON:
`steps N` seconds of each of N training steps; `validate N` seconds of ranking N users;
`products N` operations of its matrix products in that, by their type; `fit` seconds of fitting a
model that fits itself; `facts` what else is known. The package's steps
are those of its own training loop, whose `stopping` hook is called after each.
"""

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from textbook import Baseline
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from seqrec.data.interactions import Interactions
from seqrec.experiment.schema import RunConfig
from seqrec.models.fitted import Fitted
from seqrec.models.network import Network
from seqrec.protocol.ranking import rank_users
from seqrec.protocol.splits import Splits, leave_one_out
from seqrec.running.device import AUTOMATIC, EngineOptions, choose_engine
from seqrec.running.memory import keep_freed_memory, peak_memory
from seqrec.training import loop as training
from seqrec.training.building import build_model
from seqrec.training.negatives import NegativeSampler
from seqrec.training.precision import use_onednn
from seqrec.training.scoring import network_scorer


def commands() -> Any:
    """The next command and its number."""
    line = sys.stdin.readline().split()
    return (line[0], int(line[1])) if line else ("quit", 0)


def answer(value: Any) -> None:
    print(json.dumps(value), flush=True)


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


class Timer:
    """Seconds spent in a function that it stands in for."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.seconds = function, 0.0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        result = self.function(*args, **kwargs)
        self.seconds += time.perf_counter() - start
        return result


class Quit(Exception):
    """The end of the input."""


def ours(
    splits: Splits, config: RunConfig, born: float, options: EngineOptions = AUTOMATIC
) -> None:
    keep_freed_memory()
    engine = choose_engine(options)
    use_onednn(engine)
    torch.manual_seed(config.seed)
    network = build_model(config, splits.test.num_items)
    assert isinstance(network, Network)
    network.to(engine.device)
    batching = Timer(training.training_batch)
    training.training_batch = batching  # type: ignore[assignment]
    samplers = []
    for name in ("with_replacement", "without_replacement"):
        samplers.append(Timer(getattr(NegativeSampler, name)))
        setattr(NegativeSampler, name, lambda self, *rest, timer=samplers[-1]: timer(self, *rest))
    outside = [batching, *samplers]
    facts: dict[str, Any] = {
        "precision": engine.precision,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }
    times: list[float] = []
    state = {"left": 0, "since": 0.0, "asked": False}
    products = Products()

    def after_step() -> bool:
        if engine.device.type == "cuda":
            torch.cuda.synchronize()
        now = time.perf_counter()
        if state["left"]:
            times.append(now - state["since"])
            state["left"] -= 1
        if not state["left"]:
            if state["asked"]:
                answer(times)
                facts["share outside"] = sum(part.seconds for part in outside) / sum(times)
            wait()
        state["since"] = time.perf_counter()
        return False

    def wait() -> None:
        state["asked"] = False
        while not state["asked"]:
            command, number = commands()
            if command == "steps":
                times.clear()
                for part in outside:
                    part.seconds = 0.0
                state.update(left=number, asked=True)
            elif command == "validate":
                answer(validated(number))
                network.train()
            elif command == "products":
                with Products() as in_validation:
                    validated(number)
                answer(in_validation.operations)
                network.train()
            elif command == "facts":
                facts["peak bytes"] = peak_memory(engine.device)
                answer(facts)
            else:
                raise Quit

    def validated(users: int) -> float:
        network.eval()
        score = network_scorer(network, splits.validation, config.max_length, engine.device)
        start = time.perf_counter()
        with torch.no_grad():
            rank_users(score, splits.validation, np.arange(users), config.evaluation.batch_size)
        return time.perf_counter() - start

    with suppress(training.Stopped):
        training.train(network, splits, config, engine, stopping=lambda: True)
    if engine.device.type == "cuda":
        torch.cuda.synchronize()
    facts["seconds to first step"] = time.time() - born
    with suppress(training.Stopped), products:
        training.train(network, splits, config, engine, stopping=lambda: True)
    facts["operations"] = products.operations
    with suppress(Quit):
        training.train(network, splits, config, engine, stopping=after_step)


def fitted(splits: Splits, config: RunConfig, born: float) -> None:
    model = build_model(config, splits.test.num_items)
    assert isinstance(model, Fitted)
    while True:
        command, number = commands()
        start = time.perf_counter()
        if command == "fit":
            model.fit(splits.validation, config.seed, torch.get_num_threads())
            answer(time.perf_counter() - start)
        elif command == "validate":
            rank_users(
                model.score, splits.validation, np.arange(number), config.evaluation.batch_size
            )
            answer(time.perf_counter() - start)
        elif command == "facts":
            answer({"peak bytes": peak_memory(torch.device("cpu"))})
        else:
            return


def textbook(splits: Splits, config: RunConfig, born: float) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    baseline = Baseline(splits.train, config, device)
    users = training.trainable_users(splits.train, 2)
    rng = np.random.default_rng(config.seed)
    baseline.step(users[:8])
    while True:
        command, number = commands()
        if command == "steps":
            times = []
            for _ in range(number):
                batch = rng.choice(users, min(128, len(users)), replace=False)
                start = time.perf_counter()
                baseline.step(batch)  # returns a number of the host: nothing is left to wait for
                times.append(time.perf_counter() - start)
            answer(times)
        elif command == "validate":
            start = time.perf_counter()
            baseline.evaluate(splits.validation, np.arange(number))
            answer(time.perf_counter() - start)
        elif command == "facts":
            answer({"peak bytes": peak_memory(baseline.device)})
        else:
            return


if __name__ == "__main__":
    side, data, config_json, threads, born = sys.argv[1:]
    torch.set_num_threads(int(threads))
    log = Interactions.load(Path(data))
    compiled = partial(ours, options=EngineOptions(compile=True))
    sides = {"ours": ours, "compiled": compiled, "textbook": textbook, "fitted": fitted}
    sides[side](leave_one_out(log), RunConfig.model_validate_json(config_json), float(born))

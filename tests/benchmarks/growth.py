"""How the cost of training grows with the number of items and with the length of sequences.

    make growth                     (or: python tests/benchmarks/growth.py [--quick])

Whole training steps of SASRec are timed, part by part, in a process of its own for each size: 128
sequences with about a thousand labels, a loss over all items or with 300 negatives, and Adam, with
dense gradients or with sparse ones (training.sparse). `--quick` takes small sizes, to see that
everything works. Results go to a JSON file, and a figure beside it. The largest size needs 13 GB of
memory.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import torch
from axes import Lines, draw_lines
from many_items import HISTORY, log_of
from measuring import Timer, conditions
from phases import measured_process, report_phase
from report import markdown_table

from seqrec.experiment.schema import RunConfig
from seqrec.files import write_text
from seqrec.models import Network
from seqrec.models.sasrec import SASRec
from seqrec.protocol.splits import leave_one_out
from seqrec.report.figures.style import own_style
from seqrec.running.engine import choose_engine
from seqrec.running.memory import keep_freed_memory
from seqrec.running.options import EngineOptions
from seqrec.training.arithmetic import set_arithmetic
from seqrec.training.building import seeded_model
from seqrec.training.loop import Trainer

SAMPLED: dict[str, Any] = {"kind": "sampled-cross-entropy", "negatives": 300}
WAYS: dict[str, dict[str, Any]] = {
    "all items": {"loss": {"kind": "cross-entropy"}, "training": {}},
    "300 negatives": {"loss": SAMPLED, "training": {}},
    "300 negatives, sparse": {"loss": SAMPLED, "training": {"sparse": True}},
}
"""How a network is trained."""
BATCH, WIDTH = 128, 64
SEQUENCES = 16
"""How many go through the network where length is what grows."""
WARM_UP = 3
"""Steps that are not counted: until then, the system hands out memory page by page."""
PARTS = ("batch", "forward", "loss", "backward", "Adam")


class Sizes(NamedTuple):
    """What is measured."""

    items: dict[str, tuple[int, ...]]
    """By way: a loss over all items takes minutes per step where negatives take seconds."""
    lengths: tuple[int, ...]
    rounds: int


WHOLE = Sizes(
    {
        "all items": (10_000, 30_000, 100_000, 300_000, 1_000_000),
        "300 negatives": (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000),
        "300 negatives, sparse": (10_000, 100_000, 1_000_000, 3_000_000, 10_000_000),
    },
    (50, 100, 200, 500, 1_000),
    rounds=5,
)
QUICK = Sizes(dict.fromkeys(WAYS, (1_000,)), (10, 20), rounds=1)


def time_steps(items: int, way: str, rounds: int, threads: int) -> None:
    """Time training steps and report them; run in a process of its own."""
    config = RunConfig.model_validate(
        {
            "dataset": "grown",
            "model": "sasrec",
            "seed": 0,
            "implementation": "sasrec",
            "hyperparameters": {"hidden_size": WIDTH},
            "max_length": HISTORY,
            "loss": WAYS[way]["loss"],
            "training": {"batch_size": BATCH, **WAYS[way]["training"]},
            "evaluation": {},
        }
    )
    keep_freed_memory()
    engine = choose_engine(EngineOptions(device="cpu", threads=threads))
    set_arithmetic(engine)
    network = seeded_model(config, items)
    assert isinstance(network, Network)
    trainer = Trainer(network, leave_one_out(log_of(items)), config, engine)
    timers = {
        "batch": Timer(trainer.batches, "batch"),
        "forward": Timer(trainer, "encode"),
        "loss": Timer(trainer, "objective"),
        "backward": Timer(torch.Tensor, "backward"),
        "Adam": Timer(type(trainer.optimiser), "step"),
    }
    trainer.begin_epoch()
    steps: list[dict[str, float]] = []
    for _ in range(WARM_UP + rounds):
        for timer in timers.values():
            timer.seconds = 0.0
        start = time.perf_counter()
        trainer.step()
        total = time.perf_counter() - start
        steps.append({"step": total, **{name: timer.seconds for name, timer in timers.items()}})
    counted = steps[WARM_UP:]
    report_phase("steps", **{part: median(step[part] for step in counted) for part in steps[0]})


def seconds_of(action: Callable[[], Any], rounds: int) -> float:
    """Return the median duration of an action, after one time to warm up."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return median(times[1:])


def network_step(length: int) -> Callable[[], None]:
    """Return a step of SASRec, forward and backward, on sequences of that length."""
    torch.manual_seed(0)
    network = SASRec(1_000, length)
    rows = torch.randint(1, 1_000, (SEQUENCES, length))

    def step() -> None:
        network(rows).sum().backward()

    return step


def measure_growth(sizes: Sizes, threads: int) -> dict[str, Any]:
    """Measure steps and peak memory by number of items, and steps by length."""
    items: dict[str, dict[int, dict[str, float]]] = {}
    for way, counts in sizes.items.items():
        for count in counts:
            settings = map(str, (count, way, sizes.rounds, threads))
            command = [sys.executable, __file__, "--time", *settings]
            found = measured_process(command)["steps"]
            print(f"{count:,} items, {way}: {found['step']:.3f} s per step", flush=True)
            items.setdefault(way, {})[count] = found
    lengths = {length: seconds_of(network_step(length), sizes.rounds) for length in sizes.lengths}
    return {"items": items, "length": lengths}


def draw_growth(growth: dict[str, Any], path: Path) -> None:
    """Draw four panels: steps and peak memory by way, the parts of a step, and lengths."""
    by_way, length = growth["items"], growth["length"]
    sampled = by_way["300 negatives"]

    def lines(key: str, unit: float = 1.0) -> Lines:
        return {
            way: {count: one[key] / unit for count, one in found.items()}
            for way, found in by_way.items()
        }

    parts = {part: {count: one[part] for count, one in sampled.items()} for part in PARTS}
    network = f"The network alone, {SEQUENCES} sequences"
    with own_style():
        figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.2), layout="constrained")
        draw_lines(axes[0, 0], lines("step"), "A training step", "items", "seconds")
        draw_lines(axes[0, 1], parts, "Its parts, with 300 negatives", "items", "seconds")
        draw_lines(axes[1, 0], lines("own bytes", 1e9), "Peak memory", "items", "GB")
        for panel in axes.flat[:3]:
            panel.legend()
        draw_lines(axes[1, 1], {"": length}, network, "items of a sequence", "seconds")
        figure.savefig(path)
        plt.close(figure)


def growth_table(measured: dict[str, Any]) -> str:
    """Return the steps by way and number of items, as Markdown."""
    rows = []
    for way, by_items in measured["items"].items():
        for count, found in by_items.items():
            seconds = {f"{part}, s": f"{found[part]:.3f}" for part in ("step", *PARTS)}
            memory = {"peak, GB": f"{found['own bytes'] / 1e9:.2f}"}
            rows.append({"items": f"{int(count):,}", "trained with": way, **seconds, **memory})
    return markdown_table(rows, {"trained with"})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes: seconds in all")
    parser.add_argument("--output", type=Path, default=Path("results/benchmark/growth.json"))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--time", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.time:
        items, way, rounds, threads = given.time
        time_steps(int(items), way, int(rounds), int(threads))
        return
    torch.set_num_threads(given.threads)
    growth = measure_growth(QUICK if given.quick else WHOLE, given.threads)
    result = {
        **conditions(given.threads, given.quick),
        **growth,
    }
    given.output.parent.mkdir(parents=True, exist_ok=True)
    draw_growth(growth, given.output.with_suffix(".png"))
    write_text(given.output, json.dumps(result, indent=1) + "\n")
    print(f"\n{growth_table(result)}\n\n{given.output}: on {result['device']}")


if __name__ == "__main__":
    main()

"""How fast training and evaluation are, against a textbook implementation in the same run.

    make benchmark                  (or: python tests/benchmarks --output FILE)

Needs ml-1m and beauty preprocessed (`seqrec preprocess`). Each case is measured by two processes
that take turns, so that what else the machine does falls on both; printed are medians and their
ratio. The floor of a step is what its matrix products and its optimiser's memory traffic would take
at the rates measured here, were there nothing else to do; that of a validation, its products.
Results go to a JSON file. What a GPU is wanted for, and other libraries, are measured by `make
accelerator` and `make peers`.
"""

import argparse
import json
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import torch
from measuring import Worker, floor_seconds, machine_rates, product_seconds
from report import readme_table

from seqrec.experiment.grid import load_experiment
from seqrec.experiment.schema import RunConfig
from seqrec.files import write_text
from seqrec.layout import PROCESSED
from seqrec.running.device import product_name
from seqrec.running.memory import keep_freed_memory

CASES = [
    ("ml-1m", "sasrec+"),
    ("ml-1m", "sasrec+3000"),
    ("ml-1m", "sasrec"),
    ("ml-1m", "bert4rec"),
    ("ml-1m", "gru4rec"),
    ("ml-1m", "ligr"),
    ("ml-1m", "hstu-ce"),
    ("beauty", "sasrec+"),
    ("beauty", "sasrec+3000"),
]
VALIDATED = {"ml-1m": 6_040, "beauty": 2_500}
ROUNDS, VALIDATIONS = 5, 3
STEPS = {"ours": 4, "textbook": 1}
"""Steps of each side in a round."""


def measure_case(
    data: Path, config: RunConfig, users: int, threads: int, sides: Sequence[str]
) -> dict[str, Any]:
    """Seconds a step and a validation of all sides, and what the package's side knows."""
    workers = {}
    for side in sides:
        workers[side] = Worker(side, data, config, threads)
        workers[side].ask("facts")  # each starts alone, and has started once it answers
    times: dict[str, list[float]] = {side: [] for side in workers}
    for _ in range(ROUNDS):
        for side, worker in workers.items():
            times[side] += worker.ask("steps", STEPS[side])
    facts = {side: worker.ask("facts") for side, worker in workers.items()}
    validation: dict[str, list[float]] = {side: [] for side in workers}
    for _ in range(VALIDATIONS):
        for side, worker in workers.items():
            validation[side].append(worker.ask("validate", users))
    facts["ours"]["operations of a validation"] = workers["ours"].ask("products", users)
    for worker in workers.values():
        worker.close()
    return {"steps": times, "validation": validation, "facts": facts}


def summary(case: dict[str, Any], rates: dict[str, float]) -> dict[str, Any]:
    """The figures that the table shows."""
    facts = case["facts"]["ours"]
    step = {side: median(times) for side, times in case["steps"].items()}
    validation = {side: median(times) for side, times in case["validation"].items()}
    floor = floor_seconds(facts, rates)
    validation_floor = product_seconds(facts["operations of a validation"], rates)
    return {
        "step, s": step["ours"],
        "textbook, s": step["textbook"],
        "ratio": step["textbook"] / step["ours"],
        "floor, s": floor,
        "of floor": step["ours"] / floor,
        "validation, s": validation["ours"],
        "textbook validation, s": validation["textbook"],
        "validation ratio": validation["textbook"] / validation["ours"],
        "validation floor, s": validation_floor,
        "validation of floor": validation["ours"] / validation_floor,
        "outside": facts["share outside"],
        "first step after, s": facts["seconds to first step"],
        "peak, GB": facts["peak bytes"] / 1e9,
        "textbook peak, GB": case["facts"]["textbook"]["peak bytes"] / 1e9,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, help="default: results/benchmark/<device kind>.json")
    parser.add_argument("--processed", type=Path, default=PROCESSED)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    threads = arguments.threads
    keep_freed_memory()
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    runs = {
        (run.dataset, run.model): run
        for experiment in ("beyond", "paper")
        for run in load_experiment(experiment).runs
        if not run.seed
    }
    missing = {dataset for dataset, _ in CASES if not (arguments.processed / dataset).is_dir()}
    if missing:
        raise SystemExit(
            f"{arguments.processed}: lacks {', '.join(sorted(missing))}. Run `seqrec download` and "
            "`seqrec preprocess` for each first."
        )

    output = arguments.output or Path(f"results/benchmark/{device.type}.json")
    rates = machine_rates(device)
    result: dict[str, Any] = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": product_name(device),
        "cpu": product_name(torch.device("cpu")),
        "threads": threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "rates": rates,
        "cases": {},
    }
    for dataset, model in CASES:
        data = arguments.processed / dataset
        case = measure_case(data, runs[dataset, model], VALIDATED[dataset], threads, [*STEPS])
        case["summary"] = summary(case, rates)
        result["cases"][f"{dataset} {model}"] = case
        print(f"{dataset} {model}: {case['summary']['ratio']:.1f} times as fast", flush=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_text(output, json.dumps(result, indent=1) + "\n")
    print(f"\n{readme_table(result)}\n")
    print(f"{output}: on {result['device']}, {threads} threads")


if __name__ == "__main__":
    main()

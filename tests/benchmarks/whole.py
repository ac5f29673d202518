"""How long the whole paper takes on this machine: a part of each of its trainings, measured.

    make whole                      (or: python tests/benchmarks/whole.py)

For each model and dataset some training steps and a part of a validation are timed, in a process of
their own, after which seconds an epoch, peak memory and the time of the whole grid follow by
arithmetic (results/README.md has it). The seconds of an epoch of ml-1m and beauty become those of
the reference's tables, `results/reference/timing.json`. ml-20m, steam and yelp, which cannot be
fetched everywhere, are stood in for by simulated logs of their size (`like-...`); preparing the
logs is timed too. What is in the output file already is kept, so that a call that was cut off can
be made again.
"""

import argparse
import json
import math
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import torch
from measuring import Worker, floor_seconds
from report import timing, whole_table

from seqrec.data.interactions import Interactions
from seqrec.experiment.grid import load_experiment
from seqrec.experiment.schema import RunConfig, Training
from seqrec.files import write_text
from seqrec.json_files import as_json
from seqrec.layout import REFERENCE_RESULTS, ConfigFiles, LogFiles, ResultFiles
from seqrec.records.fingerprint import training_code_fingerprint
from seqrec.report.paper import read_published
from seqrec.running.device import product_name
from seqrec.running.memory import keep_freed_memory

STEPS = 4
VALIDATED = 2_000
FITTED_ITERATIONS = 3
STAND_INS = ("ml-20m", "steam", "yelp")
H200 = {"bfloat16": 989e12, "float32": 67e12, "bytes": 4.8e12}
"""Dense peak rates of NVIDIA's data sheet: operations a second, and bytes of memory."""


CALL = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run([sys.executable, "-m", "seqrec", *sys.argv[1:]], check=True, stdout=sys.stderr)
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
print(json.dumps({"seconds": seconds, "peak bytes": peak}))
"""
"""Makes a call from a process that is small itself: Linux counts a parent's memory as a child's."""


def measured_call(*command: str) -> dict[str, float]:
    """Seconds and peak bytes of a command of seqrec."""
    call = [sys.executable, "-c", CALL, *command]
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def measured_data(name: str) -> dict[str, Any]:
    """A dataset's log and what its preparation took, from a file that is simulated or there."""
    download = measured_call("download", name)
    prepared = measured_call("preprocess", name)
    statistics = Interactions.load(LogFiles.of(name).folder).statistics
    sizes = statistics.model_dump(include={"users", "items", "interactions"})
    return {"simulate or verify": download, "preprocess": prepared, **sizes}


def measured_training(data: Path, config: RunConfig, threads: int) -> dict[str, Any]:
    """Seconds of steps and of a part of a validation, and what the worker knows beside."""
    worker = Worker("ours", data, config, threads)
    steps = worker.ask("steps", STEPS)
    validation = worker.ask("validate", VALIDATED)
    facts = worker.ask("facts")
    worker.close()
    return {"steps": steps, "validation": validation, "facts": facts}


def measured_fit(data: Path, config: RunConfig, threads: int) -> dict[str, Any]:
    """A whole run of a fitted model, but for the iterations of BPR-MF, of which it does a few."""
    if "iterations" in config.hyperparameters:
        few = {**config.hyperparameters, "iterations": FITTED_ITERATIONS}
        config = config.model_copy(update={"hyperparameters": few})
    worker = Worker("fitted", data, config, threads)
    fit = worker.ask("fit")
    validation = worker.ask("validate", VALIDATED)
    facts = worker.ask("facts")
    worker.close()
    return {"fit": fit, "validation": validation, "facts": facts}


def epochs_of(config: RunConfig, training: Training, published: dict[Any, Any]) -> tuple[int, str]:
    """Epochs until early stopping: of the paper, or of its model that is most like this one."""
    model = config.model
    if (config.dataset, model) not in published:
        model = "sasrec+" if model == "gru4rec" else "sasrec+3000"
    best = published[config.dataset, model]["best_epoch"]
    return min(training.max_epochs, int(best) + training.patience), model


def run_seconds(
    config: RunConfig, cell: dict[str, Any], users: int, published: Any
) -> dict[str, Any]:
    """A whole run from its measured parts."""
    ranking = cell["validation"] / min(VALIDATED, users)  # seconds a user
    final = 2 * users * ranking  # everybody's validation and test
    if config.training is None:
        iterations = config.hyperparameters.get("iterations", FITTED_ITERATIONS)
        return {"run, s": 2 * cell["fit"] * iterations / FITTED_ITERATIONS + final}
    steps = math.ceil(users / config.training.batch_size)
    validated = min(users, config.training.validation_users)
    epoch = steps * median(cell["steps"]) + validated * ranking
    epochs, of = epochs_of(config, config.training, published)
    return {
        "epoch, s": epoch,
        "epochs": epochs,
        "epochs of": of,
        "steps": epochs * steps,
        "run, s": epochs * epoch + final,
        "h200 floor, s": epochs * steps * floor_seconds(cell["facts"], H200),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, help="default: results/benchmark/whole-<kind>.json")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    output = arguments.output or Path(f"results/benchmark/whole-{device.type}.json")
    conditions = {
        "device": product_name(device),
        "threads": arguments.threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "training code": training_code_fingerprint(),
    }
    when = datetime.now(UTC).isoformat(timespec="seconds")
    result: dict[str, Any] = {"when": when, **conditions, "data": {}, "cells": {}}
    # It takes long, so that one that was stopped goes on; but not under other conditions.
    part = output.with_suffix(".part.json")
    if part.is_file():
        begun = json.loads(part.read_text(encoding="utf-8"))
        if all(begun[name] == value for name, value in conditions.items()):
            result = begun

    def save() -> None:
        write_text(part, json.dumps(result, indent=1) + "\n")

    published = read_published(ConfigFiles().published("results"), "dataset", "model")
    for config in (run for run in load_experiment("paper").runs if run.seed == 0):
        name = f"like-{config.dataset}" if config.dataset in STAND_INS else config.dataset
        data = LogFiles.of(name).folder
        if name not in result["data"]:
            result["data"][name] = measured_data(name)
            save()
        key = f"{name} {config.model}"
        if key not in result["cells"]:
            measure = measured_training if config.training else measured_fit
            result["cells"][key] = measure(data, config, arguments.threads)
            save()
        cell, users = result["cells"][key], result["data"][name]["users"]
        cell["run"] = run_seconds(config, cell, users, published)
        print(f"{key}: {json.dumps(cell['run'])}", file=sys.stderr, flush=True)
    save()
    part.replace(output)
    if not arguments.output:
        reference = ResultFiles(REFERENCE_RESULTS).timing
        write_text(reference, as_json(timing(result).model_dump()))
    print(whole_table(result))


if __name__ == "__main__":
    main()

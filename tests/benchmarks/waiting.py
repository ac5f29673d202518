"""What it costs that threads wait passively: steps on two threads, alone and beside other work.

    python tests/benchmarks/waiting.py    # a minute when quiet; into results/benchmark/waiting.json

Threads that wait for one another spin by default; `seqrec` sets OMP_WAIT_POLICY=PASSIVE, by which
they sleep. The two ways take turns, so that a machine that becomes busier slows both.
"""

import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import torch
from measuring import Worker

from seqrec.experiment.grid import resolve_cell
from seqrec.files import write_text
from seqrec.layout import PROCESSED
from seqrec.running.device import product_name

OUTPUT = Path("results/benchmark/waiting.json")
DATASET, MODEL, THREADS = "ml-1m", "sasrec+", 2
WARM_UP, ROUNDS, STEPS = 3, 5, 4
POLICY = "OMP_WAIT_POLICY"
WAYS = {"spinning": None, "passive": "PASSIVE"}
"""Values of OMP_WAIT_POLICY; None leaves it unset."""


@contextmanager
def busy() -> Iterator[None]:
    """Keep another process at work on one core."""
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        other.kill()
        other.wait()


def measure() -> dict[str, list[float]]:
    """Time steps in each way, in turns; who waits for a turn is stopped, and so does not spin."""
    config, workers = resolve_cell("paper", DATASET, MODEL), {}
    for way, policy in WAYS.items():
        os.environ.pop(POLICY, None)
        if policy:
            os.environ[POLICY] = policy
        workers[way] = Worker("ours", PROCESSED / DATASET, config, THREADS)
        workers[way].ask("steps", WARM_UP)
        workers[way].process.send_signal(signal.SIGSTOP)
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, worker in workers.items():
            worker.process.send_signal(signal.SIGCONT)
            found[way] += worker.ask("steps", STEPS)
            worker.process.send_signal(signal.SIGSTOP)
    for worker in workers.values():
        worker.process.send_signal(signal.SIGCONT)
        worker.close()
    return found


def main() -> None:
    if not (PROCESSED / DATASET).is_dir():
        raise SystemExit(
            f"{PROCESSED / DATASET}: missing. Run `seqrec download {DATASET}` and "
            f"`seqrec preprocess {DATASET}` first."
        )
    load = os.getloadavg()[0]
    alone = measure()
    with busy():
        beside = measure()
    result = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": product_name(torch.device("cpu")),
        "cores": os.cpu_count(),
        "load before": round(load, 2),
        "case": f"{DATASET} {MODEL}",
        "threads": THREADS,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "seconds per step": {"alone": alone, "beside a busy process": beside},
    }
    write_text(OUTPUT, json.dumps(result, indent=1) + "\n")
    for when, ways in (("alone", alone), ("beside a busy process", beside)):
        shown = ", ".join(f"{way} {median(seconds):.3f}" for way, seconds in ways.items())
        print(f"{when}: {shown} seconds per step")


if __name__ == "__main__":
    main()

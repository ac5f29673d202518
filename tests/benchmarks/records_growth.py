"""How the time of commands that read records grows with the number of runs.

    python tests/benchmarks/records_growth.py [RUNS ...]

Prints seconds of CPU, and of the clock, for 100, 1,000 and 3,000 runs of ten datasets.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from record_factory import make_record, write_grid
from tabulate import tabulate

ROOT = Path(__file__).parents[2]
COUNTS = (100, 1_000, 3_000)
COMMANDS = ("status", "missing", "stale", "tables")
DATASETS = 10


def make_experiment(results: Path, runs: int, seeds: int = 1) -> None:
    """Write the finished records of an experiment: `runs` over datasets, models and `seeds`."""
    asked = []
    for number in range(runs):
        model, seed = divmod(number // DATASETS, seeds)
        asked.append((f"shop-{number % DATASETS}", f"sasrec+{model + 1}", seed))
        make_record(results, *asked[-1])
    write_grid(results, *asked)


def seconds(command: str, results: Path) -> tuple[float, float]:
    """Seconds of CPU and of the clock that a command takes."""
    before, start = os.times(), time.perf_counter()
    words = [sys.executable, "-m", "seqrec", command, str(results)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    took, after = time.perf_counter() - start, os.times()
    if done.returncode:
        raise RuntimeError(done.stderr)
    cpu = after.children_user + after.children_system
    return cpu - before.children_user - before.children_system, took


def main(counts: tuple[int, ...]) -> None:
    rows = []
    for runs in counts:
        with tempfile.TemporaryDirectory() as folder:
            results = Path(folder) / "results/grown"
            make_experiment(results, runs, seeds=max(1, runs // 300))
            rows.append([runs, *("{:.1f} ({:.1f})".format(*seconds(c, results)) for c in COMMANDS)])
    print(tabulate(rows, ["runs", *(f"{c}, s" for c in COMMANDS)], "github"))


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or COUNTS)

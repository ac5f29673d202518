"""Every figure that a GPU is wanted for, in one call of at most ten minutes.

    make accelerator                (or the two steps:)
    python tests/benchmarks/accelerator --prepare data/accelerator
    python tests/benchmarks/accelerator --prepared data/accelerator

The first step needs the whole environment, with ml-1m and beauty preprocessed. The second takes
torch and numpy alone: copy the checkout and the folder to a machine that has a GPU, call it there,
and copy the results back. These lie in `results/benchmark/<device>.json`, each as soon as it is
there; what failed and what was not reached is told in the same place. A second call does what is
missing. `--tiny` prepares small logs and networks, to see within a minute that everything works.
"""

import argparse
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
sys.path[:1] = map(str, (PROJECT / "tests/benchmarks", PROJECT / "tests", PROJECT))

if "--bare" in sys.argv:
    from accelerator.bare import hide_absent_packages

    hide_absent_packages()

import re  # noqa: E402

from accelerator import driver, plan, prepared, tables  # noqa: E402

from seqrec.errors import SeqrecError  # noqa: E402

SECONDS = 540.0


def measure(folder: Path, output: Path | None, seconds: float, anew: bool) -> int:
    """Measure what is missing, and print the tables; return how many cases failed."""
    found = prepared.Prepared.read(folder)
    device = str(driver.conditions()["device"])
    name = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
    path = output or PROJECT / "results/benchmark" / f"{name}.json"
    results = driver.Results(path, found, anew)
    measurement = driver.Measurement(found, results, seconds)
    try:
        measurement.run(plan.plan(found), lambda line: print(line, file=sys.stderr, flush=True))
    finally:
        measurement.close()
    print(f"{tables.tables(results.content)}\n\n{path}: {tables.summary(results.content)}")
    return tables.count(results.content, "error")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    step = parser.add_mutually_exclusive_group(required=True)
    step.add_argument("--prepare", type=Path, help="write configurations and logs into a folder")
    step.add_argument("--prepared", type=Path, help="measure with such a folder")
    step.add_argument("--simulate", type=Path, help=argparse.SUPPRESS)
    step.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--tiny", action="store_true", help="prepare small logs and networks")
    parser.add_argument("--processed", type=Path, default=Path("data/processed"))
    parser.add_argument("--output", type=Path, help="default: results/benchmark/<device>.json")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="time for all of it")
    parser.add_argument("--anew", action="store_true", help="keep no results that are there")
    parser.add_argument(
        "--bare", action="store_true", help="hide the packages that a bare machine lacks"
    )
    given = parser.parse_args()
    try:
        if given.prepare:
            prepared.prepare(given.prepare, given.processed, given.tiny)
        elif given.simulate:
            found = prepared.Prepared.read(given.simulate)
            found.simulate(found.missing())
        elif given.measure:
            from accelerator.worker import serve

            serve(given.measure)
        elif measure(given.prepared, given.output, given.seconds, given.anew):
            sys.exit(1)
    except SeqrecError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

"""The stages that scale.py measures, each in a process of its own, which imports no more than it
needs.

    python tests/benchmarks/scale_stages.py STAGE FOLDER INTERACTIONS SIZES THREADS
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from phases import report_phase

HISTORY = 50
"""Mean interactions of a user: with the log grows the number of its users."""
FIRST_SECOND, SECONDS = 1_500_000_000, 100_000_000
"""When the made-up interactions begin, and how long they last."""
WRITTEN_AT_ONCE = 1_000_000
NAME, RAW_FILE, PROCESSED = "scale", Path("raw/scale.csv"), Path("processed")


class Sizes(NamedTuple):
    """What is measured."""

    interactions: tuple[int, ...]
    items: int
    steps: int
    validated: int


Found = TypeVar("Found")


def timed(phase: str, action: Callable[[], Found]) -> Found:
    """Do something, and report how long it took."""
    start = time.perf_counter()
    found = action()
    report_phase(phase, seconds=time.perf_counter() - start)
    return found


def simulate(folder: Path, interactions: int, sizes: Sizes) -> None:
    """Write a CSV file in order of time; users and items have long tails."""
    import pyarrow as pa
    from pyarrow import csv

    rng, users = np.random.default_rng(0), max(1, interactions // HISTORY)
    path = folder / RAW_FILE
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.write(b"user,item,time\n")
        for first in range(0, interactions, WRITTEN_AT_ONCE):
            count = min(WRITTEN_AT_ONCE, interactions - first)
            place = first + np.arange(count)
            columns = {
                "user": (users * rng.random(count) ** 1.5).astype(np.int64),
                "item": (sizes.items * rng.random(count) ** 2).astype(np.int64),
                "time": FIRST_SECOND + place * SECONDS // interactions,
            }
            csv.write_csv(pa.table(columns), file, csv.WriteOptions(include_header=False))


def preprocess(folder: Path, *_: Any) -> None:
    """Verify the raw file, and turn it into a log."""
    from seqrec.data import preprocessing
    from seqrec.data.datasets import Dataset
    from seqrec.data.download import download

    columns = {"user": "user", "item": "item", "timestamp": "time"}
    dataset = Dataset.model_validate(
        {
            "title": "Scale",
            "max_length": HISTORY,
            "sources": [{"file": RAW_FILE.name}],
            "format": {"kind": "csv", "columns": columns},
        }
    )
    raw, log = folder / RAW_FILE.parent, folder / PROCESSED
    manifest = timed("checksum", lambda: download(NAME, dataset, raw, mirror=""))
    timed("preprocess", lambda: preprocessing.preprocess(NAME, dataset, manifest, log))


def audit(folder: Path, *_: Any) -> None:
    """Compute the numbers of a log, and write its page."""
    from seqrec.audit.audit import audit_log, write_audit
    from seqrec.data.interactions import Interactions
    from seqrec.layout import LogFiles
    from seqrec.report.page.audit import write_audit_page

    files = LogFiles(folder / PROCESSED)
    log = Interactions.load(files.folder)
    found = timed("audit", lambda: audit_log(NAME, log))
    write_audit(files, found)
    write_audit_page(files.audit_page, found)


def train(folder: Path, _: int, sizes: Sizes) -> None:
    """Train for the first steps of an epoch, and validate on a sample of users."""
    import torch

    from seqrec.data.interactions import Interactions
    from seqrec.experiment.schema import RunConfig
    from seqrec.models import Network
    from seqrec.running.engine import choose_engine
    from seqrec.running.memory import keep_freed_memory
    from seqrec.running.options import EngineOptions
    from seqrec.training.beginning import begin_run
    from seqrec.training.loop import Trainer

    config = RunConfig.model_validate(
        {
            "dataset": NAME,
            "model": "sasrec",
            "seed": 0,
            "implementation": "sasrec",
            "hyperparameters": {},
            "max_length": HISTORY,
            "loss": {"kind": "sampled-cross-entropy", "negatives": 256},
            "training": {"validation_users": sizes.validated},
            "evaluation": {},
        }
    )
    keep_freed_memory()
    engine = choose_engine(EngineOptions(device="cpu", threads=torch.get_num_threads()))
    log = timed("load", lambda: Interactions.load(folder / PROCESSED))

    def prepare() -> Trainer:
        splits, network = begin_run(config, log, engine)
        assert isinstance(network, Network)
        trainer = Trainer(network, splits, config, engine)
        trainer.begin_epoch()
        return trainer

    def steps() -> None:
        for _ in range(sizes.steps):
            if not trainer.users_left:  # an epoch of the smallest log has fewer
                trainer.begin_epoch()
            trainer.step()

    trainer = timed("prepare", prepare)
    timed("steps", steps)
    timed("validate", trainer.validate)


STAGES = {"simulate": simulate, "preprocess": preprocess, "audit": audit, "train": train}
"""In this order; the first is no part of the package."""


if __name__ == "__main__":
    stage, place, number, numbers, threads = sys.argv[1:]
    if stage == "train":
        import torch

        torch.set_num_threads(int(threads))
    STAGES[stage](Path(place), int(number), Sizes(*json.loads(numbers)))

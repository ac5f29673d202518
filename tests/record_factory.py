"""Plausible run records for tests, written the way a training writes them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqrec.experiment.naming import sampled_negatives
from seqrec.layout import ResultFiles, Run, RunFiles
from seqrec.protocol.epoch import Epoch
from seqrec.protocol.metrics import metrics_from_ranks
from seqrec.records import Record
from seqrec.records.arrays import Arrays
from seqrec.records.failure import Reason, write_failure
from seqrec.records.fingerprint import training_code_fingerprint
from seqrec.records.grid_file import AskedRun, GridFile
from seqrec.records.history import HISTORY_COLUMNS
from seqrec.records.writing import write_record
from seqrec.typed_yaml import check_values

ROOT = Path(__file__).parents[1]

USERS = 1000


def make_ranks(ndcg: float | None = None, seed: int = 0) -> np.ndarray:
    """Ranks of `USERS` users with NDCG@10 0.18 and hit rate 0.31, in an order that `seed` decides.

    With `ndcg`, a multiple of 1/1000, every hit has rank 1 and that is the NDCG@10.
    """
    hits = {1: 50, 3: 260, 15: 279} if ndcg is None else {1: round(ndcg * USERS)}
    ranks = np.repeat([*hits, 2000], [*hits.values(), USERS - sum(hits.values())])
    return np.random.default_rng(seed).permutation(ranks)


def make_metrics(dataset: str, model: str, seed: int = 0, **changes: Any) -> dict[str, Any]:
    """The content of `metrics.json`; `changes` replace values at the top level.

    `dataset` may be a task, such as `beauty@temporal`.
    """
    run = Run(dataset, model, seed)
    changes = ({"split": run.split} if run.split else {}) | changes
    test = metrics_from_ranks(make_ranks(), [10, 100])
    return {
        "format": 1,
        "dataset": run.dataset,
        "model": model,
        "negatives": sampled_negatives(model),
        "seed": seed,
        "config": {"model": model, "hyperparameters": {"hidden_size": 64}},
        "config_hash": "c" * 64,
        "data": {
            "sha256": "d" * 64,
            "statistics": {
                "users": 6040,
                "items": 3416,
                "interactions": 999611,
                "mean_length": 165.4985,
                "density": 0.0484479,
            },
        },
        "seqrec": {
            "version": "0.1.0",
            "commit": None,
            "training_code": training_code_fingerprint(),
            "model_code": None,
        },
        "libraries": {"numpy": np.__version__},
        "device": "Some CPU",
        "device_kind": "cpu",
        "device_id": "cpu",
        "threads": 2,
        "runs_sharing_device": 1,
        "precision": "float32",
        "logits_per_chunk": 1000,
        "compile": False,
        "job": None,
        "epochs": 12,
        "best_epoch": 9,
        "training_seconds": 540.125,
        "peak_memory_bytes": 10**9,
        "parameters": 300_000,
        "validation": test,
        "test": test,
    } | changes


def make_history(epochs: int = 12, peak: float = 0.18, speed: float = 45.0) -> list[dict[str, Any]]:
    """A curve that rises to about `peak`, with an epoch every `speed` seconds, as its lines."""
    return [
        {
            "epoch": epoch,
            "seconds": speed * epoch,
            "training_loss": 7.0 / epoch,
            "ndcg@10": peak * (1 - 0.7**epoch),
        }
        for epoch in range(1, epochs + 1)
    ]


def epoch_of(line: dict[str, Any]) -> Epoch:
    """The epoch that a line of a history shows."""
    number, seconds, loss = (line[name] for name in HISTORY_COLUMNS)
    validation = {name: value for name, value in line.items() if name not in HISTORY_COLUMNS}
    return Epoch(number, seconds, loss, validation)


def folder_of(results: Path, dataset: str, model: str, seed: int = 0) -> Path:
    return ResultFiles(results).run(dataset, model, seed).folder


def record_of(folder: Path, metrics: dict[str, Any]) -> Record:
    """The record with this content, in memory."""
    return check_values(Record, {**metrics, "folder": folder}, str(folder))


def make_record(
    results: Path,
    dataset: str = "ml-1m",
    model: str = "sasrec+",
    seed: int = 0,
    *,
    ndcg: float | None = None,
    ranks: Sequence[int] | np.ndarray | None = None,
    target_counts: Sequence[int] | np.ndarray | None = None,
    recommended_counts: Sequence[int] | np.ndarray | None = None,
    history_lengths: Sequence[int] | np.ndarray | None = None,
    target_users: Sequence[int] | np.ndarray | None = None,
    history: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> Path:
    """Write a finished record with its weights and configuration; returns its folder.

    Its test metrics are those of its ranks, `ranks` or `make_ranks` of `ndcg` and the seed. Without
    `recommended_counts` or `history_lengths` it is one of the older records, which lack them;
    without `target_users` each user has one target.
    """
    folder = folder_of(results, dataset, model, seed)
    if ranks is None:
        ranks = make_ranks(ndcg, seed)
    changes = {"test": metrics_from_ranks(ranks, [10, 100])} | changes
    record = record_of(folder, make_metrics(dataset, model, seed, **changes))
    if history is None:
        history = make_history(record.epochs) if record.epochs else []
    if target_counts is None:
        target_counts = np.arange(len(ranks))
    epochs = [epoch_of(line) for line in history]
    optional = (
        None if one is None else np.asarray(one)
        for one in (recommended_counts, history_lengths, target_users)
    )
    arrays = Arrays(np.asarray(ranks), np.asarray(target_counts), *optional)
    write_record(record, arrays, epochs, b"weights")
    return folder


def make_timing(results: Path, seconds: dict[str, dict[str, float]]) -> None:
    """Write seconds per epoch, by dataset and model, as if measured on a quiet machine."""
    content = {"machine": "a quiet machine", "seconds_per_epoch": seconds}
    ResultFiles(results).timing.write_text(json.dumps(content))


def without_digests(folder: Path) -> Path:
    """Make a record one of the older ones, which do not have the digests of their files."""
    edit_metrics(folder, digests=None)
    return folder


def edit_metrics(folder: Path, **changes: Any) -> None:
    """Change values at the top level of `metrics.json`; None removes the key."""
    path = RunFiles(folder).metrics
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(
        json.dumps({k: v for k, v in content.items() if k not in changes or v is not None})
    )


def make_failure(
    folder: Path, error: str = "out of memory", remedy: str = "Halve the batch."
) -> None:
    """Leave word in a run's folder that the run has failed."""
    about = Run.of(folder)._asdict()
    write_failure(RunFiles(folder).failure, Reason(error, remedy), **about, where="epoch 3")


def write_grid(results: Path, *runs: tuple[str, str, int]) -> None:
    """Write the grid of an experiment that asks for `runs`, by dataset, model and seed."""
    asked = [AskedRun.of(Run(*run)) for run in runs]
    GridFile(experiment=results.name, runs=asked).write(ResultFiles(results).grid)


def files_below(folder: Path) -> dict[str, bytes]:
    """The content of all files in `folder` and its folders, by their relative paths."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}

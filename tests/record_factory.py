"""Plausible run records for tests, written the way a training writes them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqrec.experiment.naming import sampled_negatives
from seqrec.protocol.metrics import metrics_from_ranks
from seqrec.records.fingerprint import training_code_fingerprint
from seqrec.records.record import write_record

USERS = 1000


def make_ranks(ndcg: float | None = None, seed: int = 0) -> np.ndarray:
    """Of users in an order of the seed's: with the NDCG@10 that is asked for, a multiple of 1/1000,
    by hits at the first rank alone; else one of 0.18 with a hit rate of 0.31."""
    hits = {1: 50, 3: 260, 15: 279} if ndcg is None else {1: round(ndcg * USERS)}
    ranks = np.repeat([*hits, 2000], [*hits.values(), USERS - sum(hits.values())])
    return np.random.default_rng(seed).permutation(ranks)


def make_metrics(dataset: str, model: str, seed: int = 0, **changes: Any) -> dict[str, Any]:
    """What a training hands to `write_record`; `changes` replace values at the top level."""
    test = metrics_from_ranks(make_ranks(), [10, 100])
    return {
        "format": 1,
        "dataset": dataset,
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
        },
        "libraries": {"numpy": np.__version__},
        "device": "Some CPU",
        "device_kind": "cpu",
        "threads": 2,
        "runs_sharing_device": 1,
        "precision": "float32",
        "job": None,
        "epochs": 12,
        "best_epoch": 9,
        "training_seconds": 540.125,
        "seconds_per_epoch": 45.0,
        "peak_memory_bytes": 10**9,
        "parameters": 300_000,
        "validation": test,
        "test": test,
    } | changes


def make_history(epochs: int = 12, peak: float = 0.18, speed: float = 45.0) -> list[dict[str, Any]]:
    """A curve that rises to about `peak`, an epoch every `speed` seconds."""
    return [
        {
            "epoch": epoch,
            "seconds": speed * epoch,
            "training_loss": 7.0 / epoch,
            "ndcg@10": peak * (1 - 0.7**epoch),
        }
        for epoch in range(1, epochs + 1)
    ]


def folder_of(results: Path, dataset: str, model: str, seed: int = 0) -> Path:
    return results / "runs" / dataset / model / f"seed-{seed}"


def make_record(
    results: Path,
    dataset: str = "ml-1m",
    model: str = "sasrec+",
    seed: int = 0,
    *,
    ndcg: float | None = None,
    ranks: Sequence[int] | np.ndarray | None = None,
    target_counts: Sequence[int] | np.ndarray | None = None,
    history: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> Path:
    """Write a finished record with its checkpoint and configuration; returns its folder.

    Its test metrics are those of its ranks, `ranks` or `make_ranks` of `ndcg` and the seed.
    """
    folder = folder_of(results, dataset, model, seed)
    metrics = make_metrics(dataset, model, seed, **changes)
    if ranks is None:
        ranks = make_ranks(ndcg, seed)
    metrics["test"] = changes.get("test", metrics_from_ranks(ranks, [10, 100]))
    if history is None:
        history = make_history(metrics["epochs"]) if metrics["epochs"] else []
    if target_counts is None:
        target_counts = np.arange(len(ranks))
    write_record(folder, metrics, history, np.asarray(ranks), np.asarray(target_counts))
    (folder / "config.yaml").write_text("hidden: 64\n")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder

"""Small logs and configurations for tests that train, and a folder of configuration files."""

import json
from collections.abc import Sequence
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor

from seqrec.data.datasets import Dataset
from seqrec.data.download import download
from seqrec.data.interactions import Interactions
from seqrec.data.preprocessing import preprocess
from seqrec.data.simulation import simulate
from seqrec.data.statistics import Statistics
from seqrec.experiment.implementations import import_model
from seqrec.experiment.schema import RunConfig
from seqrec.layout import LogFiles
from seqrec.models import Network
from seqrec.training.batches import Batch, GroupedBatches, TrainingSequences

ROOT = Path(__file__).parents[1]

SIZES = {"users": 120, "items": 60, "mean_length": 12, "min_length": 4, "max_length": 30}
"""Sizes of a simulated log on which an epoch takes a moment, with more items than the cutoff 10."""

LOSSES: dict[str, dict[str, Any]] = {
    "full": {"kind": "cross-entropy"},
    "sampled": {"kind": "sampled-cross-entropy", "negatives": 8},
    "sampled by position": {
        "kind": "sampled-cross-entropy",
        "negatives": 8,
        "sharing": "position",
    },
    "binary": {"kind": "binary-cross-entropy", "negatives": 1},
    "binary by sequence": {
        "kind": "binary-cross-entropy",
        "negatives": 8,
        "sharing": "sequence",
    },
    "gbce": {"kind": "gbce", "negatives": 8},
    "bpr": {"kind": "bpr", "negatives": 8, "sharing": "sequence"},
    "bpr-max in batch": {
        "kind": "bpr-max",
        "negatives": 8,
        "sampling": "in-batch",
        "parameters": {"regularisation": 0.1},
    },
    "by popularity": {
        "kind": "sampled-cross-entropy",
        "negatives": 8,
        "sampling": "popularity",
        "logq": True,
    },
}

NO_STATISTICS = Statistics.model_construct()
"""Those of a log that no run is recorded of."""

NETWORKS: dict[str, dict[str, Any]] = {
    "sasrec": {"hidden_size": 8, "blocks": 1, "heads": 2, "dropout": 0.1},
    "gru4rec": {"hidden_size": 8},
    "gpt4rec": {"hidden_size": 8, "layers": 1, "dropout": 0.1},
    "bert4rec": {"hidden_size": 8, "layers": 1, "heads": 2, "intermediate_size": 16},
    "ligr": {"hidden_size": 8, "blocks": 1, "heads": 2, "dropout": 0.1},
    "gsasrec": {"hidden_size": 8, "blocks": 1, "heads": 2, "dropout": 0.1},
    "hstu": {"hidden_size": 8, "blocks": 1, "heads": 2, "dropout": 0.1},
}
"""Hyperparameters of a very small network of each kind."""


def depth_of(implementation: str) -> str:
    """Return the name of the hyperparameter that says how many layers a network has."""
    return "layers" if "layers" in signature(import_model(implementation)).parameters else "blocks"


def without_dropout(implementation: str) -> dict[str, Any]:
    """Return the hyperparameters of a very small network with dropout off, where there is any."""
    return NETWORKS[implementation] | ({} if implementation == "gru4rec" else {"dropout": 0.0})


def log_of(users: Sequence[Sequence[int]], num_items: int) -> Interactions:
    """Make a log in memory of the given histories."""
    items = np.array([item for user in users for item in user], np.int32)
    offsets = np.cumsum([0, *map(len, users)])
    return Interactions(items, offsets, num_items, statistics=NO_STATISTICS, digest="")


def simulated_log(**sizes: Any) -> Interactions:
    """Simulate a log in memory; `sizes` replace those of SIZES."""
    sizes = SIZES | sizes
    log = simulate(**sizes)
    return Interactions(log.items, log.offsets, log.num_items, statistics=NO_STATISTICS, digest="")


def timed(log: Interactions) -> Interactions:
    """Give a log times that ascend within each user, by gaps between none and some months."""
    gaps = 10 ** np.random.default_rng(0).uniform(0, 7, len(log.items))
    return replace(log, times=10**9 + np.cumsum(gaps.astype(np.int64)))


def timed_in(folder: Path) -> Path:
    """Give the preprocessed log in `folder` times, and return the folder."""
    log, files = timed(Interactions.load(folder)), LogFiles(folder)
    np.save(files.times, log.times)
    files.digest.write_text(json.dumps({"sha256": log.sha256()}) + "\n")
    return folder


def preprocessed_log(folder: Path, **sizes: Any) -> Path:
    """Simulate, download and preprocess a log; return its folder."""
    dataset = Dataset.model_validate(
        {"title": "Small", "max_length": 10, "simulate": SIZES | sizes}
    )
    manifest = download("small", dataset, folder / "raw", mirror="")
    preprocess("small", dataset, manifest, folder / "processed")
    return folder / "processed"


def batch_of(
    sequences: TrainingSequences, users: np.ndarray, generator: torch.Generator | None = None
) -> Batch:
    """Make one batch of users as a CPU gets it."""
    batches = GroupedBatches(sequences, len(users), generator or torch.Generator().manual_seed(0))
    batches.begin(torch.from_numpy(users))
    return batches.batch(*batches.inputs(0))


def hidden_states(network: Network, batch: Batch) -> Tensor:
    """Compute the states of a batch's positions `[positions, width]`, zero for padding."""
    states = [network(*read).flatten(0, 1)[positions] for read, positions in batch.groups]
    hidden = torch.cat(states)
    return hidden if batch.real is None else hidden * batch.real[:, None]


def small_config(implementation: str = "sasrec", loss: str = "full", **changes: Any) -> RunConfig:
    """Configure a run of a small network, or of a fitted model for any other `implementation`."""
    trained = implementation in NETWORKS
    values = {
        "dataset": "small",
        "model": implementation,
        "seed": 0,
        "implementation": implementation,
        "hyperparameters": NETWORKS.get(implementation, {}),
        "max_length": 10,
        "loss": LOSSES[loss] if trained else None,
        "training": {"batch_size": 32, "max_epochs": 2} if trained else None,
        "evaluation": {"batch_size": 50},
    }
    return RunConfig.model_validate(values | changes)


def outcome(folder: Path) -> dict[str, Any]:
    """Read everything from a run's folder except times and places."""
    metrics = json.loads((folder / "metrics.json").read_text())
    history = pd.read_csv(folder / "history.csv").drop(columns="seconds")
    return {
        "metrics": [metrics[key] for key in ("test", "validation", "best_epoch", "epochs")],
        "history": history.to_csv(),
        "ranks": np.load(folder / "ranks.npy").tobytes(),
        "weights": {
            name: tensor.numpy().tobytes()
            for name, tensor in load_file(folder / "model.safetensors").items()
        },
    }

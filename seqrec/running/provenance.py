"""Which code, libraries and machine make a run."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import seqrec
from seqrec.experiment.schema import RunConfig
from seqrec.records.fingerprint import model_code, training_code_fingerprint
from seqrec.running.device import device_title
from seqrec.training.precision import Engine


def provenance(engine: Engine, config: RunConfig) -> dict[str, Any]:
    """By what and on what a run is made."""
    job = {key.lower(): os.environ[key] for key in ("SLURM_JOB_ID",) if key in os.environ}
    return {
        "seqrec": {
            "version": seqrec.__version__,
            "commit": _commit(),
            "training_code": training_code_fingerprint(),
            "model_code": model_code(config.implementation),
        },
        "libraries": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "numpy", "implicit")},
        },
        "device": device_title(engine.device),
        "device_kind": engine.device.type,
        "threads": torch.get_num_threads(),
        "precision": engine.precision,
        "logits_per_chunk": engine.logits_per_chunk,
        "compile": engine.compile,
        "job": job or None,
    }


def _commit() -> str | None:
    """The checkout's commit, marked `-dirty` where files differ from it; None outside of git."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()

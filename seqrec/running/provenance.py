"""Which code and libraries make a run, and in which job of a cluster."""

import os
import platform
import subprocess
from importlib.metadata import version

import seqrec
from seqrec.experiment.schema import RunConfig
from seqrec.layout import PACKAGE
from seqrec.records.fingerprint import model_code, training_code_fingerprint
from seqrec.records.record import Provenance


def code_version(config: RunConfig | None = None) -> Provenance:
    """Return the version of the code that would train this configuration now.

    Without one, it is that of the code which judges what others have trained.
    """
    return Provenance(
        version=seqrec.__version__,
        commit=_commit(),
        training_code=training_code_fingerprint(),
        model_code=model_code(config.implementation) if config else None,
        loss_code=model_code(config.loss.kind) if config and config.loss else None,
    )


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a result may depend on."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "numpy", "implicit")},
    }


def cluster_job() -> dict[str, str] | None:
    """Return the job's number on a cluster; None outside of one."""
    return {key.lower(): os.environ[key] for key in ("SLURM_JOB_ID",) if key in os.environ} or None


def _commit() -> str | None:
    """Return the checkout's commit, with `-dirty` where files differ from it; None outside git.

    An installed package may lie in somebody else's checkout, in its `.venv`.
    """
    checkout = PACKAGE.parent
    if not (checkout / ".git").exists():
        return None
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=checkout,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()

"""Let Snakemake make an experiment: alone in its results, beside others, and never as an orphan.

Snakemake's own lock is left out (`nolock` in the profiles): it is one for the whole checkout. Here
each experiment holds its own results; data are held while they are made.
"""

import os
import signal
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

from seqrec.data.datasets import load_dataset
from seqrec.data.freshness import log_is_current
from seqrec.errors import SeqrecError
from seqrec.files import require_inside, require_writable
from seqrec.layout import CONFIG_FILES, RESULTS, LogFiles, ResultFiles
from seqrec.records.grid_file import GridFile
from seqrec.running.folder_lock import HELD_RESULTS, alone_in, is_held
from seqrec.running.planning import Plan
from seqrec.signals import end_with_parent

_held = ExitStack()
"""What this process holds until it ends."""


def begin(plan: Plan, rules: Collection[str]) -> None:
    """Hold what the jobs of these rules write, until this process ends, and end with its parent.

    Raises `SeqrecError` if the results cannot be written or have links that lead out of them, if
    another process makes them, or if data would be replaced that another experiment is being made
    from.
    """
    end_with_parent(_interrupt_jobs)
    results = plan.results.folder
    require_writable(results)
    _require_no_way_out(plan.results)
    # Tables and figures may be made while runs are under way.
    if "train" in rules and os.environ.get(HELD_RESULTS) != str(results.resolve()):
        _held.enter_context(alone_in(results, doing="making this experiment"))
    if "preprocess" in rules:
        for dataset in plan.datasets:
            _require_unused(dataset, results)


def _require_no_way_out(results: ResultFiles) -> None:
    """Raise `SeqrecError` if a job would write through a link that leads out of the results.

    What `seqrec` itself writes is checked where it is written. Here it is what Snakemake and the
    shell write: folders, logs, and how long jobs took.
    """
    for folder, folders, files in os.walk(results.folder):
        of_jobs = {results.logs, results.benchmarks} & {Path(folder), *Path(folder).parents}
        for name in [*folders, *(files if of_jobs else [])]:
            if (path := Path(folder, name)).is_symlink():
                require_inside(path, results.folder)


def _interrupt_jobs() -> None:
    """Stop Snakemake and what it has started, as Ctrl-C does."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.SIGINT)


def _require_unused(dataset: str, results: Path) -> None:
    log = LogFiles.of(dataset)
    if not log.digest.exists() or log_is_current(log, load_dataset(dataset)):
        return  # preprocessing again gives the same log
    if other := made_from(dataset, besides=results):
        raise SeqrecError(
            f"{log.folder}: {other} is being made from it, and {CONFIG_FILES.dataset(dataset)} "
            "has other settings now. Wait for that experiment or stop it, or undo the change."
        )


def made_from(dataset: str, besides: Path) -> Path | None:
    """Return the results of another experiment that is under way and uses `dataset`, if any."""
    for results in sorted(RESULTS.glob("*")):
        if results.resolve() == besides.resolve() or not is_held(results):
            continue
        if any(run.dataset == dataset for run in GridFile.read(results).runs):
            return results
    return None

"""Prepare a folder for Snakemake: repair what it would overlook or misread.

Snakemake compares the dates of files, and the settings of the steps that it ran itself. It knows
nothing of what `seqrec` or a person did in between. Each repair removes a file that no longer means
what it says, or dates a file back; contents of results are never touched.
"""

import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from seqrec.data.datasets import load_dataset
from seqrec.data.freshness import log_is_current
from seqrec.data.local_files import replaced_user_file
from seqrec.errors import SeqrecError
from seqrec.files import holds, read_regular, require_writable
from seqrec.layout import LogFiles, RunFiles, manifest
from seqrec.running.folder_lock import alone_in
from seqrec.running.making import made_from
from seqrec.running.planning import Plan

SNAKEMAKES_OWN = Path(".snakemake")
"""What Snakemake keeps for itself, in the project's folder."""

LEAST_FREE_BYTES = 1 << 20
"""Free disk space without which Snakemake cannot even begin."""


def require_room() -> None:
    """Raise `SeqrecError` if the project's folder is read-only or its disk is full.

    Snakemake ends with a traceback there.
    """
    require_writable(SNAKEMAKES_OWN)
    if (free := shutil.disk_usage(Path.cwd()).free) < LEAST_FREE_BYTES:
        raise SeqrecError(
            f"{Path.cwd()}: the disk is full ({free:,} bytes are left). Free some disk space, then "
            "run again; nothing that was there is lost."
        )


@dataclass(frozen=True)
class Repair:
    """A file to remove or to date back, and why."""

    path: Path
    reason: str
    date: float | None = None
    """Seconds since the epoch; None to remove the file."""

    def __str__(self) -> str:
        return f"{self.path}: {'removed' if self.date is None else 'dated back'}: {self.reason}."

    def make(self) -> None:
        if self.date is None:
            self.path.unlink(missing_ok=True)
        else:
            os.utime(self.path, (self.date, self.date))


def prepare(plan: Plan) -> list[str]:
    """Make the repairs that an experiment needs; returns a line for each, and for each left out.

    Nothing is touched that a running experiment or preprocessing holds.
    """
    if not any(repairs(plan)):
        return []
    try:
        with alone_in(plan.results.folder, doing="making this experiment"):
            return [_made(repair, plan) for repair in list(repairs(plan))]
    except SeqrecError as error:
        return [f"Nothing was repaired. {error}"]


def repairs(plan: Plan) -> Iterator[Repair]:
    """Find what `prepare` would repair, without touching anything."""
    yield from _future_dates(plan)
    if plan.grid:
        yield from _void_successes(plan)
        for dataset in plan.datasets:
            yield from _outdated_data(plan, dataset)


def advice(plan: Plan) -> str:
    """Say what to do where files need repairs; empty where none does."""
    count = len(list(repairs(plan)))
    return (
        f"Files to repair first: {count}. Run `seqrec prepare {plan.arguments}`." if count else ""
    )


def _made(repair: Repair, plan: Plan) -> str:
    """Make the repair, unless somebody uses the file; returns what was done."""
    log = repair.path.parent
    removes_log = repair.date is None and repair.path == LogFiles(log).digest
    if removes_log and (other := made_from(log.name, besides=plan.results.folder)):
        return (
            f"{repair.path}: left as it is, since {other} is being made from it, although "
            f"{repair.reason}."
        )
    hold = alone_in(log, doing="preprocessing this dataset")
    try:
        with hold if removes_log else nullcontext():
            if removes_log and repair not in repairs(plan):
                return f"{repair.path}: made again by another process."
            repair.make()
    except (OSError, SeqrecError) as error:
        return f"{repair.path}: left as it is ({error}), although {repair.reason}."
    return str(repair)


def _future_dates(plan: Plan) -> Iterator[Repair]:
    """Find inputs dated in the future, as a clock that was set back leaves them.

    What is made from them would seem older than they are, and Snakemake deletes such a result.
    """
    now = time.time()
    inputs = [*plan.records_and_failures, *plan.report_inputs, *plan.tables_code]
    for dataset in plan.datasets:
        inputs += [manifest(dataset), LogFiles.of(dataset).digest]
    for path in inputs:
        with suppress(OSError):  # absent, or not ours to look at
            if path.stat().st_mtime > now:
                yield Repair(path, "it is dated in the future", now)


def _void_successes(plan: Plan) -> Iterator[Repair]:
    """Find runs whose record was removed or changed since they succeeded.

    The record is no output of the rule, which Snakemake would delete when a retraining fails, so
    Snakemake does not miss it. The run is looked at again; a record that is its result is kept.
    """
    for success in plan.successes:
        with suppress(OSError, SeqrecError):  # absent, being written, or no file
            if reason := _void(success, RunFiles(success.parent).metrics):
                yield Repair(success, reason)


def _void(success: Path, record: Path) -> str:
    """Say why a success is void; empty if it is not.

    A workflow is parsed often, and reading thousands of files takes long on a network disk, so the
    two are read only if the record may be younger. `cp -p` and `touch` set the time at which it was
    written, but not that at which it was last changed.
    """
    then = success.lstat()
    if not stat.S_ISREG(then.st_mode):
        return "it is not a regular file"
    try:
        now = record.stat()
    except FileNotFoundError:
        return "its record is gone"
    may_be_younger = now.st_mtime >= then.st_mtime or now.st_ctime >= then.st_ctime
    is_same = now.st_size == then.st_size and (
        not may_be_younger or holds(success, read_regular(record, now.st_size))
    )
    return "" if is_same else "its record was changed"


def _outdated_data(plan: Plan, dataset: str) -> Iterator[Repair]:
    """Find a log by other settings, an old failure, and a manifest of a file since replaced."""
    log = LogFiles.of(dataset)
    with suppress(OSError):
        # Snakemake knows by which settings it made a log, but not by which `seqrec` did.
        if log.digest.exists() and not log_is_current(log, load_dataset(dataset)):
            yield Repair(log.digest, "the log was made with other settings than the YAML has now")
    failure = plan.results.data_failure(dataset)
    with suppress(OSError):
        # Another experiment or `seqrec` has made the log since, and knows nothing of this one.
        if failure.stat().st_mtime < log.digest.stat().st_mtime:
            yield Repair(failure, "the data could be obtained since")
    with suppress(OSError):
        # A file that was copied with its date may be older than the one that it replaces.
        if file := replaced_user_file(dataset):
            before = file.stat().st_mtime - 1
            if manifest(dataset).stat().st_mtime > before:
                yield Repair(manifest(dataset), f"{file} was replaced since", before)

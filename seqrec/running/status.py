"""Read how far an experiment has come from its folder.

Only files are read, so this works from any terminal and any host that shares the disk.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from seqrec.layout import ResultFiles, Run, RunFiles
from seqrec.records.failure import failure_in
from seqrec.records.record import Record
from seqrec.records.survey import NEVER_STARTED, Missing, survey
from seqrec.running.progress import Progress, read_progress

State = Literal["done", "running", "stopped", "failed", "no data", "waiting"]


@dataclass(frozen=True)
class Status:
    """How far one run has come."""

    run: Run
    state: State
    record: Record | None = None
    """Its finished record; the run may be under way again."""
    progress: Progress | None = None
    """What it reported last, if it is running or was stopped."""
    reason: str = ""
    """Why it failed or has no data, and the remedy."""
    trial_of: str = ""
    """The model that it is a trial of, in a search."""

    @property
    def group(self) -> str:
        """Return what it is shown among: the seeds of its model, or all trials of a search."""
        return f"{self.trial_of}, trials" if self.trial_of else self.run.model


def read_status(results: Path) -> list[Status]:
    """Read the status of every run that is asked for or was started, by dataset and model.

    Raises `SeqrecError` if the folder holds no experiment.
    """
    found = survey(results)
    records = {record.run: record for record in found.records}
    missing = {missing.run: missing for missing in found.missing}
    runs = {*records, *missing, *_reporting(ResultFiles(results))}
    return [
        replace(
            _status(results, run, records.get(run), missing.get(run)),
            trial_of=found.trials.get(run.model, ""),
        )
        for run in sorted(runs, key=found.order)
    ]


def _reporting(files: ResultFiles) -> Iterator[Run]:
    """Find the runs that report progress, also those that nobody asks for."""
    for folder in files.run_folders():
        if RunFiles(folder).progress.is_file():
            yield Run.of(folder)


def _status(results: Path, run: Run, record: Record | None, missing: Missing | None) -> Status:
    progress, alive = read_progress(ResultFiles(results).run(*run).folder) or (None, False)
    if alive:
        return Status(run, "running", record, progress)
    if record and (failure := failure_in(record.folder)):
        reason = f"{failure.reason} {failure.remedy} The earlier record is kept."
        return Status(run, "failed", record, progress, reason)
    if record:
        return Status(run, "done", record, progress)
    if progress:
        return Status(run, "stopped", record, progress)
    if missing is None or missing.reason == NEVER_STARTED:
        return Status(run, "waiting")
    files = ResultFiles(results)
    no_data = (
        files.data_failure(run.dataset).is_file() and failure_in(files.run(*run).folder) is None
    )
    reason = f"{missing.reason} {missing.remedy}"
    return Status(run, "no data" if no_data else "failed", reason=reason)

"""How far an experiment is, as its folder shows: done, running, stopped, failed and waiting runs.

Only files are read, so this works from another terminal or host that shares the disk.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqrec.experiment.naming import run_order
from seqrec.records.record import Record, Run, failure_in, place_of, run_of
from seqrec.records.survey import NEVER_STARTED, folders_of_runs, survey
from seqrec.running.progress import Progress, read_progress

State = Literal["done", "running", "stopped", "failed", "waiting"]


@dataclass(frozen=True)
class Status:
    """How far one run is."""

    run: Run
    state: State
    record: Record | None = None
    """Of a run that is done, or that is being done again."""
    progress: Progress | None = None
    """Of a run that is running or stopped."""
    reason: str = ""
    """Why it failed, and what to do."""


def read_status(results: Path) -> list[Status]:
    """Every run that the experiment asks for or has begun, by dataset and model.

    Raises `SeqrecError` if there is no such folder.
    """
    found = survey(results)
    records = {record.run: record for record in found.records}
    missing = {missing.run: missing for missing in found.missing}
    begun = {
        run_of(folder)
        for folder in folders_of_runs(results)
        if (folder / "progress.json").is_file()
    }
    statuses = []
    for run in sorted({*records, *missing, *begun}, key=lambda run: run_order(*run)):
        record = records.get(run)
        progress, alive = read_progress(results / "runs" / place_of(run)) or (None, False)
        state: State
        reason = ""
        if alive:
            state = "running"
        elif record and (failure := failure_in(record.folder)):
            state, reason = "failed", f"{' '.join(failure)} The record from before is kept."
        elif record:
            state = "done"
        elif progress:
            state = "stopped"
        elif run not in missing or missing[run].reason == NEVER_STARTED:
            state = "waiting"
        else:
            state, reason = "failed", f"{missing[run].reason} {missing[run].remedy}"
        statuses.append(Status(run, state, record, progress, reason))
    return statuses

"""Lay out the status of an experiment as text for a terminal."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from seqrec.experiment.naming import tasks_together
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records.record import Record
from seqrec.records.survey import Missing, by_reason, done_in_short
from seqrec.running.progress import Progress
from seqrec.running.status import State, Status, read_status
from seqrec.wording import counted, metric_title

STYLES: dict[State, str] = {
    "done": "green",
    "running": "cyan",
    "stopped": "yellow",
    "failed": "red",
    "no data": "red",
    "waiting": "dim",
}

MOST_REASONS = 6
"""Reasons for failures that are shown; `seqrec missing` lists all."""

NUMBERS = "Test NDCG@10 of finished runs; what running ones reach is on validation."
OF_TRIALS = "Of the trials of a search, how many have finished: validation chooses among them."


def terminal() -> Console:
    """Return the terminal; where there is none, lines are wide enough for the paper's grid."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 140
    return console


def show(results: Path, console: Console) -> None:
    """Print how far the experiment has come."""
    console.print(view(results, read_status(results), console.is_terminal))


def view(results: Path, statuses: Sequence[Status], with_bar: bool = True) -> RenderableType:
    """Lay out a bar of the runs that have data, the grid, and what runs, stopped or failed."""
    counts = _counts(statuses)
    parts = [headline(results, statuses, with_bar)]
    if statuses:
        tasks = dict.fromkeys(status.run.task for status in statuses)
        for dataset, some in tasks_together(tasks).items():
            parts.append(_grid(dataset, some, [one for one in statuses if one.run.task in some]))
        is_search = any(status.trial_of for status in statuses)
        parts += [Text(line, "dim") for line in (NUMBERS, *([OF_TRIALS] * is_search))]
    if counts["running"]:
        parts += [Text(), _running([s for s in statuses if s.state == "running"])]
    for status in statuses:
        if status.state == "stopped" and status.progress:
            parts.append(Text(f"{status.run.title}: {_stopped(status.progress)}", "yellow"))
    parts += [Text(line, "red") for line in _failures(statuses)]
    return Group(*parts)


def headline(results: Path, statuses: Sequence[Status], with_bar: bool = True) -> RenderableType:
    """Say how many runs are in which state, with a bar of those that have data."""
    if not statuses:
        return Text(f"{results}: looking for what is to be done ...")
    counts = _counts(statuses)
    line = Text(done_in_short(results, counts["done"], len(statuses)))
    for state, count in counts.items():
        if count and state != "done":
            line.append(f", {count} ").append(state, STYLES[state])
    if not with_bar:
        return line
    bar = Table.grid()
    bar.add_row(ProgressBar(max(1, len(statuses) - counts["no data"]), counts["done"], width=60))
    return Group(line, bar)


def _counts(statuses: Sequence[Status]) -> dict[State, int]:
    return {state: sum(status.state == state for status in statuses) for state in STYLES}


def _grid(dataset: str, tasks: Mapping[str, Sequence[str]], statuses: Sequence[Status]) -> Table:
    """Lay out one row per model and one column per task, with the lines of its heading."""
    groups = dict.fromkeys(status.group for status in statuses)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(Text(dataset))
    for title in tasks.values():
        table.add_column(Text("\n".join(title)))
    for group in groups:
        cells = []
        for task in tasks:
            runs = [s for s in statuses if (s.run.task, s.group) == (task, group)]
            cells.append(_cell(runs))
        table.add_row(Text(group), *cells)
    return table


def _cell(runs: Sequence[Status]) -> Text:
    """Summarise the runs of one model on one task, one per seed, or the trials of its search.

    The test of a trial is not shown: it must have no part in a choice.
    """
    parts = []
    scores = [s.record.test[STOPPING_METRIC] for s in runs if s.state == "done" and s.record]
    are_trials = any(status.trial_of for status in runs)
    if scores and not are_trials:
        parts.append(Text(f"{fmean(scores):.4f}", STYLES["done"]))
    if are_trials or 1 < len(runs) != len(scores):
        style = STYLES["done"] if len(runs) == len(scores) else ""
        parts.append(Text(f"{len(scores)}/{len(runs)}", style))
    unfinished: tuple[State, ...] = ("running", "stopped", "failed", "no data", "waiting")
    for state in unfinished:
        some = [status for status in runs if status.state == state]
        progress = some[0].progress if len(runs) == len(some) == 1 else None
        if some and (state != "waiting" or len(runs) == 1):
            parts.append(Text(_word(state, progress), STYLES[state]))
    return Text(" ").join(parts)


def _word(state: State, progress: Progress | None) -> str:
    if state != "running" or progress is None:
        return state
    return f"epoch {progress.epoch}" if progress.epoch else "starting"


def _running(statuses: Sequence[Status]) -> Table:
    """Lay out the progress of running trainings, with an estimate of the time left."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    metrics = {s.progress.stopped_by for s in statuses if s.progress} or {STOPPING_METRIC}
    metric = metric_title(metrics.pop()) if len(metrics) == 1 else "Metric"
    for heading in ("Running", "Epoch", metric, "Best (epoch)", "Per epoch", "Time left"):
        # A terminal of 80 columns has room for the numbers; a long name takes two lines.
        table.add_column(heading, no_wrap=heading != "Running", overflow="fold")
    for status in statuses:
        now = status.progress
        if now is None or not now.epoch:
            table.add_row(
                Text(status.run.title), f"0/{now.max_epochs}" if now and now.max_epochs else ""
            )
            continue
        left = now.seconds_left()
        table.add_row(
            Text(status.run.title),
            f"{now.epoch}/{now.max_epochs}",
            f"{now.stopping_metric:.4f}",
            f"{now.best_stopping_metric:.4f} ({now.best_epoch})",
            duration(now.seconds_per_epoch or 0.0),
            _range(*left) if left else "",
        )
    return table


def _stopped(progress: Progress) -> str:
    after = (
        f"stopped after epoch {progress.epoch}, validation {metric_title(progress.stopped_by)} "
        f"{progress.stopping_metric:.4f}"
        if progress.epoch
        else "stopped during its first epoch"
    )
    return f"{after}; start the experiment again to continue from there."


def _failures(statuses: Sequence[Status]) -> Iterator[str]:
    """Yield a line for each reason, with the runs that failed for it."""
    failed = [
        Missing(status.run, status.reason, "")
        for status in statuses
        if status.state in ("failed", "no data")
    ]
    lines = by_reason(failed, Counter(status.run.task for status in statuses))
    yield from lines[:MOST_REASONS]
    if (more := len(lines) - MOST_REASONS) > 0:
        yield f"{counted(more, 'more reason')}; `seqrec missing` lists them all."


def news(before: Sequence[Status], now: Sequence[Status]) -> list[str]:
    """Return a line for each run that has ended between two readings of the status."""
    old = {status.run: status for status in before}
    # Each line counts itself, not those that follow it.
    is_new = {s.run for s in now if s.state == "done" and _has_changed(old.get(s.run), s)}
    done = sum(status.state == "done" for status in now) - len(is_new)
    lines = []
    for status in now:
        if not _has_changed(old.get(status.run), status):
            continue
        done += status.run in is_new
        if status.state == "done" and status.record:
            text = _result(status.record, bool(status.trial_of))
        elif status.state == "stopped" and status.progress:
            text = _stopped(status.progress)
        elif status.state in ("failed", "no data"):
            text = f"{status.state}: {status.reason}"
        else:
            continue
        lines.append(f"{done} of {len(now)} done. {status.run.title}: {text}")
    return lines


def _has_changed(before: Status | None, now: Status) -> bool:
    """Whether a run has another status, however far it has come."""
    return before is None or replace(before, progress=None) != replace(now, progress=None)


def _result(record: Record, is_trial: bool) -> str:
    """Say what a run reached; of a trial on validation, by which it competes."""
    epochs = f"{counted(record.epochs, 'epoch')} in " if record.epochs else ""
    reached = (
        f"validation NDCG@10 {record.validation[STOPPING_METRIC]:.4f}"
        if is_trial
        else f"test NDCG@10 {record.test[STOPPING_METRIC]:.4f}, "
        f"HitRate@10 {record.test['hit_rate@10']:.4f}"
    )
    return f"{reached}, {epochs}{duration(record.training_seconds)}"


def duration(seconds: float) -> str:
    """Write a duration with two digits, all that an estimate has: `8.3 s`, `51 s`, `12 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.1f} h"


def _range(least: float, most: float) -> str:
    short, long = duration(least), duration(most)
    return short if short == long else f"{short} to {long}"

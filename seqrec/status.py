"""How far an experiment is, as its folder shows: done, running, stopped, failed and waiting runs.

Nothing but files is read, so that this works from another terminal or host, on a shared disk.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from seqrec.errors import SeqrecError
from seqrec.lease import alone_in
from seqrec.naming import model_order, run_order
from seqrec.progress import Progress, read_progress
from seqrec.records import (
    NOT_RUN,
    Record,
    Run,
    failure_in,
    folders_of_runs,
    holds_experiment,
    place_of,
    run_of,
    survey,
)
from seqrec.signals import handling

State = Literal["done", "running", "stopped", "failed", "waiting"]

STYLES: dict[State, str] = {
    "done": "green",
    "running": "cyan",
    "stopped": "yellow",
    "failed": "red",
    "waiting": "dim",
}
REFRESH_SECONDS = 2.0
LINES = 6
"""How many failures are told in full."""


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
    missing = {Run(*run[:3]): run for run in found.missing}
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
        elif run not in missing or missing[run].reason == NOT_RUN:
            state = "waiting"
        else:
            state, reason = "failed", f"{missing[run].reason} {missing[run].remedy}"
        statuses.append(Status(run, state, record, progress, reason))
    return statuses


def screen() -> Console:
    """The terminal; where there is none, lines are wide enough for the grid of the paper."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 140
    return console


def show(results: Path, console: Console) -> None:
    """Print how far the experiment is."""
    console.print(view(results, read_status(results)))


def watch(results: Path, console: Console) -> None:
    """Show it until every run is done: live on a terminal, else a line for each run that ends."""
    before = read_status(results)
    with _display(console) as update:
        for statuses in _refreshed(results, lambda: False):
            update(results, statuses, _news(before, statuses))
            before = statuses
            if all(status.state == "done" for status in statuses):
                return


def watch_during(results: Path, command: Sequence[str], console: Console) -> int:
    """Show it while `command` runs, with what the command says; returns its exit status.

    One command at a time, or `SeqrecError`. Told to stop, by Ctrl-C, SIGTERM or the end of its
    terminal, it passes Ctrl-C on to the command and all that this has started, and waits for them.
    """
    with alone_in(results, doing="making this experiment"):
        before = read_status(results) if holds_experiment(results) else []
        with _group_of(command) as (process, stop):
            words = _Words(process, console)
            parent = os.getppid()

            def ended() -> bool:
                nonlocal parent
                # A shell of make's does not pass on the signal that ends it.
                if "MAKELEVEL" in os.environ and parent != os.getppid():
                    parent = os.getppid()
                    stop()
                return words.ended

            with _display(console) as update:
                for statuses in _refreshed(results, ended):
                    update(results, statuses, _news(before, statuses), words.unfinished)
                    before = statuses
            return process.wait()


@contextmanager
def _group_of(
    command: Sequence[str],
) -> Iterator[tuple["subprocess.Popen[bytes]", Callable[..., None]]]:
    """Start `command` in a process group of its own, with a pipe for what it says, and wait for it;
    yields it and a function that sends the group SIGINT, as signals to stop do meanwhile."""
    process: subprocess.Popen[bytes] | None = None
    stopped = False

    def stop(number: int = signal.SIGTERM, *_: object) -> None:
        nonlocal stopped
        again, stopped = stopped, True
        # Closing a terminal sends several signals, and a second SIGINT would cut short what the
        # first has begun; only a person who presses Ctrl-C again wants that.
        if process and (number == signal.SIGINT or not again):
            # Not the signal itself: Snakemake lets jobs go on after SIGTERM, and its lock lie after
            # SIGHUP.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)

    with handling(stop, signal.SIGINT, signal.SIGTERM):
        try:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0
            )
        except OSError as error:
            raise SeqrecError(f"{command[0]}: cannot be started ({error.strerror}).") from None
        if stopped:  # before there was anything to stop
            stop(signal.SIGINT)
        try:
            yield process, stop
        finally:
            process.wait()  # also where it cannot be shown any more: nobody else would wait for it


def view(results: Path, statuses: Sequence[Status]) -> RenderableType:
    """The whole of it: a bar, the grid, and what is running, stopped or failed."""
    counts = {state: sum(status.state == state for status in statuses) for state in STYLES}
    summary = Text(f"{results}: {counts['done']} of {_runs(len(statuses))} done")
    for state, count in counts.items():
        if count and state != "done":
            summary.append(f", {count} ").append(state, STYLES[state])
    bar = Table.grid()
    bar.add_row(ProgressBar(max(1, len(statuses)), counts["done"], width=60))
    parts: list[RenderableType] = [summary, bar]
    if statuses:
        parts += [_grid(statuses), Text("Test NDCG@10 of runs that are done.", "dim")]
    if counts["running"]:
        parts += [Text(), _running([s for s in statuses if s.state == "running"])]
    for status in statuses:
        if status.state == "stopped" and status.progress:
            parts.append(Text(f"{_name(status.run)}: {_stopped(status.progress)}", "yellow"))
    parts += [Text(line, "red") for line in _failures(statuses)]
    return Group(*parts)


def _grid(statuses: Sequence[Status]) -> Table:
    """A line a model, a column a dataset."""
    datasets = list(dict.fromkeys(status.run.dataset for status in statuses))
    models = sorted({status.run.model for status in statuses}, key=model_order)
    table = Table("", *datasets, box=None, pad_edge=False, header_style="bold")
    for model in models:
        cells = []
        for dataset in datasets:
            runs = [s for s in statuses if (s.run.dataset, s.run.model) == (dataset, model)]
            cells.append(_cell(runs))
        table.add_row(model, *cells)
    return table


def _cell(runs: Sequence[Status]) -> Text:
    """The runs of one model on one dataset: one a seed."""
    parts = []
    scores = [s.record.test["ndcg@10"] for s in runs if s.state == "done" and s.record]
    if scores:
        parts.append(Text(f"{fmean(scores):.4f}", STYLES["done"]))
    if 1 < len(runs) != len(scores):
        parts.append(Text(f"{len(scores)}/{len(runs)}"))
    unfinished: tuple[State, ...] = ("running", "stopped", "failed", "waiting")
    for state in unfinished:
        some = [status for status in runs if status.state == state]
        progress = some[0].progress if len(runs) == len(some) == 1 else None
        if some and (state != "waiting" or len(runs) == 1):
            word = f"epoch {progress.epoch}" if progress and state == "running" else state
            parts.append(Text(word, STYLES[state]))
    return Text(" ").join(parts)


def _running(statuses: Sequence[Status]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Running", "Epoch", "Validation NDCG@10", "Best", "An epoch", "Left, about"):
        table.add_column(heading, no_wrap=heading == "Running")
    for status in statuses:
        now = status.progress
        if now is None or not now.epoch:
            first = "first" if now and now.max_epochs else ""
            table.add_row(_name(status.run), first)
            continue
        left = now.seconds_left()
        table.add_row(
            _name(status.run),
            f"{now.epoch} of at most {now.max_epochs}",
            f"{now.ndcg:.4f}",
            f"{now.best_ndcg:.4f} in epoch {now.best_epoch}",
            _duration(now.seconds_per_epoch or 0.0),
            _range(*left) if left else "",
        )
    return table


def _stopped(progress: Progress) -> str:
    after = (
        f"stopped after epoch {progress.epoch}, validation NDCG@10 {progress.ndcg:.4f}"
        if progress.epoch
        else "stopped before its first epoch was over"
    )
    return f"{after}; the experiment, started again, goes on from there."


def _failures(statuses: Sequence[Status]) -> Iterator[str]:
    """A line for each reason, with the runs that it has stopped."""
    failed = [status for status in statuses if status.state == "failed"]
    reasons = list(dict.fromkeys(status.reason for status in failed))
    for reason in reasons[:LINES]:
        runs = [status.run for status in failed if status.reason == reason]
        more = len(runs) - 1
        others = f" and {more} more run{'s' if more > 1 else ''}" if more else ""
        yield f"{_name(runs[0])}{others}: {reason}"
    if len(reasons) > LINES:
        yield f"{len(reasons) - LINES} other reasons: `seqrec missing` lists them all."


def _news(before: Sequence[Status], now: Sequence[Status]) -> list[str]:
    """A line for each run that has ended since."""
    old = {status.run: status for status in before}
    done = sum(status.state == "done" for status in now)
    lines = []
    for status in now:
        was = old.get(status.run)
        if was and (was.state, was.record, was.reason) == (
            status.state,
            status.record,
            status.reason,
        ):
            continue
        if status.state == "done" and status.record:
            text = _result(status.record)
        elif status.state == "stopped" and status.progress:
            text = _stopped(status.progress)
        elif status.state == "failed":
            text = f"failed: {status.reason}"
        else:
            continue
        lines.append(f"{done} of {len(now)} done. {_name(status.run)}: {text}")
    return lines


def _result(record: Record) -> str:
    epochs = f"{record.epochs} epochs in " if record.epochs else ""
    return (
        f"test NDCG@10 {record.test['ndcg@10']:.4f}, HitRate@10 {record.test['hit_rate@10']:.4f}, "
        f"{epochs}{_duration(record.training_seconds)}"
    )


Update = Callable[..., None]


@contextmanager
def _display(console: Console) -> Iterator[Update]:
    """Yield a function that shows `statuses`, lines of news, and an unfinished line."""
    if not console.is_terminal:

        def lines(results: Path, statuses: object, news: Sequence[str], words: str = "") -> None:
            for line in news:
                console.print(Text(line), soft_wrap=True)

        yield lines
        return
    with Live(console=console, auto_refresh=False) as live:

        def update(
            results: Path, statuses: Sequence[Status], news: Sequence[str], words: str = ""
        ) -> None:
            for line in news:
                console.print(Text(line))
            shown = view(results, statuses)
            live.update(Group(shown, Text(words)) if words else shown, refresh=True)

        yield update


def _refreshed(results: Path, ended: Callable[[], bool]) -> Iterator[list[Status]]:
    """The statuses every few seconds, and once more after the end; Ctrl-C ends it too."""
    while True:
        last = ended()
        start = time.monotonic()
        yield read_status(results) if holds_experiment(results) else []
        if last:
            return
        # Thousands of records take a while to read: most of the time is left to others.
        pause = max(REFRESH_SECONDS, 5 * (time.monotonic() - start))
        until = time.monotonic() + pause
        while not ended() and (left := until - time.monotonic()) > 0:
            time.sleep(min(0.1, left))


class _Words:
    """What a process says: whole lines are printed as they come, the last unfinished one is kept.

    Of a line that is written over and over, as progress bars are, only the last writing counts.
    """

    def __init__(self, process: subprocess.Popen[bytes], console: Console) -> None:
        self.unfinished = ""
        self._process = process
        self._console = console
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def _read(self) -> None:
        if self._process.stdout is None:
            raise ValueError("the process has no pipe")
        rest = b""
        while chunk := os.read(self._process.stdout.fileno(), 1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._say(line)
            self.unfinished = _last(rest)
        if rest:
            self._say(rest)
        self.unfinished = ""

    def _say(self, line: bytes) -> None:
        # Where nobody reads any more, as after `| head`, the process must be read on all the same.
        with suppress(OSError, ValueError, SystemExit):
            self._console.print(Text.from_ansi(_last(line)), soft_wrap=True)


def _last(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r").rpartition("\r")[2]


def _name(run: Run) -> str:
    return f"{run.dataset} {run.model} seed {run.seed}"


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _duration(seconds: float) -> str:
    """Two digits are all that an estimate has: `8.3 s`, `51 s`, `12 min`, `3.4 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _range(least: float, most: float) -> str:
    short, long = _duration(least), _duration(most)
    return short if short == long else f"{short} to {long}"

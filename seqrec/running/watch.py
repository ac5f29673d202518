"""Show an experiment's status live, alone or beside the command that runs the experiment."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from seqrec.layout import ResultFiles, RunFiles
from seqrec.records.survey import holds_experiment
from seqrec.running.command import running
from seqrec.running.display import headline, news, view
from seqrec.running.folder_lock import HELD_RESULTS, alone_in
from seqrec.running.status import Status, read_status

REFRESH_SECONDS = 2.0
CLOCK_SECONDS = 1.0
"""How far the clock of a file system may lag behind."""
NOTHING_DONE = 2
"""Exit status of a command that failed before any run ended."""
STOPPED = 130
"""Exit status of a command that was told to stop, as shells give it."""


def watch(results: Path, console: Console) -> None:
    """Show the status until every run is done: live on a terminal, else a line per ended run.

    Raises `SeqrecError` if the folder holds no experiment.
    """
    with _display(results, console, read_status(results)) as update:
        for statuses in _refreshed(results, lambda: False):
            update(statuses, "")
            if all(status.state == "done" for status in statuses):
                return


def watch_during(results: Path, words: Sequence[str], console: Console) -> int:
    """Show the status and the output of a command while it runs; returns its exit status.

    An exit status of 1 is made `STOPPED` if the command was told to stop, and `NOTHING_DONE` if no
    run has ended or failed meanwhile: the fault is not in a run. Ctrl-C, SIGTERM and the end of
    the terminal reach the command as Ctrl-C, and its end is waited for. Raises `SeqrecError` if
    another command runs for these results, or it cannot be started.
    """
    with alone_in(results, doing="making this experiment"):
        before, begun = _statuses(results), time.time()
        environment = {HELD_RESULTS: str(results.resolve())}
        with (
            running(words, console, environment) as command,
            _display(results, console, before) as update,
        ):
            for statuses in _refreshed(results, command.has_ended):
                update(statuses, command.unfinished_line)
            if not command.wait():
                update(statuses, None)
        status = command.wait()
        if status and command.told_to_stop:
            text = Text(f"{results}: stopped. The same command goes on from here.")
            console.print(text, soft_wrap=True)
        if status != 1:
            return status
        if command.told_to_stop:
            return STOPPED
        if _has_changed(results, begun):
            return 1
        if command.log:
            console.print(Text(f"More is in Snakemake's log, {command.log}"), soft_wrap=True)
        return NOTHING_DONE


def _has_changed(results: Path, since: float) -> bool:
    """Whether a run has left a record, a failure or its progress, or data could not be obtained."""
    files = ResultFiles(results)
    runs = [RunFiles(folder) for folder in files.run_folders()]
    reports = [path for run in runs for path in (run.metrics, run.failure, run.progress)]
    for path in [*reports, *files.data_failures.glob("*.json")]:
        with suppress(OSError):  # absent
            if path.stat().st_mtime >= since - CLOCK_SECONDS:
                return True
    return False


Update = Callable[[Sequence[Status], str | None], None]


@contextmanager
def _display(results: Path, console: Console, before: Sequence[Status]) -> Iterator[Update]:
    """Yield a function that shows statuses and the unfinished line of a command.

    On a terminal the whole status is redrawn in place; in the end, for None in place of the line,
    its summary alone. Elsewhere a line is printed for each run that has ended since `before`.
    """
    screen: AbstractContextManager[Live | None] = (
        Live(console=console, auto_refresh=False) if console.is_terminal else nullcontext()
    )
    with screen as live:

        def update(statuses: Sequence[Status], unfinished_line: str | None) -> None:
            nonlocal before
            if live is None:
                for line in news(before, statuses):
                    console.print(Text(line), soft_wrap=True)
                before = statuses
            elif unfinished_line is None:
                live.update(headline(results, statuses), refresh=True)
            else:
                parts = [
                    view(results, statuses),
                    *([Text(unfinished_line)] * bool(unfinished_line)),
                ]
                live.update(Group(*parts), refresh=True)

        yield update


def _refreshed(results: Path, has_ended: Callable[[], bool]) -> Iterator[list[Status]]:
    """Yield the statuses every few seconds, and once more after the end."""
    while True:
        last = has_ended()
        start = time.monotonic()
        yield _statuses(results)
        if last:
            return
        # Reading thousands of records takes a while: leave most of the time to other processes.
        pause = max(REFRESH_SECONDS, 5 * (time.monotonic() - start))
        until = time.monotonic() + pause
        while not has_ended() and (left := until - time.monotonic()) > 0:
            time.sleep(min(0.1, left))


def _statuses(results: Path) -> list[Status]:
    """Read the statuses; none before the command has started the experiment."""
    return read_status(results) if holds_experiment(results) else []

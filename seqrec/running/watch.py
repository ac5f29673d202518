"""Show an experiment's status live, alone or beside the command that runs it."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from seqrec.errors import SeqrecError
from seqrec.records.survey import holds_experiment
from seqrec.running.display import news, view
from seqrec.running.folder_lock import alone_in
from seqrec.running.status import Status, read_status
from seqrec.signals import handling

REFRESH_SECONDS = 2.0


def watch(results: Path, console: Console) -> None:
    """Show it until every run is done: live on a terminal, else a line for each run that ends."""
    before = read_status(results)
    with _display(console) as update:
        for statuses in _refreshed(results, lambda: False):
            update(results, statuses, news(before, statuses))
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
                    update(results, statuses, news(before, statuses), words.unfinished)
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

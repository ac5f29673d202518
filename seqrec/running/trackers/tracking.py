"""Pass a run's curve and result on to trackers, so that none of them can harm the run.

They get copies; the record stays the reference. A tracker is off unless asked for, is no part of a
run's configuration, and cannot make a run fail: one that raises, or does not answer for
`LIMIT_SECONDS`, is reported once and dropped.
"""

import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from seqrec.experiment.schema import RunConfig
from seqrec.protocol.epoch import Epoch
from seqrec.records.record import Record
from seqrec.running.trackers import OURS, tracker_class
from seqrec.running.trackers.tracker import Tracker
from seqrec.wording import shortened

LIMIT_SECONDS = 60.0
"""How long a tracker may take for one report."""


class Tracking:
    """All trackers of a run as one observer, from which no error escapes."""

    def __init__(self, names: Sequence[str], config: RunConfig, folder: Path) -> None:
        self.trackers: dict[str, Tracker] = {}
        self.finished = False
        for name in names:
            with self._harmless(name):
                self.trackers[name] = tracker_class(name)(config, folder)

    def epoch(self, epoch: Epoch) -> None:
        self._each(lambda tracker: tracker.epoch(epoch))

    def result(self, record: Record) -> None:
        self.finished = True
        self._each(lambda tracker: tracker.result(record))

    def __enter__(self) -> "Tracking":
        return self

    def __exit__(self, *error: object) -> None:
        self._each(lambda tracker: tracker.close(self.finished))

    def _each(self, call: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self.trackers.items()):
            with self._harmless(name):
                call(tracker)

    @contextmanager
    def _harmless(self, name: str) -> Iterator[None]:
        """Report and drop the tracker `name` if it raises or takes too long; restore signal
        handlers that it has replaced."""
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
        handlers = {number: signal.getsignal(number) for number in numbers}
        try:
            with _limited(LIMIT_SECONDS):
                yield
        except (Exception, SystemExit, _TooLate) as error:
            self.trackers.pop(name, None)
            lines = str(error).splitlines() or [type(error).__name__]
            remedy = (
                f" In the project's folder: pip install -e '.[{name}]'"
                if isinstance(error, ModuleNotFoundError) and name in OURS
                else ""
            )
            click.echo(
                f"{name}: dropped for the rest of this run, which goes on "
                f"({shortened(_without_password(lines[0]))}).{remedy}",
                err=True,
            )
        finally:
            for number, handler in handlers.items():
                if signal.getsignal(number) is not handler:
                    signal.signal(number, handler)


class _TooLate(BaseException):
    """Raised where a tracker waits too long; no Exception, which its library might swallow."""


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise `_TooLate` in the block after so many seconds, and every second from then on.

    Only the main thread can be interrupted; elsewhere there is no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise _TooLate(f"no answer for {seconds:.0f} seconds")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _without_password(text: str) -> str:
    """Leave out the user and password of the addresses in a text: logs are passed on."""
    return re.sub(r"(?<=://)[^/@\s]*@", "***@", text)

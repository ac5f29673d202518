"""Show on a terminal how far the epoch under way is; nothing in a log file."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from seqrec.training.loop import Trainer

TICK_SECONDS = 1.0
CLEAR_LINE = "\r\x1b[K"


@contextmanager
def ticking(trainer: Trainer, stream: TextIO | None = None) -> Iterator["Ticker"]:
    """Show the progress of `trainer` within its epochs while the block runs, on a terminal only."""
    ticker = Ticker(trainer, stream or sys.stderr)
    thread = threading.Thread(target=ticker.run, daemon=True)
    if ticker.stream.isatty():
        thread.start()
    try:
        yield ticker
    finally:
        ticker.ended.set()
        if thread.is_alive():
            thread.join()
        ticker.clear()


class Ticker:
    """A line that is written again and again; the trainer is only read."""

    def __init__(self, trainer: Trainer, stream: TextIO) -> None:
        self.trainer, self.stream = trainer, stream
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._shown = False

    def run(self) -> None:
        """Show the line every second until the end."""
        while not self.ended.wait(TICK_SECONDS):
            # Between epochs other lines are printed.
            with self._lock:
                if self.trainer.in_epoch:
                    self._write(CLEAR_LINE + self.line())
                    self._shown = True

    def line(self) -> str:
        """Say which epoch is under way, and how many of its users have been trained on."""
        at = self.trainer.position
        total = 0 if at.order is None else len(at.order)
        if at.first >= total:
            return f"epoch {at.epoch:3d}  validating"
        return f"epoch {at.epoch:3d}  {at.first:,} of {total:,} users"

    def clear(self) -> None:
        """Remove the line, so that others can be printed; to be called when an epoch is over."""
        with self._lock:
            if self._shown:
                self._write(CLEAR_LINE)
            self._shown = False

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # the terminal is gone
            self.stream.write(text)
            self.stream.flush()

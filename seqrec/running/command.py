"""Run a command in a process group of its own, print what it says, and stop it on signals."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.text import Text

from seqrec.errors import SeqrecError
from seqrec.running import chatter
from seqrec.signals import ENDS_WITH, handling


@contextmanager
def running(
    words: Sequence[str], console: Console, environment: Mapping[str, str]
) -> Iterator["Command"]:
    """Start a command with additional environment variables; wait for its end after the block.

    Signals that ask this process to stop are passed on to the command as Ctrl-C.
    Raises `SeqrecError` if the command cannot be started.
    """
    command = Command(console, environment)
    with handling(command.stop, signal.SIGINT, signal.SIGTERM):
        command.start(words)
        try:
            yield command
        finally:
            command.wait()  # also after an error in the block: nobody else would wait for it


class Command:
    """A command under way: prints its lines as they come, and keeps the last unfinished one.

    What Snakemake says of every workflow is not printed. Where a line is overwritten again and
    again, as a progress bar is, only its last state counts.
    """

    def __init__(self, console: Console, environment: Mapping[str, str]) -> None:
        self.unfinished_line = ""
        self.log: str | None = None
        """Snakemake's own log, which it names in the end."""
        self._console = console
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self.told_to_stop = False
        self._parent = os.getppid()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def start(self, words: Sequence[str]) -> None:
        """Start the command `words`."""
        try:
            self._process = subprocess.Popen(
                words,
                env={**os.environ, **self._environment, ENDS_WITH: str(os.getpid())},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        except OSError as error:
            raise SeqrecError(f"{words[0]}: cannot be started ({error.strerror}).") from None
        if self.told_to_stop:  # the signal came before there was anything to stop
            self.stop(signal.SIGINT)
        self._reader.start()

    def stop(self, number: int = signal.SIGTERM, *_: object) -> None:
        """Send SIGINT to the command and all that it has started; a handler of signals.

        Only another Ctrl-C, SIGINT, is passed on a second time. A closing terminal sends several
        signals, and a second SIGINT would cut short what the first has begun.
        """
        again, self.told_to_stop = self.told_to_stop, True
        if self._process and (number == signal.SIGINT or not again):
            # The signal itself will not do: after SIGTERM, Snakemake lets its jobs go on, and
            # after SIGHUP it leaves its lock behind.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGINT)

    def has_ended(self) -> bool:
        """Tell whether the command has ended; under make, stop it when make's shell has died."""
        # The shell of make does not pass on the signal that ends it.
        if "MAKELEVEL" in os.environ and self._parent != os.getppid():
            self._parent = os.getppid()
            self.stop()
        return not self._reader.is_alive()

    def wait(self) -> int:
        """Wait for the end of the command and return its exit status."""
        if self._process is None:
            raise ValueError("the command was not started")
        return self._process.wait()

    def _read(self) -> None:
        if self._process is None or self._process.stdout is None:
            raise ValueError("the process has no pipe")
        rest = b""
        while chunk := os.read(self._process.stdout.fileno(), 1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._print(line)
            self.unfinished_line = _last_state(rest)
        if rest:
            self._print(rest)
        self.unfinished_line = ""

    def _print(self, line: bytes) -> None:
        text = Text.from_ansi(_last_state(line))
        self.log = chatter.log_named_in(text.plain) or self.log
        if chatter.is_routine(text.plain):
            return
        # Even if nobody reads our output any more, as after `| head`, the command must be read.
        with suppress(OSError, ValueError, SystemExit):
            self._console.print(text, soft_wrap=True)


def _last_state(line: bytes) -> str:
    """Return what a terminal shows of a line that carriage returns overwrite."""
    return line.decode(errors="replace").rstrip("\r").rpartition("\r")[2]

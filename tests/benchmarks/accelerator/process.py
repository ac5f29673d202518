"""A process of its own for what is measured: whatever ends it leaves the measurement alive."""

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from accelerator import bare

PROGRAM = Path(__file__).parent
MOST_ERROR_CHARACTERS = 300
START_SECONDS = 120.0
"""What a process may take until it is ready: a machine may read torch from a slow disk."""


class Failed(Exception):
    """A case failed; the message is one line."""


class Ended(Failed):
    """The process ended or was ended, and takes no more cases."""


class Process:
    """A process that measures one case after another; see worker.py."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, str(PROGRAM), "--measure", str(folder)]
        command += ["--bare"] if bare.hidden() else []
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._read = b""

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def await_start(self, seconds: float = START_SECONDS) -> None:
        """Wait until it takes cases. Raises `Ended`."""
        self.answer(min(seconds, START_SECONDS))

    def send(self, message: dict[str, Any]) -> None:
        """Give it a case, or what a case waits for. Raises `Ended`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError):  # it has ended, or was ended
            raise Ended(self._how_it_ended()) from None

    def answer(self, seconds: float) -> dict[str, Any] | None:
        """Return what it tells next, or None at the end of a case.

        Raises `Failed` if the case failed, `Ended` if the process did or took longer than
        `seconds`.
        """
        line = self._line(time.monotonic() + seconds)
        if line is None:
            self.end()
            raise Ended("took too long and was stopped")
        if not line:
            raise Ended(self._how_it_ended())
        message = json.loads(line)
        if "error" in message:
            if message["ends"]:
                self.end()
                raise Ended(message["error"])
            raise Failed(message["error"])
        found: dict[str, Any] | None = message.get("found")
        return found

    def end(self) -> None:
        """End the process, whatever it is doing."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()
        self._process.kill()
        self._process.wait()

    def _line(self, deadline: float) -> bytes | None:
        """Return its next line, an empty one if it has ended, None after the deadline."""
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        while b"\n" not in self._read:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([handle], [], [], left)[0]:
                return None
            part = os.read(handle, 1 << 16)
            if not part:
                return b""
            self._read += part
        line, _, self._read = self._read.partition(b"\n")
        return line

    def _how_it_ended(self) -> str:
        status = self._process.wait()
        return f"the process ended with status {status}"


def one_line(error: BaseException) -> str:
    """Write an error as one line of at most some hundred characters."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= MOST_ERROR_CHARACTERS else f"{text[:MOST_ERROR_CHARACTERS]} ..."

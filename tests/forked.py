"""Processes of the command line that are forked from a server which has imported torch already.

Each is a process of its own, to be signalled and killed, but starts in a moment where
`python -m seqrec` takes seconds.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

SERVER = multiprocessing.get_context("forkserver")
# torch imports the last when it is first told to be deterministic, and takes seconds over it.
SERVER.set_forkserver_preload(["seqrec.running.run", "seqrec.cli.main", "torch._inductor"])

POLL_SECONDS = 0.01


class Forked:
    """`seqrec ARGUMENTS` under way; what it says is in the file `said`."""

    def __init__(
        self,
        arguments: Sequence[str],
        said: Path,
        prepare: Callable[..., None] | None = None,
        *values: Any,
    ) -> None:
        """Start it in this process's folder and environment.

        It calls `prepare(*values)` first, a function of a module.
        """
        said.write_bytes(b"")
        self.said = said
        self.process = SERVER.Process(
            target=_live, args=(arguments, said, str(Path.cwd()), dict(os.environ), prepare, values)
        )
        self.process.start()

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def wait_for(self, text: str, seconds: float = 120) -> None:
        """Wait until it has said `text`; it must not end before."""
        deadline = time.monotonic() + seconds
        while text not in self.said.read_text():
            assert self.process.exitcode is None, f"it ended: {self.said.read_text()}"
            assert time.monotonic() < deadline, f"it hangs: {self.said.read_text()}"
            time.sleep(POLL_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def end(self, seconds: float = 120) -> int:
        """Wait until it ends; return its exit code, or less the signal that killed it."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"it hangs: {self.said.read_text()}"
        return self.process.exitcode


def _live(
    arguments: Sequence[str],
    said: Path,
    folder: str,
    environment: dict[str, str],
    prepare: Callable[..., None] | None,
    values: Sequence[Any],
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    for stream in (1, 2):
        os.dup2(os.open(said, os.O_WRONLY | os.O_APPEND), stream)
    if prepare is not None:
        prepare(*values)
    from seqrec.cli.main import main

    main(list(arguments))

"""Runs commands of `seqrec` in processes forked from one that has imported everything.

Each is a process of its own, which may die, hang or take all memory, but it starts in a moment.
"""

import io
import os
import pkgutil
import resource
import select
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

from forked import SERVER

MOST_SECONDS = 20
"""Processor time that no command may take; all inputs are tiny."""
PATIENCE_SECONDS = 60
"""A command that has not ended by then waits for what never comes."""
MOST_BYTES = 2 << 30
"""Memory that no command may take."""
ADDRESSES_BEYOND = 3 * MOST_BYTES
"""Addresses that a process may take beside its parent's, so that one fault stops no machine."""

FORMS = ("agg", "pdf", "svg")
WORKFLOW = ["--snakefile", str(Path(__file__).parents[2] / "Snakefile"), "--nocolor"]

ENVIRONMENT = {
    "SEQREC_MIRROR": "",
    # Whatever tries to reach the network finds nobody there.
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "OMP_NUM_THREADS": "1",
    "COLUMNS": "100",
}


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    """Exit code, or less the signal that killed it."""
    out: bytes
    err: bytes
    seconds: float
    """Processor time."""
    bytes: int
    """Peak of its memory."""

    @property
    def said(self) -> str:
        return (self.out + self.err).decode("utf-8", "backslashreplace")


class Nursery:
    """The parent process of the commands."""

    def __init__(self) -> None:
        self._ours, theirs = SERVER.Pipe()
        self._process = SERVER.Process(target=_serve, args=(theirs,))
        self._process.start()
        theirs.close()  # so that its end is noticed

    def run(self, folder: Path, words: list[str]) -> Outcome:
        """Run `seqrec WORDS` in `folder`, or `snakemake ...`, and wait for its end."""
        self._ours.send((str(folder), words))
        outcome = self._ours.recv()
        assert isinstance(outcome, Outcome)
        return outcome

    def close(self) -> None:
        self._ours.close()
        self._process.join()


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Start a nursery, and end it with the block."""
    parent = Nursery()
    try:
        yield parent
    finally:
        parent.close()


def _serve(connection: Connection) -> None:
    """Run one command after another, until nobody asks any more."""
    os.environ.update(ENVIRONMENT)
    import seqrec

    for module in pkgutil.walk_packages(seqrec.__path__, "seqrec."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in (*(f"matplotlib.backends.backend_{form}" for form in FORMS), "snakemake.cli"):
        import_module(name)
    while True:
        try:
            folder, words = connection.recv()
        except EOFError:
            return
        connection.send(_run(folder, words))


def _run(folder: str, words: list[str]) -> Outcome:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = os.fork()
        if not process:
            _live(folder, words, (out.fileno(), err.fileno()))
        watched = os.pidfd_open(process)
        ended, _, _ = select.select([watched], [], [], PATIENCE_SECONDS)
        if not ended:
            os.killpg(process, signal.SIGKILL)
        _, status, usage = os.wait4(process, 0)
        os.close(watched)
        for file in (out, err):
            file.seek(0)
        code = os.waitstatus_to_exitcode(status)
        seconds = usage.ru_utime + usage.ru_stime
        return Outcome(code, out.read(), err.read(), seconds, usage.ru_maxrss * 1024)


def _live(folder: str, words: list[str], streams: tuple[int, int]) -> None:
    """Be the command: never returns."""
    code = 1
    try:
        os.setsid()  # a command may tell its whole group to stop
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, stream in enumerate(streams, start=1):
            os.dup2(stream, number)
        sys.stdin = io.TextIOWrapper(io.FileIO(0))
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + ADDRESSES_BEYOND
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if words[0] == "snakemake":
            import_module("snakemake.cli").main([*words[1:], *WORKFLOW])
        else:
            import_module("seqrec.cli.main").main(words, prog_name="seqrec")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)

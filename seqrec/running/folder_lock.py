"""Hold a folder, so that no other process works in it at the same time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from filelock import FileLock, Timeout

from seqrec.errors import SeqrecError
from seqrec.files import require_writable

HELD_RESULTS = "SEQREC_HELD_RESULTS"
"""Environment variable that names the results held by the process that started this one."""


@contextmanager
def alone_in(folder: Path, wait: bool = False, doing: str = "training this run") -> Iterator[None]:
    """Hold `folder` while the block runs; a thread that holds it already may enter again.

    It stays held even if the folder is removed and made again meanwhile. If another process holds
    it, either say what that is `doing` and wait, if `wait` is true, or raise `SeqrecError`.
    """
    lock = FileLock(_lock_of(folder), is_singleton=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        require_writable(folder)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if not wait:
                raise SeqrecError(
                    f"{folder}: another process is {doing}. Wait for it or stop it; "
                    "what it has finished is kept."
                ) from None
            click.echo(f"{folder}: another process is {doing}; waiting.", err=True)
            lock.acquire(poll_interval=1)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SeqrecError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error}). "
            "Make the folder writable or choose another, then run again."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _lock_of(folder: Path) -> Path:
    """Return the file whose lock stands for a folder, beside the folder itself.

    In the folder it would vanish with it, and the next process would find it free. All paths to a
    folder lead to one file.
    """
    place = Path(os.path.realpath(folder))
    return place.parent / f".{place.name}.lock"  # the root has no name, but a parent


def is_held(folder: Path) -> bool:
    """Whether a process holds `folder` now."""
    path = _lock_of(folder)
    if not path.exists():
        return False
    try:
        with FileLock(path).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False  # not ours to lock

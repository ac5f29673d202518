"""Hold a folder, so that no other process works in it at the same time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from filelock import FileLock, Timeout

from seqrec.errors import SeqrecError


@contextmanager
def alone_in(folder: Path, wait: bool = False, doing: str = "training this run") -> Iterator[None]:
    """Hold `folder` while the block runs; a thread that holds it already may enter again.

    If another process holds it, say what that is `doing` and `wait`, or raise `SeqrecError`.
    """
    lock = FileLock(folder / ".lock", is_singleton=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
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
    except OSError as error:
        raise SeqrecError(
            f"{folder}: cannot be written ({error.strerror or error}). "
            "Make the folder writable or choose another, then run again."
        ) from error
    try:
        yield
    finally:
        lock.release()

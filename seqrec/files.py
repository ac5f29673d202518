"""Files that are either whole or absent, and their checksums."""

import fcntl
import glob
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seqrec.errors import SeqrecError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; when the block succeeds, rename it to `path`.

    Readers see the old file or the new one, never a part. If the block fails, `path` is as it was
    and the part is gone; the part of a process that was killed goes with the next writing.
    Operating-system errors (disk full, read-only folder) become a `SeqrecError` that names the
    file.
    """
    part = handle = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_dead_parts(path)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=f".part{path.suffix}"
        )
        part = Path(name)
        with suppress(OSError):  # a file system without locks keeps the parts of the dead
            fcntl.flock(handle, fcntl.LOCK_EX)  # for as long as the process lives and writes
        yield part
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except OSError as error:
        raise SeqrecError(
            f"{path}: cannot be written ({error.strerror or error}). "
            "Free some disk space or make the folder writable, then run again; "
            "nothing that was there is lost."
        ) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
        if handle is not None:
            os.close(handle)


def _remove_dead_parts(path: Path) -> None:
    """Remove what killed writers of `path` left: a download of gigabytes, a checkpoint."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part{glob.escape(path.suffix)}"):
        with suppress(OSError), part.open("rb") as file:  # locked: somebody is writing it
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()


def write_text(path: Path, text: str) -> None:
    """Write `text` (UTF-8, line ends as given) to `path` in one step; see `replacing`."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def require_writable(folder: Path) -> None:
    """Raise `SeqrecError` unless files can be written into `folder`, which need not be there."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise SeqrecError(
            f"{folder}: cannot be written, {there} is read-only. "
            "Make it writable, then run again; nothing that was there is lost."
        )


def date_back(paths: Iterable[Path], moment: float) -> None:
    """Date those of `paths` that are younger than `moment` (seconds, as `time.time()`) back to it.

    After a clock was set back, inputs seem younger than what is made from them, and Snakemake
    deletes such a result.
    """
    for path in paths:
        with suppress(OSError):  # absent, or somebody else's
            if path.stat().st_mtime > moment:
                os.utime(path, (moment, moment))


def sha256(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_blob_id(path: Path) -> str:
    """The id git gives to a file's content: SHA-1 of `blob <bytes>\\0` and the content."""
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        ).hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

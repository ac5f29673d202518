"""Write files that are either complete or absent, read those of others, and compute checksums."""

import errno
import fcntl
import glob
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

from seqrec.errors import SeqrecError

MAX_NAME_BYTES = 255
"""No file system allows longer names of files and folders."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename it to `path` if the block succeeds.

    Readers see the old file or the new one, never a part of it, even after a power failure: the new
    content is on the disk before it gets its name. If the block fails, `path` is left as it was and
    the temporary file is removed. What a killed process leaves behind is removed the next time
    `path` is written. Errors of the operating system (disk full, read-only folder) become a
    `SeqrecError` that names the file.
    """
    part = handle = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():  # /dev/null must stay what it is
            raise SeqrecError(
                f"{path}: is not a regular file, and only such are replaced. "
                "Remove it or choose another name, then run again."
            )
        _remove_dead_parts(path)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{_stem(path)}.", suffix=f".part{path.suffix}"
        )
        part = Path(name)
        with suppress(OSError):  # without locks, parts of killed writers stay
            fcntl.flock(handle, fcntl.LOCK_EX)  # until it is closed, or the process ends
        yield part
        part.chmod(0o666 & ~_umask())
        _sync(part)
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


def _stem(path: Path) -> str:
    """Return as much of the file's name as leaves room for what a temporary name adds."""
    most = max(0, MAX_NAME_BYTES - len(os.fsencode(f"..12345678.part{path.suffix}")))
    return os.fsencode(path.name)[:most].decode("utf-8", "ignore")


def _sync(path: Path) -> None:
    """Wait until the file's content is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise  # other file systems than those that cannot sync
    finally:
        os.close(handle)


def _remove_dead_parts(path: Path) -> None:
    """Remove the temporary files of killed writers of `path`, which may be gigabytes."""
    for part in path.parent.glob(f".{glob.escape(_stem(path))}.*.part{glob.escape(path.suffix)}"):
        # A locked one is being written.
        with suppress(OSError, SeqrecError), open_regular(part) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as by `replacing`, in UTF-8 and with its line endings unchanged."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def open_regular(path: Path) -> BufferedReader:
    """Open a file that somebody else may have put there.

    Raises `SeqrecError` for anything but a regular file: a link leads elsewhere, and a pipe or a
    device may never end. Errors of the operating system are raised as they are.
    """
    return os.fdopen(_open_regular(path)[0], "rb")


def _open_regular(path: Path, follow: bool = False) -> tuple[int, int]:
    """Return a handle of the file, and its size in bytes."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # does not wait for the other end of a pipe
    try:
        handle = os.open(path, flags if follow else flags | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.ELOOP and not follow:
            raise SeqrecError(f"{path}: is a link, and only regular files are read here.") from None
        if error.errno == errno.ENXIO:
            raise SeqrecError(f"{path}: is not a regular file.") from None
        raise
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise SeqrecError(f"{path}: is not a regular file.")
    return handle, status.st_size


def read_regular(path: Path, most_bytes: int, follow: bool = False) -> bytes:
    """Read a regular file as `open_regular` does; raises `SeqrecError` if it is too large.

    With `follow`, which suits files that users write, a link to a regular file will do.
    """
    handle, size = _open_regular(path, follow)
    try:
        if size > most_bytes:
            raise SeqrecError(
                f"{path}: has {size:,} bytes, and no such file has more than {most_bytes:,}."
            )
        parts = []
        while part := os.read(handle, size + 1):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(handle)


def holds(path: Path, content: bytes) -> bool:
    """Whether `path` is a regular file with exactly this content."""
    try:
        return read_regular(path, len(content)) == content
    except (OSError, SeqrecError):
        return False


def require_inside(path: Path, folder: Path) -> None:
    """Raise `SeqrecError` if `path` lies outside of `folder`, through a link in between.

    `folder` may itself be a link, as to a bigger disk.
    """
    leads_to = Path(os.path.realpath(path))
    if not leads_to.is_relative_to(os.path.realpath(folder)):
        raise SeqrecError(
            f"{path}: leads through a link to {leads_to}, outside of {folder}, and nothing is "
            f"written there. Remove the link; only {folder} itself may be one."
        )


def require_writable(folder: Path) -> None:
    """Raise `SeqrecError` unless files can be written into `folder`, which need not exist yet."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        raise SeqrecError(
            f"{folder}: cannot be written, {existing} is read-only. "
            "Make it writable, then run again; nothing that was there is lost."
        )


def date_back(path: Path, moment: float) -> None:
    """Set a file's modification time to `moment` (in seconds since 1970) if it is later.

    After a clock was set back, inputs seem newer than what was made from them, and Snakemake
    deletes such results.
    """
    with suppress(OSError):  # absent, or owned by somebody else
        if path.stat().st_mtime > moment:
            os.utime(path, (moment, moment))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_blob_id(path: Path) -> str:
    """Return git's object id of a file's content: the SHA-1 of `blob <size>\\0` and the content."""
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        ).hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

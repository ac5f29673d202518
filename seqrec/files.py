"""Files that are either whole or absent, and their checksums."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqrec.errors import SeqrecError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; when the block succeeds, rename it to `path`.

    Readers see the old file or the new one, never a part. If the block fails, `path` is as it was
    and the part is gone. Operating-system errors (disk full, read-only folder) become a
    `SeqrecError` that names the file.
    """
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=f".part{path.suffix}"
        )
        os.close(handle)
        part = Path(name)
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


def write_text(path: Path, text: str) -> None:
    """Write `text` (UTF-8, line ends as given) to `path` in one step; see `replacing`."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


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

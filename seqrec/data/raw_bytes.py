"""Open a raw file, unpack it within limits, and cut its bytes into blocks of whole lines."""

import bz2
import gzip
import lzma
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from seqrec.errors import SeqrecError

BLOCK_BYTES = 1 << 24
MAX_LINE_BYTES = 1 << 26

MAX_UNPACKED_BYTES = 1 << 36
"""No archive may unpack to more, which stops zip bombs."""
MAX_UNPACKED_RATIO = 100
"""Nor to more than so many times its own size. Logs shrink by a factor of 3 to 30."""
SMALL_UNPACKED_BYTES = 1 << 30
"""Up to this size, the ratio does not matter."""

SHOWN_CHARACTERS = 100


@contextmanager
def open_raw(path: Path, member: str | None) -> Iterator[IO[bytes]]:
    """Open the file, or `member` of a zip archive, as a stream of unpacked bytes.

    Nothing is unpacked to disk. Errors become a `SeqrecError`, also those while the stream is read.
    """
    openers: dict[str, Callable[[Path], Any]] = {
        ".gz": gzip.open,
        ".bz2": bz2.open,
        ".xz": lzma.open,
        ".zst": _open_zstandard,
    }
    try:
        if path.suffix.lower() == ".zip":
            with (
                zipfile.ZipFile(path) as archive,
                archive.open(_member(path, archive, member)) as f,
            ):
                yield f
        else:
            with openers.get(path.suffix.lower(), lambda p: p.open("rb"))(path) as file:
                yield file
    except FileNotFoundError:
        raise SeqrecError(f"{path}: no such file. Run the download again.") from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise SeqrecError(
            f"{path}: cannot be read to its end ({error}). "
            "Is it damaged, or not what its suffix says? Remove it and download it again."
        ) from None


def _limit(path: Path) -> int:
    """Return the number of bytes that a file may unpack to."""
    by_size = MAX_UNPACKED_RATIO * path.stat().st_size
    return min(MAX_UNPACKED_BYTES, max(SMALL_UNPACKED_BYTES, by_size))


def _open_zstandard(path: Path) -> Any:
    import pyarrow as pa

    return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")


def _member(path: Path, archive: zipfile.ZipFile, member: str | None) -> zipfile.ZipInfo:
    """Find the archive's member to read; links and directories do not count."""
    files = {
        info.filename: info
        for info in archive.infolist()
        if not info.is_dir()
        and not stat.S_ISLNK(info.external_attr >> 16)
        and not info.filename.startswith("__MACOSX/")
    }
    listing = ", ".join(sorted(files)[:10]) or "no files"
    if member is None and len(files) != 1:
        raise SeqrecError(
            f"{path}: holds {listing}. Name the one to read as 'member' in the dataset's YAML."
        )
    name = member or next(iter(files))
    if name not in files:
        raise SeqrecError(f"{path}: has no member {name!r}; it holds {listing}.")
    if files[name].file_size > (limit := _limit(path)):
        raise SeqrecError(
            f"{path}: {name} would unpack to {files[name].file_size:,} bytes, "
            f"more than the {limit:,} allowed. Is it the right file?"
        )
    return files[name]


def blocks(path: Path, stream: IO[bytes], quotes: bool) -> Iterator[tuple[int, bytes]]:
    """Cut the stream into blocks of whole lines; yield each with the number of its first line.

    With `quotes`, a line break between quotation marks does not end a line.
    """
    line, rest, total, last = 1, b"", 0, False
    limit = _limit(path)
    while not last:
        piece = stream.read(BLOCK_BYTES)
        total += len(piece)
        if total > limit:
            raise SeqrecError(
                f"{path}: unpacks to more than {limit:,} bytes. Is it the right file?"
            )
        last = not piece
        block = rest + piece
        if line == 1 and not rest:
            block = block.removeprefix(b"\xef\xbb\xbf")
        if last:
            # The file's last line break may be missing.
            if block and not block.endswith(b"\n"):
                block += b"\n"
            end = len(block)
        else:
            end = _last_end(block, quotes)
        rest = block[end:]
        if len(rest) > MAX_LINE_BYTES:
            at = line + block.count(b"\n", 0, end)
            raise SeqrecError(
                f"{path}:{at}: a line of more than {MAX_LINE_BYTES:,} bytes; "
                f"got {shown(rest[:SHOWN_CHARACTERS])}; "
                "is a quotation mark left open, or is it another format?"
            )
        if end:
            yield line, block[:end]
            line += block.count(b"\n", 0, end)


def line_ends(block: bytes, quotes: bool) -> np.ndarray:
    """Return the positions right after the lines of `block`, int64 [lines].

    With `quotes`, a line break between quotation marks does not end a line.
    """
    characters = np.frombuffer(block, dtype=np.uint8)
    breaks = np.flatnonzero(characters == ord("\n"))
    if quotes:
        marks = np.flatnonzero(characters == ord('"'))
        breaks = breaks[np.searchsorted(marks, breaks) % 2 == 0]
    return breaks + 1


def shown(got: bytes | str) -> str:
    """Return `got` as a message shows it: quoted, and cut if it is long."""
    text = got.decode("utf-8", "backslashreplace") if isinstance(got, bytes) else got
    text = text.rstrip("\r\n")
    return repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…")


def _last_end(block: bytes, quotes: bool) -> int:
    """Return the position right after the last whole line of `block`."""
    if not (quotes and b'"' in block):
        return block.rfind(b"\n") + 1
    ends = line_ends(block, quotes)
    return int(ends[-1]) if len(ends) else 0

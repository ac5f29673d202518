"""Open a raw file, unpack it within limits, and cut its bytes into blocks of whole lines."""

import bz2
import gzip
import io
import lzma
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from seqrec.data.file_kinds import COMPRESSIONS, HEAD_BYTES, kind_of, remedy_for
from seqrec.errors import SeqrecError
from seqrec.wording import quoted, shortened

BLOCK_BYTES = 1 << 24
PACKED_BYTES = 1 << 16
MAX_LINE_BYTES = 1 << 26

MAX_UNPACKED_BYTES = 1 << 36
"""No archive may unpack to more, which stops zip bombs."""
MAX_UNPACKED_RATIO = 100
"""Nor to more than so many times its own size. Logs shrink by a factor of 3 to 30."""
SMALL_UNPACKED_BYTES = 1 << 27
"""Up to this size, the ratio does not matter."""
UNPACKER_BYTES = 1 << 28
"""Memory that an xz file may ask for; the strongest setting of `xz` asks for 65 MiB."""

SHOWN_CHARACTERS = 100

SUFFIXES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "Zstandard", ".zip": "zip"}
"""Compressions that a file's name promises."""


@contextmanager
def open_raw(path: Path, member: str | None) -> Iterator[IO[bytes]]:
    """Open the file, or `member` of a zip archive, as a stream of unpacked bytes.

    Nothing is unpacked to disk. Errors become a `SeqrecError`, also those while the stream is read.
    """
    openers: dict[str, Callable[[Path], Any]] = {
        "gzip": gzip.open,
        "bzip2": bz2.open,
        "xz": _Xz,
        "Zstandard": _open_zstandard,
    }
    try:
        kind = _compression(path)
        if kind == "zip":
            with (
                zipfile.ZipFile(path) as archive,
                archive.open(_member(path, archive, member)) as f,
            ):
                yield f
        else:
            with openers.get(kind, lambda p: p.open("rb"))(path) as file:
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
            f"{path}: cannot be read to its end ({shortened(str(error))}). "
            "Is it damaged? Remove it and download it again."
        ) from None


def _compression(path: Path) -> str:
    """Tell by its first bytes how the file is compressed, if it is.

    Raises `SeqrecError` if the file's name promises something else.
    """
    with path.open("rb") as stream:
        found = kind_of(stream.read(HEAD_BYTES))
    promised = SUFFIXES.get(path.suffix.lower(), found)
    if promised == "zip" and zipfile.is_zipfile(path):  # something may precede the archive
        return promised
    if promised != found:
        raise SeqrecError(
            f"{path}: cannot be read: by its name it is {promised}, by its first bytes "
            f"{found or 'not'}. If it is whole, give it the right name, also in the dataset's "
            "YAML; if not, remove it and download it again."
        )
    return found


def unpacked_limit(path: Path) -> int:
    """Return the number of bytes that a file may unpack to."""
    by_size = MAX_UNPACKED_RATIO * path.stat().st_size
    return min(MAX_UNPACKED_BYTES, max(SMALL_UNPACKED_BYTES, by_size))


def _open_zstandard(path: Path) -> Any:
    import pyarrow as pa

    return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")


class _Xz(io.RawIOBase):
    """Unpacks an xz file, which unlike `lzma.open` is given no more than `UNPACKER_BYTES`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.file = path.open("rb")
        self.unpacker: lzma.LZMADecompressor | None = None

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes; nothing at the end of the file."""
        while True:
            if self.unpacker is None or self.unpacker.eof:  # a file may hold several streams
                packed = (self.unpacker.unused_data if self.unpacker else b"").lstrip(b"\0")
                packed = packed or self.file.read(PACKED_BYTES).lstrip(b"\0")
                if not packed:
                    return b""
                self.unpacker = lzma.LZMADecompressor(memlimit=UNPACKER_BYTES)
            else:
                packed = self.file.read(PACKED_BYTES) if self.unpacker.needs_input else b""
                if self.unpacker.needs_input and not packed:
                    raise EOFError("it ends in the middle of a stream")
            if piece := self.unpacker.decompress(packed, size):
                return piece

    def close(self) -> None:
        self.file.close()
        super().close()


def _member(path: Path, archive: zipfile.ZipFile, member: str | None) -> zipfile.ZipInfo:
    """Find the archive's member to read; links and directories do not count."""
    files = {
        info.filename: info
        for info in archive.infolist()
        if not info.is_dir()
        and not stat.S_ISLNK(info.external_attr >> 16)
        and not info.filename.startswith("__MACOSX/")
    }
    if "[Content_Types].xml" in files:
        raise SeqrecError(
            f"{path}: holds an Excel workbook or another office document. Save it as CSV."
        )
    listing = shortened(", ".join(sorted(files)[:10])) or "no files"
    if member is None and len(files) != 1:
        raise SeqrecError(
            f"{path}: holds {listing}. Name the one to read as 'member' in the dataset's YAML."
        )
    name = member or next(iter(files))
    if name not in files:
        raise SeqrecError(f"{path}: has no member {quoted(name)}; it holds {listing}.")
    if files[name].file_size > (limit := unpacked_limit(path)):
        raise SeqrecError(
            f"{path}: {shortened(name)} would unpack to {files[name].file_size:,} bytes, more than "
            f"the {limit:,} allowed. Is it the right file? If so, unpack it by hand."
        )
    return files[name]


def blocks(path: Path, stream: IO[bytes], quotes: bool) -> Iterator[tuple[int, bytes]]:
    """Cut the stream into blocks of whole lines; yield each with the number of its first line.

    With `quotes`, a line break between quotation marks does not end a line.
    """
    line, rest, total, last = 1, b"", 0, False
    limit = unpacked_limit(path)
    while not last:
        piece = stream.read(BLOCK_BYTES)
        total += len(piece)
        if total > limit:
            raise SeqrecError(
                f"{path}: unpacks to more than {limit:,} bytes. Is it the right file? If so, "
                "unpack it by hand."
            )
        last = not piece
        block = rest + piece
        if line == 1 and not rest:
            _require_lines(path, block[:HEAD_BYTES])
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


def _require_lines(path: Path, head: bytes) -> None:
    """Raise `SeqrecError` if unpacked content is known not to be lines of text in UTF-8."""
    if kind := kind_of(head):
        holds = f"a {kind} file" if kind in COMPRESSIONS else kind
        raise SeqrecError(f"{path}: holds {holds} instead of lines of text. {remedy_for(kind)}")


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

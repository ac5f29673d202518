"""The interaction log on disk: arrays that can be memory-mapped, with ids and statistics.

A log is a folder (`seqrec.layout.LogFiles`). It holds the arrays of `Sequences`, the original ids,
statistics and the settings that the log was made by. The digest is written last and changes exactly
when the log does; without it, the folder does not count as a log.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqrec.data.sequences import Sequences
from seqrec.errors import SeqrecError
from seqrec.files import holds, replacing, write_text
from seqrec.json_files import read_json
from seqrec.layout import LogFiles
from seqrec.wording import shortened

if TYPE_CHECKING:
    import pyarrow as pa

    from seqrec.data.statistics import Statistics

UNREADABLE = (
    SeqrecError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    ArithmeticError,
    RecursionError,
)
"""What the reader of arrays raises for malformed content."""


@dataclass(frozen=True)
class Interactions(Sequences):
    """A preprocessed log."""

    statistics: "Statistics"
    digest: str
    folder: Path | None = None
    """Where the log lies; None for a log in memory, whose ids are numbers from 1."""

    def item_ids(self) -> np.ndarray:
        """Return the original ids, [items]: item number n has the id at n - 1."""
        return _read_ids(self.folder and LogFiles(self.folder).item_ids, self.num_items)

    def user_ids(self) -> np.ndarray:
        """Return the original ids of the users, [users]."""
        return _read_ids(self.folder and LogFiles(self.folder).user_ids, self.num_users)

    @classmethod
    def load(cls, folder: Path) -> "Interactions":
        """Map a log into memory; raises `SeqrecError` if it is not what was written."""
        from seqrec.data.statistics import Statistics

        files = LogFiles(folder)
        with _damage_named(folder):
            digest = _recorded_digest(files)
            statistics = Statistics.read(files.statistics)
            log = _mapped_log(files, statistics.items)
        _require(log, digest, folder)
        return cls(
            log.items, log.offsets, log.num_items, statistics, digest, folder, times=log.times
        )


def load_sequences(folder: Path) -> Sequences:
    """Map the arrays of a log into memory, for machines with nothing but numpy and torch.

    Raises `SeqrecError` as `Interactions.load` does.
    """
    files = LogFiles(folder)
    with _damage_named(folder):
        digest = _recorded_digest(files)
        log = _mapped_log(files, int(read_json(files.statistics)["items"]))
    _require(log, digest, folder)
    return log


@contextmanager
def _damage_named(folder: Path) -> Iterator[None]:
    """Turn what reading a log raises into a `SeqrecError` that names the folder."""
    try:
        yield
    except FileNotFoundError as error:
        raise _damaged(folder, f"{Path(str(error.filename)).name} is missing") from None
    except PermissionError as error:
        raise SeqrecError(f"{error.filename}: cannot be read ({error.strerror}).") from None
    except UNREADABLE as error:
        raise _damaged(folder, shortened(str(error))) from None


def _recorded_digest(files: LogFiles) -> str:
    return str(read_json(files.digest).get("sha256"))


def _mapped_log(files: LogFiles, num_items: int) -> Sequences:
    items = _mapped(files.items, np.dtype(np.int32))
    offsets = _mapped(files.offsets, np.dtype(np.int64))
    has_times = os.path.lexists(files.times)
    times = _mapped(files.times, np.dtype(np.int64)) if has_times else None
    return Sequences(items, offsets, num_items, times=times)


def _require(log: Sequences, digest: str, folder: Path) -> None:
    if log.sha256() != digest:
        raise _damaged(folder, "its arrays do not match the digest")


@dataclass(frozen=True)
class OriginalIds:
    """The ids that users and items have in the raw file, in the order of their numbers."""

    users: "pa.Array"
    items: "pa.Array"


def write_log(
    files: LogFiles,
    log: Sequences,
    ids: OriginalIds,
    statistics: "Statistics",
    settings: str,
) -> None:
    """Write a log, its digest last; `settings` is what it was made by."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def array(values: np.ndarray) -> Callable[[Path], None]:
        return lambda path: np.save(path, values, allow_pickle=False)

    def table(ids: "pa.Array") -> Callable[[Path], None]:
        return lambda path: pq.write_table(pa.table({"id": ids}), path)

    digest, reading = json.dumps({"sha256": log.sha256()}) + "\n", settings + "\n"
    # If both are the same, somebody may be reading the same log at this moment.
    if not (holds(files.digest, digest.encode()) and holds(files.reading, reading.encode())):
        files.digest.unlink(missing_ok=True)
    parts = {
        files.items: array(log.items),
        files.offsets: array(log.offsets),
        files.user_ids: table(ids.users),
        files.item_ids: table(ids.items),
    }
    if log.times is None:
        files.times.unlink(missing_ok=True)
    else:
        parts[files.times] = array(log.times)
    for path, write in parts.items():
        with replacing(path) as part:
            write(part)
    write_text(files.statistics, json.dumps(statistics.written(), indent=2) + "\n")
    write_text(files.reading, reading)
    write_text(files.digest, digest)


def _mapped(path: Path, kind: np.dtype) -> np.ndarray:
    """Map an array of one dimension into memory; raises `ValueError` if the file holds another."""
    if not path.is_file() and path.exists():
        raise ValueError(f"{path.name} is not a regular file")
    values = np.lib.format.open_memmap(path, mode="r")
    if values.dtype != kind or values.ndim != 1:
        raise ValueError(f"{path.name} holds {values.dtype} {values.shape}")
    return values


def _read_ids(path: Path | None, count: int) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path is None:
        return np.arange(1, count + 1)
    try:
        ids = pq.read_table(path)["id"].to_numpy()
    except (OSError, KeyError, pa.ArrowException) as error:
        reason = " ".join(shortened(str(error)).split())
        raise _damaged(path.parent, f"{path.name} cannot be read ({reason})") from None
    if len(ids) != count:
        raise _damaged(path.parent, f"{path.name} holds {len(ids)} ids, not {count}")
    return ids


def _damaged(folder: Path, why: str) -> SeqrecError:
    return SeqrecError(
        f"{folder}: not a complete interaction log: {why.rstrip('.')}. Remove the folder and "
        "preprocess again."
    )

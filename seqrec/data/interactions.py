"""The compact interaction log: every user's items in order of time, as arrays that can be mapped.

A log is a folder: `items.npy` (item numbers from 1, users one after another), `offsets.npy`
(where each user's items begin), the original ids, `statistics.json`, `reading.json` (the settings
that it was made by) and, written last, `digest.json`, which changes exactly when the log does.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqrec.errors import SeqrecError

if TYPE_CHECKING:
    pass


HASHED_BYTES = 1 << 24


@dataclass(frozen=True)
class Interactions:
    """A preprocessed log. Users count from 0 here, items from 1 (0 is for padding)."""

    items: np.ndarray
    """int32 [interactions]: item numbers, users one after another, each in order of time."""
    offsets: np.ndarray
    """int64 [users + 1]: user u's items are items[offsets[u]:offsets[u + 1]]."""
    num_items: int
    statistics: dict[str, Any]
    digest: str
    folder: Path | None = None

    @property
    def num_users(self) -> int:
        return len(self.offsets) - 1

    def history(self, user: int) -> np.ndarray:
        """All items of a user, in order of time."""
        return self.items[self.offsets[user] : self.offsets[user + 1]]

    def item_ids(self) -> np.ndarray:
        """Original ids: item number n is the id at n - 1."""
        return self._ids("item_ids.parquet", self.num_items)

    def user_ids(self) -> np.ndarray:
        """Original ids of the users."""
        return self._ids("user_ids.parquet", self.num_users)

    def _ids(self, name: str, count: int) -> np.ndarray:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self.folder is None:
            return np.arange(1, count + 1)
        try:
            ids = pq.read_table(self.folder / name)["id"].to_numpy()
        except (OSError, KeyError, pa.ArrowException) as error:
            raise damaged_log(self.folder, f"{name} cannot be read ({error})") from None
        if len(ids) != count:
            raise damaged_log(self.folder, f"{name} holds {len(ids)} ids, not {count}")
        return ids

    @classmethod
    def load(cls, folder: Path) -> "Interactions":
        """Map a log into memory and make sure that it is what was written."""
        try:
            digest = json.loads((folder / "digest.json").read_text(encoding="utf-8"))["sha256"]
            statistics = json.loads((folder / "statistics.json").read_text(encoding="utf-8"))
            num_items = int(statistics["items"])
            items = np.load(folder / "items.npy", mmap_mode="r", allow_pickle=False)
            offsets = np.load(folder / "offsets.npy", mmap_mode="r", allow_pickle=False)
        except FileNotFoundError as error:
            raise damaged_log(folder, f"{Path(str(error.filename)).name} is missing") from None
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise damaged_log(folder, str(error)) from None
        if log_digest(items, offsets, num_items) != digest:
            raise damaged_log(folder, "the arrays are not those that were written")
        return cls(items, offsets, num_items, statistics, digest, folder)


def damaged_log(folder: Path, why: str) -> SeqrecError:
    return SeqrecError(
        f"{folder}: not a whole interaction log: {why}. Remove the folder and preprocess again."
    )


def log_digest(items: np.ndarray, offsets: np.ndarray, num_items: int) -> str:
    """SHA-256 of a log: of its sizes, its items and its offsets."""
    state = hashlib.sha256()
    state.update(f"{items.dtype.str} {offsets.dtype.str} {len(items)} {num_items}\n".encode())
    for array in (items, offsets):
        step = HASHED_BYTES // array.itemsize
        for start in range(0, len(array), step):
            state.update(np.ascontiguousarray(array[start : start + step]).data)
    return state.hexdigest()

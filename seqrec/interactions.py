"""The compact interaction log: every user's items in order of time, as arrays that can be mapped.

A log is a folder: `items.npy` (item numbers from 1, users one after another), `offsets.npy`
(where each user's items begin), the original ids, `statistics.json`, `reading.json` (the settings
that it was made by) and, written last, `digest.json`, which changes exactly when the log does.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqrec.datasets import FOLDER, Dataset, Filter, dataset_names, load_dataset
from seqrec.download import Manifest
from seqrec.errors import SeqrecError
from seqrec.files import replacing, sha256, write_text

if TYPE_CHECKING:
    import pyarrow as pa

MIN_LENGTH = 3  # one item each to train on, to validate with and to test with
HASHED_BYTES = 1 << 24


@dataclass(frozen=True)
class Statistics:
    """What a log is like, and what was left out of it."""

    users: int
    items: int
    interactions: int
    mean_length: float
    min_length: int
    max_length: int
    density: float
    """Interactions per cell of the user-item matrix."""
    repeated_interactions: int
    """Interactions of a user with an item that the user has met before."""
    repeated_validation_targets: int
    """Users whose validation item is in their history already: a miss, as seen items are
    filtered."""
    repeated_test_targets: int
    """The same for the test item."""
    unseen_validation_targets: int
    """Users whose validation item occurs in no train part."""
    unseen_test_targets: int
    """The same for the test item."""
    tied_targets: int | None
    """Users one of whose targets has the time of another item, so that the file's order decided
    between them; None where the file has no time."""
    interactions_read: int
    """Lines of the raw file."""
    duplicates_removed: int
    """Interactions dropped by the rule for repeated pairs."""
    interactions_filtered: int
    """Interactions dropped by the minimum counts."""
    users_filtered: int
    """Users dropped by the minimum counts."""
    items_filtered: int
    """Items dropped by the minimum counts."""
    users_left_out: int
    """Users left with fewer than three interactions, which cannot be split."""


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
            raise _damaged(self.folder, f"{name} cannot be read ({error})") from None
        if len(ids) != count:
            raise _damaged(self.folder, f"{name} holds {len(ids)} ids, not {count}")
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
            raise _damaged(folder, f"{Path(str(error.filename)).name} is missing") from None
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise _damaged(folder, str(error)) from None
        if log_digest(items, offsets, num_items) != digest:
            raise _damaged(folder, "the arrays are not those that were written")
        return cls(items, offsets, num_items, statistics, digest, folder)


def _damaged(folder: Path, why: str) -> SeqrecError:
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


def preprocess(name: str, dataset: Dataset, manifest: Path, output: Path) -> Statistics:
    """Turn the file that `manifest` names into the log `output` (a folder)."""
    from seqrec.parsing import parse

    had = Manifest.load(manifest)
    if not had.is_of(name, dataset):
        raise SeqrecError(
            f"{manifest}: is not about {name} as its YAML is now. Run `seqrec download {name}`."
        )
    raw = had.path(manifest)
    try:
        before = _state(raw)
        as_it_was = raw.stat().st_size == had.size and sha256(raw) == had.sha256
    except OSError as error:
        raise SeqrecError(
            f"{raw}: cannot be read ({error.strerror}). Run `seqrec download {name}`."
        ) from None
    if not as_it_was:
        raise SeqrecError(f"{raw}: changed since it was had. Run `seqrec download {name}`.")

    format, filter, member, checksummed = dataset.format, dataset.filter, None, True
    if had.source is not None:
        source = dataset.sources[had.source]
        format = source.format or format
        filter = source.filter or filter
        member, checksummed = source.member, source.checksummed
    log = parse(raw, format, member)
    if _state(raw) != before:
        raise SeqrecError(f"{raw}: changed while it was read. Run `seqrec download {name}`.")
    users, items, times, counts = select(*in_order(log.users, log.items, log.times), filter)
    kept_users, offsets = _offsets(users)
    kept_items, numbers = _renumbered(items, len(log.item_ids))
    if len(kept_users) == 0 or len(kept_items) < 2:
        raise SeqrecError(
            f"{name}: {raw} leaves {len(kept_users)} users and {len(kept_items)} items "
            f"of {len(log.users):,} interactions; at least one user with {MIN_LENGTH} interactions "
            "and two items are needed. Relax 'filter' in the dataset's YAML, or check 'format'."
        )
    statistics = describe(numbers, offsets, times, len(kept_items), counts)
    _compare(name, dataset, statistics, checksummed)
    _write(
        output,
        numbers,
        offsets,
        log.user_ids.take(kept_users),
        log.item_ids.take(kept_items),
        statistics,
        reading(dataset),
    )
    return statistics


def _state(raw: Path) -> tuple[int, ...] | None:
    """What is another as soon as somebody writes to a file, replaces or removes it."""
    try:
        found = raw.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def reading(dataset: Dataset) -> str:
    """All of a dataset's YAML that decides its log, as one line."""
    parts = {"sources", "format", "filter", "expected", "simulate"}
    return json.dumps(dataset.model_dump(mode="json", include=parts), sort_keys=True)


def is_made_by(folder: Path, dataset: Dataset) -> bool:
    """Whether `folder` holds a log that was made by the dataset's YAML as it is now."""
    try:
        made_by = (folder / "reading.json").read_text(encoding="utf-8")
    except OSError:
        return False
    return (folder / "digest.json").is_file() and made_by == reading(dataset) + "\n"


def require_current(folder: Path, name: str) -> None:
    """Raise `SeqrecError` if the log in `folder` was made by other settings than the YAML of the
    dataset `name` has now. A dataset without one is anybody's own."""
    if name not in dataset_names() or not (folder / "digest.json").is_file():
        return
    if not is_made_by(folder, load_dataset(name)):
        raise SeqrecError(
            f"{folder}: was made by other settings than {FOLDER / name}.yaml has now. "
            f"Run `seqrec preprocess {name}`, or the experiment anew, which does so by itself."
        )


def in_order(
    users: np.ndarray, items: np.ndarray, times: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The interactions by user, then time; the file's order decides among equals."""
    if times is None:
        if np.all(users[1:] >= users[:-1]):
            return users, items, None
        order = np.argsort(users, kind="stable")
    else:
        order = np.argsort(times, kind="stable")
        order = order[np.argsort(users[order], kind="stable")]
    return users[order], items[order], None if times is None else times[order]


def select(
    users: np.ndarray, items: np.ndarray, times: np.ndarray | None, filter: Filter
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, dict[str, int]]:
    """Apply a dataset's filter, then leave out users that cannot be split; count what goes.

    `users` and `items` are codes in order of user and time, and come back so, with their times.
    """
    counts = {"interactions_read": len(users), "duplicates_removed": 0}
    if filter.duplicates != "keep":
        kept = ~_repeated(users, items, keep=filter.duplicates)
        counts["duplicates_removed"] = int(len(users) - kept.sum())
        users, items, times = _taken(kept, users, items, times)

    before = len(users), _distinct(users), _distinct(items)
    while len(users):
        enough = _frequent_users(users, items, filter) & _frequent_items(items, filter)
        if filter.mode == "k-core":  # users left out later would take items below their minimum
            enough &= _long_enough(users)
        if enough.all():
            break
        users, items, times = _taken(enough, users, items, times)
        if filter.mode == "one-pass":
            break
    after = len(users), _distinct(users), _distinct(items)
    counts["interactions_filtered"] = before[0] - after[0]
    counts["users_filtered"] = before[1] - after[1]
    counts["items_filtered"] = before[2] - after[2]

    kept = _long_enough(users)
    counts["users_left_out"] = after[1] - _distinct(users[kept])
    if not kept.all():
        users, items, times = _taken(kept, users, items, times)
    return users, items, times, counts


def _taken(
    kept: np.ndarray, users: np.ndarray, items: np.ndarray, times: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    return users[kept], items[kept], None if times is None else times[kept]


def _long_enough(users: np.ndarray) -> np.ndarray:
    """bool [interactions]: whether the user has enough of them to be split."""
    return np.bincount(users)[users] >= MIN_LENGTH if len(users) else np.zeros(0, bool)


def _frequent_users(users: np.ndarray, items: np.ndarray, filter: Filter) -> np.ndarray:
    """bool [interactions]: whether the user has enough of them."""
    if filter.min_interactions_per_user == 1:
        return np.ones(len(users), bool)
    counted = users
    if filter.distinct_items:
        counted = users[~_repeated(users, items, keep="first")]
    return (np.bincount(counted) >= filter.min_interactions_per_user)[users]


def _frequent_items(items: np.ndarray, filter: Filter) -> np.ndarray:
    """bool [interactions]: whether the item has enough of them."""
    if filter.min_interactions_per_item == 1:
        return np.ones(len(items), bool)
    return (np.bincount(items) >= filter.min_interactions_per_item)[items]


def _repeated(users: np.ndarray, items: np.ndarray, keep: str) -> np.ndarray:
    """bool [interactions]: all of a user's interactions with an item but the first (or last)."""
    if keep == "last":
        return _repeated(users[::-1], items[::-1], keep="first")[::-1]
    if not len(users):
        return np.zeros(0, bool)
    # A pair as one integer: sorting those is several times faster than sorting by two keys.
    pairs = users.astype(np.int64) * (int(items.max()) + 1) + items
    order = np.argsort(pairs, kind="stable")
    repeated = np.empty(len(pairs), bool)
    ordered = pairs[order]
    repeated[order[0]] = False
    repeated[order[1:]] = ordered[1:] == ordered[:-1]
    return repeated


def _distinct(codes: np.ndarray) -> int:
    return int(np.count_nonzero(np.bincount(codes))) if len(codes) else 0


def _offsets(users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The codes that occur in `users` (sorted), and where each one's run begins, and the end."""
    counts = np.bincount(users) if len(users) else np.zeros(0, np.int64)
    present = np.flatnonzero(counts)
    return present, np.concatenate(([0], np.cumsum(counts[present]))).astype(np.int64)


def _renumbered(items: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The codes that occur in `items` (sorted), and `items` numbered from 1 among those."""
    occurs = np.zeros(size, bool)
    occurs[items] = True
    return np.flatnonzero(occurs), np.cumsum(occurs, dtype=np.int32)[items]


def describe(
    items: np.ndarray,
    offsets: np.ndarray,
    times: np.ndarray | None,
    num_items: int,
    counts: dict[str, int],
) -> Statistics:
    """Statistics of a log; `counts` is what `select` counted."""
    lengths = np.diff(offsets)
    users = len(lengths)
    owner = np.repeat(np.arange(users, dtype=np.int32), lengths)
    before_end = np.repeat(offsets[1:], lengths)
    before_end -= np.arange(len(items))  # 1 at a user's last interaction, 2 at the one before it

    def repeated(place: int) -> int:
        """Users whose item at `place` from the end is among those before it."""
        targets = items[offsets[1:] - place]
        again = (items == np.repeat(targets, lengths)) & (before_end > place)
        return _distinct(owner[again])

    def tied(times: np.ndarray, place: int) -> np.ndarray:
        """bool [interactions]: another item at the time of the user's target at `place`."""
        at = offsets[1:] - place
        same_time = times == np.repeat(times[at], lengths)
        return same_time & (items != np.repeat(items[at], lengths))

    trained = np.zeros(num_items + 1, bool)
    trained[items[before_end > 2]] = True
    return Statistics(
        users=users,
        items=num_items,
        interactions=len(items),
        mean_length=round(len(items) / users, 4),
        min_length=int(lengths.min()),
        max_length=int(lengths.max()),
        density=float(f"{len(items) / (users * num_items):.6g}"),
        repeated_interactions=int(_repeated(owner, items, keep="first").sum()),
        repeated_validation_targets=repeated(2),
        repeated_test_targets=repeated(1),
        unseen_validation_targets=int((~trained[items[offsets[1:] - 2]]).sum()),
        unseen_test_targets=int((~trained[items[offsets[1:] - 1]]).sum()),
        tied_targets=None if times is None else _distinct(owner[tied(times, 1) | tied(times, 2)]),
        **counts,
    )


def _compare(name: str, dataset: Dataset, found: Statistics, checksummed: bool) -> None:
    """Hold the size against the one that the dataset is known to have."""
    expected = dataset.expected
    if expected is None:
        return
    wrong = [
        f"{getattr(found, field):,} {what} (expected {value:,})"
        for field, what in (
            ("users", "users"),
            ("items", "items"),
            ("interactions", "interactions"),
            ("min_length", "interactions of the shortest user"),
        )
        if getattr(found, field) != (value := getattr(expected, field))
    ]
    if not wrong:
        return
    message = f"{name}: comes out with {', '.join(wrong)}"
    if checksummed and expected.mismatch == "error":
        raise SeqrecError(
            f"{message}, although the file is the right one. "
            "Correct 'format', 'filter' or 'expected' in the dataset's YAML."
        )
    print(f"{message}. Results will differ from those published.", file=sys.stderr)


def _write(
    output: Path,
    items: np.ndarray,
    offsets: np.ndarray,
    user_ids: "pa.Array",
    item_ids: "pa.Array",
    statistics: Statistics,
    made_by: str,
) -> None:
    """Write the folder; without its digest, which comes last, it counts as absent."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def array(values: np.ndarray) -> Callable[[Path], None]:
        return lambda path: np.save(path, values, allow_pickle=False)

    def table(ids: "pa.Array") -> Callable[[Path], None]:
        return lambda path: pq.write_table(pa.table({"id": ids}), path)

    (output / "digest.json").unlink(missing_ok=True)
    for file, write in (
        ("items.npy", array(items)),
        ("offsets.npy", array(offsets)),
        ("user_ids.parquet", table(user_ids)),
        ("item_ids.parquet", table(item_ids)),
    ):
        with replacing(output / file) as part:
            write(part)
    write_text(output / "statistics.json", json.dumps(asdict(statistics), indent=2) + "\n")
    write_text(output / "reading.json", made_by + "\n")
    digest = {"sha256": log_digest(items, offsets, statistics.items)}
    write_text(output / "digest.json", json.dumps(digest) + "\n")

"""Turn a verified raw file into the compact log that everything else reads."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqrec.data.datasets import FOLDER, Dataset, dataset_names, load_dataset
from seqrec.data.filtering import MIN_LENGTH, in_order, select
from seqrec.data.interactions import log_digest
from seqrec.data.manifest import Manifest
from seqrec.data.statistics import Statistics, describe
from seqrec.errors import SeqrecError
from seqrec.files import replacing, sha256, write_text

if TYPE_CHECKING:
    import pyarrow as pa


def preprocess(name: str, dataset: Dataset, manifest: Path, output: Path) -> Statistics:
    """Turn the file that `manifest` names into the log `output` (a folder)."""
    from seqrec.data.parsing import parse

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

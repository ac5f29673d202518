"""Turn a verified raw file into the compact log that everything else reads."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from seqrec.data.datasets import Dataset
from seqrec.data.events import NO_EVENTS, Events
from seqrec.data.filtering import MIN_LENGTH, in_time_order, select
from seqrec.data.freshness import log_settings
from seqrec.data.interactions import OriginalIds, write_log
from seqrec.data.manifest import Manifest
from seqrec.data.parsing import ParsedFile, parse
from seqrec.data.sequences import Sequences
from seqrec.data.statistics import Statistics, describe
from seqrec.data.times import time_to_keep, unix_seconds
from seqrec.errors import SeqrecError
from seqrec.files import sha256
from seqrec.layout import LogFiles


def preprocess(name: str, dataset: Dataset, manifest: Path, output: Path) -> Statistics:
    """Turn the raw file that `manifest` names into a log in the folder `output`.

    Raises `SeqrecError` if the file changed, is malformed, leaves no log, or has another size than
    the dataset is known to have.
    """
    recorded = Manifest.load(manifest)
    if not recorded.matches(name, dataset):
        raise SeqrecError(
            f"{manifest}: describes another file than the YAML of {name} asks for now. "
            f"Run `seqrec download {name}`."
        )
    raw = recorded.path(manifest)
    format, filter = dataset.reading(recorded.source)
    member, checksummed = None, True
    if recorded.source is not None:
        source = dataset.sources[recorded.source]
        member, checksummed = source.member, source.checksummed

    with _unchanged(raw, recorded):
        try:
            parsed = parse(raw, format, member, filter.where)
        except SeqrecError as error:  # of a file that may be right, and the YAML not
            raise SeqrecError(f"{name}: {error}") from None
    parsed, events = replace(parsed, events=NO_EVENTS), in_time_order(parsed.events, format.ties)
    events, removed = select(events, filter)
    log, ids = _numbered(events, parsed)
    if log.num_users == 0 or log.num_items < 2:
        meeting = f" that meet {' and '.join(parsed.unmet)}" if parsed.unmet else ""
        raise SeqrecError(
            f"{name}: {raw} leaves {log.num_users} users and {log.num_items} items "
            f"of {removed.interactions_read:,} interactions{meeting}; at least one user with "
            f"{MIN_LENGTH} interactions and two items are needed. Relax 'filter' in the dataset's "
            "YAML, or check 'format'."
        )
    statistics = describe(log, events.times, removed, parsed.dropped, parsed.unmet)
    _compare(name, dataset, statistics, checksummed)
    write_log(LogFiles(output), log, ids, statistics, log_settings(dataset))
    return statistics


@contextmanager
def _unchanged(raw: Path, recorded: Manifest) -> Iterator[None]:
    """Raise `SeqrecError` unless `raw` is the recorded file before and after the block."""
    remedy = f"Run `seqrec download {recorded.dataset}`."
    try:
        before = _state(raw)
        same = raw.stat().st_size == recorded.size and sha256(raw) == recorded.sha256
    except OSError as error:
        raise SeqrecError(f"{raw}: cannot be read ({error.strerror}). {remedy}") from None
    if not same:
        raise SeqrecError(f"{raw}: changed since its checksum was recorded. {remedy}")
    yield
    if _state(raw) != before:
        raise SeqrecError(f"{raw}: changed while it was read. {remedy}")


def _state(file: Path) -> tuple[int, ...] | None:
    """Return what changes as soon as somebody writes to a file, replaces or removes it."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _numbered(events: Events, parsed: ParsedFile) -> tuple[Sequences, OriginalIds]:
    """Number the users and items that are left, in the order of their original ids."""
    counts = np.bincount(events.users) if len(events) else np.zeros(0, np.int64)
    users = np.flatnonzero(counts)
    offsets = np.concatenate(([0], np.cumsum(counts[users]))).astype(np.int64)
    occurs = np.zeros(len(parsed.item_ids), bool)
    occurs[events.items] = True
    items = np.flatnonzero(occurs)
    numbers = np.cumsum(occurs, dtype=np.int32)[events.items]
    ids = OriginalIds(parsed.user_ids.take(users), parsed.item_ids.take(items))
    times = unix_seconds(time_to_keep(events.times)) if events.times else None
    return Sequences(numbers, offsets, len(items), times=times), ids


def _compare(name: str, dataset: Dataset, found: Statistics, checksummed: bool) -> None:
    """Compare the size with the one that the dataset is known to have.

    A difference is an error if the file itself is known to be right, else it is only printed.
    """
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
    message = f"{name}: preprocessing gives {', '.join(wrong)}"
    if checksummed and expected.mismatch == "error":
        raise SeqrecError(
            f"{message}, although the file is the right one. "
            "Correct 'format', 'filter' or 'expected' in the dataset's YAML."
        )
    print(f"{message}. Results will differ from the published ones.", file=sys.stderr)

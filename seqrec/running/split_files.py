"""Write the parts of a split as files by original ids, for other libraries to train on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from seqrec.data.interactions import Interactions
from seqrec.experiment.schema import SplitRule
from seqrec.files import replacing, require_inside, write_text
from seqrec.protocol.splits import USERS_AT_ONCE, Split
from seqrec.protocol.splitting import split_log

CONTENTS = "split.json"
"""Says which split of which log the other files are; written last, so that they are complete."""


def write_split(log: Interactions, rule: SplitRule, folder: Path, about: Any) -> list[Path]:
    """Write the parts of a split into `folder`; returns the paths of the files.

    Each Parquet file has a line for each interaction, `user`, `item` and, where the log has times,
    `timestamp` in Unix seconds; a user's lines are in order of time. `validation` and `test` also
    have `target`: 0 for history, and n for the n-th target of the user, which is predicted from all
    lines before it. Targets that are predicted at once are all 1. `split.json` holds what is said
    `about` them.

    Raises `SeqrecError` as `split_log` does, and if a file cannot be written or is a link that
    leads out of `folder`.
    """
    splits = split_log(log, rule)
    parts = {
        "train": _histories(splits.train),
        "train_and_validation": _histories(splits.train_and_validation),
        "validation": _with_targets(splits.validation),
        "test": _with_targets(splits.test),
    }
    contents = folder / CONTENTS
    files = {folder / f"{name}.parquet": lines for name, lines in parts.items()}
    for path in (*files, contents):
        require_inside(path, folder)
    contents.unlink(missing_ok=True)
    users, items = pa.array(log.user_ids()), pa.array(log.item_ids())
    for path, lines in files.items():
        with replacing(path) as part:
            _write(part, lines, users, items, log)
    write_text(contents, json.dumps(about, indent=2) + "\n")
    return [*files, contents]


Lines = Iterator[dict[str, np.ndarray]]
"""Batches of lines: `user`, counted from 0, `index` in the log, and maybe `target`."""


def _histories(split: Split) -> Lines:
    """List what a model learns from."""
    for first in range(0, split.num_users, USERS_AT_ONCE):
        rows = np.arange(first, min(first + USERS_AT_ONCE, split.num_users))
        yield {"user": split.users_of(rows[split.pairs(rows)[0]]), "index": split.indices(rows)}


def _with_targets(split: Split) -> Lines:
    """List the histories of a user's first row, and the targets of all of the user's rows."""
    rows = np.arange(split.num_users)
    users, first, counts = np.unique(split.users_of(rows), return_index=True, return_counts=True)
    stops = split.ends + 1 if split.stops is None else split.stops
    # A user's several rows have one target each, which follow one another in the log.
    starts, ends, last = split.starts[first], split.ends[first], stops[first + counts - 1]
    for begin in range(0, len(users), USERS_AT_ONCE):
        batch = slice(begin, begin + USERS_AT_ONCE)
        lengths = (last - starts)[batch]
        row = np.repeat(np.arange(len(lengths)), lengths)
        index = np.arange(len(row)) - (np.cumsum(lengths) - lengths - starts[batch])[row]
        number = np.minimum(index - ends[batch][row] + 1, counts[batch][row])
        yield {"user": users[batch][row], "index": index, "target": np.maximum(number, 0)}


def _write(path: Path, lines: Lines, users: pa.Array, items: pa.Array, log: Interactions) -> None:
    writer = None
    for batch in lines:
        index = batch["index"]
        columns = {"user": users.take(batch["user"]), "item": items.take(log.items[index] - 1)}
        if log.times is not None:
            columns["timestamp"] = pa.array(log.times[index])
        if "target" in batch:
            columns["target"] = pa.array(batch["target"].astype(np.int32))
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is None:
        raise ValueError("a split has no users")
    writer.close()

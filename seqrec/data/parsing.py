"""Read a raw file of interactions in any of the formats, and check every line of it.

A file is read in blocks, so memory holds codes and distinct ids but never the whole file.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqrec.data.bad_lines import BadLines, Dropped
from seqrec.data.conditions import Condition
from seqrec.data.events import Events
from seqrec.data.formats import Format, Where
from seqrec.data.lines import read_lines
from seqrec.data.parquet import read_parquet
from seqrec.data.raw_batch import RawBatch
from seqrec.errors import SeqrecError
from seqrec.wording import quoted

if TYPE_CHECKING:
    import pyarrow as pa

# An id counts as a number only in its canonical form, so "7" and "07" stay two ids.
CANONICAL_INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"
NUMBER = r"^-?[0-9]+$"

JOINED_ENTRIES = 1 << 20
"""Ids of blocks, with those that occur in several, that may wait to be joined."""


@dataclass(frozen=True)
class ParsedFile:
    """Interactions in the file's order. A code is an index into the ids, which are sorted."""

    events: Events
    user_ids: "pa.Array"
    """Original ids: int64 in numeric order if all are integers, else text in its order."""
    item_ids: "pa.Array"
    """The same of the items."""
    dropped: Dropped
    """What was left out of the file."""
    unmet: dict[str, int]
    """How many interactions were dropped by each of the filter's conditions, which come in order:
    those that fail several count for the first."""


def parse(
    path: Path, format: Format, member: str | None = None, where: Where | None = None
) -> ParsedFile:
    """Read `path`, or `member` of a zip archive; keep the interactions that meet all of `where`.

    Raises `SeqrecError` for a file that cannot be read, and for malformed lines and missing ids
    that `format` does not allow dropping.
    """
    import pyarrow as pa

    is_parquet = format.kind == "parquet"
    bad = BadLines(path, format, unit="row" if is_parquet else "line")
    where = where or {}
    kept = _Kept(where)
    read = read_parquet(bad, where) if is_parquet else read_lines(bad, member, where)
    ids, batches = _Ids(), []
    for batch in read:
        if len(left := kept.of(batch)):
            ids.add(left.ids)
            batches.append(left.times)
    dropped = bad.settle(kept.read)
    if not kept.read:
        raise SeqrecError(f"{path}: holds no interactions. Is it the right file?")
    if not batches:
        raise SeqrecError(
            f"{path}: none of its {kept.read:,} interactions meets 'where' under 'filter' in the "
            f"dataset's YAML: {_listed(kept.unmet)}."
        )
    times = tuple(np.concatenate(column) for column in zip(*batches, strict=True))
    del batches
    users, user_ids = _codes(ids.taken("user"))
    items, item_ids = _codes(ids.taken("item"))
    # What Arrow has set aside for later.
    pa.default_memory_pool().release_unused()
    events = Events(users, items, times)
    if format.header is None and not format.has_header and format.kind not in ("parquet", "jsonl"):
        _refuse_header(path, events, user_ids, item_ids)
    return ParsedFile(events, user_ids, item_ids, dropped, kept.unmet)


class _Ids:
    """Joins the ids of blocks as they come, so that memory holds what occurs in many but once."""

    def __init__(self) -> None:
        self.columns: dict[str, pa.ChunkedArray] = {}
        self.pending: list[pa.Table] = []
        self.waiting = 0
        """Entries in the dictionaries of the pending blocks."""
        self.distinct = 0
        """Entries in those of the joined ones."""

    def add(self, block: "pa.Table") -> None:
        self.pending.append(block)
        self.waiting += _entries(block.columns)
        # Not before they are as many, so that most are joined only a few times.
        if self.waiting > max(JOINED_ENTRIES, self.distinct):
            self._join()

    def taken(self, name: str) -> "pa.ChunkedArray":
        """Join what is left, and give a column away."""
        if self.pending:
            self._join()
        return self.columns.pop(name)

    def _join(self) -> None:
        import pyarrow as pa

        blocks, self.pending, self.waiting = self.pending, [], 0
        for name in blocks[0].column_names:
            parts = [block[name] for block in blocks]
            if name in self.columns:
                parts.insert(0, self.columns.pop(name))
            chunks = [chunk for part in parts for chunk in part.chunks]
            joined = pa.chunked_array(chunks, parts[0].type).unify_dictionaries()
            del parts, chunks
            self.columns[name] = pa.chunked_array([joined.combine_chunks()])
        self.distinct = _entries(list(self.columns.values()))


def _entries(columns: "list[pa.ChunkedArray]") -> int:
    """Count the entries of all dictionaries."""
    return sum(len(chunk.dictionary) for column in columns for chunk in column.chunks)


class _Kept:
    """Keeps the interactions that meet all conditions, and counts the others."""

    def __init__(self, where: Where) -> None:
        self.read = 0
        self.unmet = {
            f"{column} {Condition.of(written).written}": 0 for column, written in where.items()
        }

    def of(self, batch: RawBatch) -> RawBatch:
        self.read += len(batch)
        kept = np.ones(len(batch), bool)
        for name, met in zip(self.unmet, batch.met, strict=True):
            self.unmet[name] += int((kept & ~met).sum())
            kept &= met
        return batch.take(kept)


def _listed(unmet: dict[str, int]) -> str:
    return ", ".join(f"{count:,} without {name}" for name, count in unmet.items())


def _codes(column: "pa.ChunkedArray") -> tuple[np.ndarray, "pa.Array"]:
    """Return codes, int32 [interactions], and the sorted ids that they index.

    White space around an id does not count.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = column.combine_chunks()
    indices = encoded.indices.to_numpy()
    ids = encoded.dictionary
    used = np.zeros(len(ids), bool)
    used[indices] = True
    if not used.all():  # some lines were dropped
        ids, indices = ids.filter(used), (np.cumsum(used) - 1)[indices]
    ids = pc.utf8_trim_whitespace(ids)
    if pc.all(pc.match_substring_regex(ids, CANONICAL_INTEGER)).as_py():
        ids = ids.cast(pa.int64())
    distinct = ids.unique()
    distinct = distinct.take(pc.sort_indices(distinct))
    # Position in the file's order of appearance -> position in sorted order.
    ranks = pc.index_in(ids, distinct).to_numpy(zero_copy_only=False).astype(np.int32)
    return ranks[indices], distinct


def _refuse_header(path: Path, events: Events, user_ids: "pa.Array", item_ids: "pa.Array") -> None:
    """Raise `SeqrecError` if the first line looks like the names of the columns.

    It does if it has a column's only id that is not a number, and all lines with this id are alike:
    where files were joined, there are several.
    """
    users, items = events.users, events.items
    alike = (users == users[0]) & (items == items[0])
    for role, codes, ids in (("user", users, user_ids), ("item", items, item_ids)):
        if _is_lone_text(ids, int(codes[0])) and alike[codes == codes[0]].all():
            raise SeqrecError(
                f"{path}: the first line has the {role} {quoted(ids[int(codes[0])].as_py())}, all "
                f"other {role}s are numbers. Is it a header? Write 'header: true' under 'format' "
                "in the dataset's YAML if it is, or 'header: false' if it is not."
            )


def _is_lone_text(ids: "pa.Array", code: int) -> bool:
    """Whether the id of `code` is the only one that is not a number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(ids.type) or re.fullmatch(NUMBER, ids[code].as_py()):
        return False
    numbers = pc.sum(pc.match_substring_regex(ids, NUMBER)).as_py()
    return 0 < numbers == len(ids) - 1

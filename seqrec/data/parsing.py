"""Read a raw file of interactions in any of the formats, and check every line of it.

A file is read in blocks, so memory holds codes and distinct ids but never the whole file.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqrec.data.datasets import Format
from seqrec.data.events import Events
from seqrec.data.lines import read_lines
from seqrec.data.parquet import read_parquet
from seqrec.errors import SeqrecError

if TYPE_CHECKING:
    import pyarrow as pa

# An id counts as a number only in the one way that number is written, so "7" and "07" stay two.
CANONICAL_INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"


@dataclass(frozen=True)
class ParsedFile:
    """Interactions in the file's order. A code is an index into the ids, which are sorted."""

    events: Events
    user_ids: "pa.Array"
    """Original ids: int64 in numeric order if all are integers, else text in its order."""
    item_ids: "pa.Array"
    """The same of the items."""


def parse(path: Path, format: Format, member: str | None = None) -> ParsedFile:
    """Read `path`, or `member` of a zip archive; raises `SeqrecError` for a malformed line."""
    import pyarrow as pa

    batches = list(
        read_parquet(path, format) if format.kind == "parquet" else read_lines(path, format, member)
    )
    if not sum(batch.ids.num_rows for batch in batches):
        raise SeqrecError(f"{path}: holds no interactions. Is it the right file?")
    table = pa.concat_tables(batch.ids for batch in batches).unify_dictionaries().combine_chunks()
    times = [batch.times for batch in batches if batch.times is not None]
    del batches
    users, user_ids = _codes(table["user"])
    items, item_ids = _codes(table["item"])
    if format.header is None and not format.has_header and format.kind not in ("parquet", "jsonl"):
        _refuse_header(path, _lone_text(users, user_ids), _lone_text(items, item_ids))
    events = Events(users, items, np.concatenate(times) if times else None)
    return ParsedFile(events, user_ids, item_ids)


def _codes(column: "pa.ChunkedArray") -> tuple[np.ndarray, "pa.Array"]:
    """Return codes, int32 [interactions], and the sorted ids that they index.

    White space around an id does not count.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = column.combine_chunks()
    ids = pc.utf8_trim_whitespace(encoded.dictionary)
    if pc.all(pc.match_substring_regex(ids, CANONICAL_INTEGER)).as_py():
        ids = ids.cast(pa.int64())
    distinct = ids.unique()
    distinct = distinct.take(pc.sort_indices(distinct))
    # Position in the file's order of appearance -> position in sorted order.
    ranks = pc.index_in(ids, distinct).to_numpy(zero_copy_only=False).astype(np.int32)
    return ranks[encoded.indices.to_numpy()], distinct


def _refuse_header(path: Path, user: str | None, item: str | None) -> None:
    """Raise `SeqrecError` if the first line's user and item look like the names of columns."""
    if user is not None and item is not None:
        raise SeqrecError(
            f"{path}: the first line has {user!r} and {item!r}, all others have numbers. Is it a "
            "header? Write 'header: true' under 'format' in the dataset's YAML if it is, or "
            "'header: false' if it is not."
        )


def _lone_text(codes: np.ndarray, ids: "pa.Array") -> str | None:
    """Return the first interaction's id if it is the only one that is not a number, else None."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(ids.type):
        return None
    first = ids[int(codes[0])].as_py()
    numbers = pc.sum(pc.match_substring_regex(ids, r"^-?[0-9]+$")).as_py()
    alone = 0 < numbers == len(ids) - 1 and not re.fullmatch(r"-?[0-9]+", first)
    return first if alone else None

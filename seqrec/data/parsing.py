"""Read a raw file of interactions in any of the formats, and check every line of it.

A file is read in blocks, so memory holds codes and distinct ids but never the whole file.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqrec.data.bad_lines import BadLines, Dropped
from seqrec.data.datasets import Format
from seqrec.data.events import Events
from seqrec.data.lines import read_lines
from seqrec.data.parquet import read_parquet
from seqrec.errors import SeqrecError
from seqrec.wording import quoted

if TYPE_CHECKING:
    import pyarrow as pa

# An id counts as a number only in its canonical form, so "7" and "07" stay two ids.
CANONICAL_INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"
NUMBER = r"^-?[0-9]+$"


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


def parse(path: Path, format: Format, member: str | None = None) -> ParsedFile:
    """Read `path`, or `member` of a zip archive.

    Raises `SeqrecError` for a file that cannot be read, and for malformed lines and missing ids
    that `format` does not allow dropping.
    """
    import pyarrow as pa

    is_parquet = format.kind == "parquet"
    bad = BadLines(path, format, unit="row" if is_parquet else "line")
    batches = list(read_parquet(bad) if is_parquet else read_lines(bad, member))
    interactions = sum(batch.ids.num_rows for batch in batches)
    dropped = bad.settle(interactions)
    if not interactions:
        raise SeqrecError(f"{path}: holds no interactions. Is it the right file?")
    table = pa.concat_tables(batch.ids for batch in batches).unify_dictionaries().combine_chunks()
    times = [batch.times for batch in batches if batch.times is not None]
    del batches
    users, user_ids = _codes(table["user"])
    items, item_ids = _codes(table["item"])
    events = Events(users, items, np.concatenate(times) if times else None)
    if format.header is None and not format.has_header and format.kind not in ("parquet", "jsonl"):
        _refuse_header(path, events, user_ids, item_ids)
    return ParsedFile(events, user_ids, item_ids, dropped)


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

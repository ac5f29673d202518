"""Read a raw file of interactions, in any of the formats, into codes: every line is checked.

A file is read in blocks of whole lines, so memory holds codes and distinct ids but never the file.
A block is parsed at once by Arrow; only when something is wrong with it is it gone through line by
line, to say which.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqrec.data.datasets import Format
from seqrec.data.lines import read_lines
from seqrec.data.parquet import read_parquet
from seqrec.errors import SeqrecError

if TYPE_CHECKING:
    import pyarrow as pa


# An id counts as a number only in the one way that number is written, so "7" and "07" stay two.
CANONICAL_INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"


@dataclass(frozen=True)
class Log:
    """Interactions in the file's order; a code is an index into the ids, which are sorted."""

    users: np.ndarray
    """int32 [interactions]: code of the user."""
    items: np.ndarray
    """int32 [interactions]: code of the item."""
    times: np.ndarray | None
    """int64 or float64 [interactions]; None where the file has no time."""
    user_ids: "pa.Array"
    """Original ids: int64 in numeric order where all are integers, else text in its order."""
    item_ids: "pa.Array"


def parse(path: Path, format: Format, member: str | None = None) -> Log:
    """Read `path` (`member` of it, for a zip); a malformed line is a `SeqrecError`."""
    import pyarrow as pa

    tables: list[pa.Table] = []
    times: list[np.ndarray] = []
    batches = (
        read_parquet(path, format) if format.kind == "parquet" else read_lines(path, format, member)
    )
    for table, time in batches:
        tables.append(table)
        if time is not None:
            times.append(time)
    if not sum(table.num_rows for table in tables):
        raise SeqrecError(f"{path}: holds no interactions. Is it the right file?")
    table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    del tables
    users, user_ids = _codes(table["user"])
    items, item_ids = _codes(table["item"])
    if format.header is None and not format.has_header and format.kind not in ("parquet", "jsonl"):
        firsts = [_stranger(users, user_ids), _stranger(items, item_ids)]
        if all(first is not None for first in firsts):
            raise SeqrecError(
                f"{path}: the first line has {firsts[0]!r} and {firsts[1]!r}, all others have "
                "numbers. Is it a header? Say so by 'header: true' under 'format' in the dataset's "
                "YAML, or by 'header: false' that it is none."
            )
    return Log(users, items, np.concatenate(times) if times else None, user_ids, item_ids)


def _codes(column: "pa.ChunkedArray") -> tuple[np.ndarray, "pa.Array"]:
    """Codes into sorted ids. White space around an id is no part of it."""
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


def _stranger(codes: np.ndarray, ids: "pa.Array") -> str | None:
    """The id of the first interaction, if it has the only one that is no number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(ids.type):
        return None
    first = ids[int(codes[0])].as_py()
    numbers = pc.sum(pc.match_substring_regex(ids, r"^-?[0-9]+$")).as_py()
    alone = 0 < numbers == len(ids) - 1 and not re.fullmatch(r"-?[0-9]+", first)
    return first if alone else None

"""The history of a training, `history.csv`: one line per epoch."""

import io
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from seqrec.protocol.epoch import Epoch

if TYPE_CHECKING:
    import pandas as pd

HISTORY_COLUMNS = ("epoch", "seconds", "training_loss")
"""The columns that every history has; validation metrics follow them."""

EPOCH = r"[0-9]{1,15}"
SECONDS = r"[0-9]{1,15}(?:\.[0-9]*)?(?:[eE][-+]?[0-9]{1,2})?"
FINITE = r"[-+]?[0-9]{1,15}(?:\.[0-9]*)?(?:[eE](?:-[0-9]{1,4}|\+?[0-9]{1,2}))?"
"""A number that a float can hold: a training ends with an error at any other loss."""


def as_csv(history: Sequence[Epoch]) -> bytes:
    """Return the content of the file with these epochs."""
    import pandas as pd  # takes longer than to read the records of an experiment

    lines: list[dict[str, Any]] = [epoch.line() for epoch in history]
    table = pd.DataFrame(lines, columns=None if lines else list(HISTORY_COLUMNS))
    return table.to_csv(index=False, lineterminator="\n").encode()


def history_table(content: bytes | None) -> "pd.DataFrame":
    """Parse a history into a table with its columns, empty without one; raises `ValueError`."""
    import pandas as pd

    if content is None:
        return pd.DataFrame(columns=list(HISTORY_COLUMNS))
    epochs_in(content)
    return pd.read_csv(io.BytesIO(content))


def epochs_in(content: bytes) -> list[int]:
    """Return the epochs of a history.

    Raises `ValueError` for anything but a table of finite numbers with its columns.
    """
    header, _, body = content.decode("utf-8").replace("\r\n", "\n").partition("\n")
    columns = header.split(",")
    if lacking := set(HISTORY_COLUMNS) - set(columns):
        raise ValueError(f"it lacks the column {', '.join(sorted(lacking))}")
    if columns[0] != HISTORY_COLUMNS[0] or len(set(columns)) < len(columns) or '"' in header:
        raise ValueError("its header is not the one that a training writes")
    pattern = _line_of(tuple(columns))
    lines = body.removesuffix("\n").split("\n") if body else []
    for number, line in enumerate(lines, start=2):
        if not pattern.fullmatch(line):
            raise ValueError(
                f"line {number} does not hold {len(columns)} finite numbers, with an epoch and "
                "seconds of at least 0"
            )
    return [int(line.partition(",")[0]) for line in lines]


@cache
def _line_of(columns: tuple[str, ...]) -> re.Pattern[str]:
    """Compile what a line must look like; times are numbers that are not below 0."""
    kinds = (SECONDS if name == "seconds" else FINITE for name in columns[1:])
    return re.compile(EPOCH + "".join(f",{kind}" for kind in kinds))

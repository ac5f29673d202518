"""Parse the arrays and the history of a record, which may hold anything."""

import io
import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

HISTORY_COLUMNS = ("epoch", "seconds", "training_loss")
"""The columns that every history has; validation metrics follow them."""

HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '<i4', 'fortran_order': False, "
    rb"'shape': \(([1-9][0-9]*),\), \} *\n",
    re.DOTALL,
)
"""What `np.save` writes before int32 numbers; to parse it as Python takes most of the time."""

EPOCH = r"[0-9]{1,15}"
SECONDS = r"[0-9]{1,15}(?:\.[0-9]*)?(?:[eE][-+]?[0-9]{1,2})?"
NUMBER = r"(?:[-+]?(?:[0-9]{1,15}(?:\.[0-9]*)?(?:[eE][-+]?[0-9]{1,4})?|inf))?"


def numbers_of_users(content: bytes, title: str) -> npt.NDArray[np.int32]:
    """Parse an array file with a `title` of each user, as `[users]`; raises `ValueError`."""
    if (header := HEADER.match(content)) and len(content) == header.end() + 4 * int(header[1]):
        return np.frombuffer(content, np.dtype("<i4"), offset=header.end())
    try:
        numbers = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # numpy parses the header as Python, and raises what it likes
        raise ValueError(f"cannot be read ({error})") from None
    if not isinstance(numbers, np.ndarray):
        raise ValueError("holds an archive of arrays, not one array")
    if numbers.ndim != 1 or numbers.dtype != np.int32 or not len(numbers):
        raise ValueError(
            f"holds {numbers.dtype} of shape {numbers.shape}, not an int32 {title} of each user"
        )
    return numbers


def history_table(content: bytes | None) -> "pd.DataFrame":
    """Parse a history into a table with its columns, empty without one; raises `ValueError`."""
    import pandas as pd  # takes longer than to read the records of an experiment

    if content is None:
        return pd.DataFrame(columns=list(HISTORY_COLUMNS))
    epochs_in(content)
    return pd.read_csv(io.BytesIO(content))


def seconds_after(content: bytes, epoch: int) -> float:
    """Return the training time up to the end of an epoch of a history that has it."""
    header, *lines = content.decode("utf-8").splitlines()
    place = header.split(",").index("seconds")
    found = next(line for line in lines if line.startswith(f"{epoch},"))
    return float(found.split(",")[place] or "nan")


def epochs_in(content: bytes) -> list[int]:
    """Return the epochs of a history; raises `ValueError` for anything but a table of numbers."""
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
            raise ValueError(f"line {number} holds something other than {len(columns)} numbers")
    return [int(line.partition(",")[0]) for line in lines]


@cache
def _line_of(columns: tuple[str, ...]) -> re.Pattern[str]:
    """Compile what a line must look like; times are numbers that are not below 0."""
    kinds = (SECONDS if name == "seconds" else NUMBER for name in columns[1:])
    return re.compile(EPOCH + "".join(f",{kind}" for kind in kinds))

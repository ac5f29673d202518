"""The arrays of a record: one int32 number for each user or item, in numpy's format."""

import io
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from seqrec.protocol.evaluation import Quality

HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '<i4', 'fortran_order': False, "
    rb"'shape': \(([1-9][0-9]*),\), \} *\n",
    re.DOTALL,
)
"""What `np.save` writes before int32 numbers; to parse it as Python takes most of the time."""


class Arrays(NamedTuple):
    """The arrays that are written with a record, each into the file of its name."""

    ranks: npt.NDArray[np.integer]
    """Rank of each test target, from 1, `[targets]`."""
    target_counts: npt.NDArray[np.integer]
    """How often each test target occurs in the train part, `[targets]`."""
    recommended_counts: npt.NDArray[np.integer] | None = None
    """In how many test rankings each item is recommended, `[items]`."""
    history_lengths: npt.NDArray[np.integer] | None = None
    """Length of the history that each test target was ranked from, `[targets]`."""
    target_users: npt.NDArray[np.integer] | None = None
    """Whose each test target is, counted from 0 in the log, `[targets]`; None if every user has
    one, in order."""

    @classmethod
    def of(cls, quality: "Quality") -> "Arrays":
        """Take the arrays of an evaluation."""
        return cls(
            quality.test_ranks,
            quality.target_counts,
            quality.recommended_counts,
            quality.history_lengths,
            quality.target_users,
        )


def as_array(numbers: npt.NDArray[np.integer]) -> bytes:
    """Return the content of a file with these numbers, `[users]` or `[items]`."""
    file = io.BytesIO()
    np.save(file, np.asarray(numbers, dtype=np.int32))
    return file.getvalue()


def numbers_in(content: bytes, title: str) -> npt.NDArray[np.int32]:
    """Parse a file with numbers such as a `title` "rank of each user", as `[users]`.

    Raises `ValueError` for anything else: somebody else may have written the file.
    """
    if (header := HEADER.match(content)) and len(content) == header.end() + 4 * int(header[1]):
        return np.frombuffer(content, np.dtype("<i4"), offset=header.end())
    try:
        numbers = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # numpy parses the header as Python, and raises what it likes
        raise ValueError(f"cannot be read ({error})") from None
    if not isinstance(numbers, np.ndarray):
        raise ValueError("holds an archive of arrays, not one array")
    if numbers.ndim != 1 or numbers.dtype != np.int32 or not len(numbers):
        raise ValueError(f"holds {numbers.dtype} of shape {numbers.shape}, not an int32 {title}")
    return numbers

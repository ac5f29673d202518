"""One piece of a raw file, as its reader hands it on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class RawBatch:
    """Consecutive interactions of a raw file, in the file's order."""

    ids: "pa.Table"
    """Columns `user` and `item`: text, dictionary-encoded."""
    times: np.ndarray | None
    """int64, float64 or datetime64 [interactions]; None if the file has no times."""

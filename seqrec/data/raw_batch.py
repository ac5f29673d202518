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
    times: tuple[np.ndarray, ...]
    """int64, float64 or datetime64 [interactions] each: the columns of times."""
    met: tuple[np.ndarray, ...]
    """bool [interactions] each: whether the filter's conditions hold, in their order."""

    def __len__(self) -> int:
        return int(self.ids.num_rows)

    def take(self, chosen: np.ndarray) -> "RawBatch":
        """Return the interactions that the mask chooses."""
        if chosen.all():
            return self
        times = tuple(column[chosen] for column in self.times)
        met = tuple(column[chosen] for column in self.met)
        return RawBatch(self.ids.filter(chosen), times, met)

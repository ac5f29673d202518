"""Popularity: recommends to every user the items that occur most often."""

import numpy as np
import torch
from torch import Tensor

from seqrec.models.fitted import Fitted
from seqrec.protocol.splits import Split


class Popularity(Fitted):
    """Scores items by their number of interactions; ties count against the model."""

    by_user = False

    def fit(self, split: Split, seed: int, threads: int) -> None:
        self.counts = torch.from_numpy(split.item_counts()[1:].astype(np.float32))

    def score(self, users: np.ndarray) -> Tensor:
        return self.counts.repeat(len(users), 1)

    def state(self) -> dict[str, Tensor]:
        return {"counts": self.counts}

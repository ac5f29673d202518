"""A network of this study: config/models/average.yaml names it."""

import torch
from torch import Tensor, nn

from seqrec.models import Network, NextItem, initialise_normal


class Average(Network):
    """One layer over the running average of the items so far."""

    task = NextItem()

    def __init__(self, num_items: int, max_length: int, hidden_size: int = 32):
        super().__init__(num_items, hidden_size)
        self.layer = nn.Linear(hidden_size, hidden_size)
        initialise_normal(self)

    def forward(self, rows: Tensor) -> Tensor:
        """Hidden states [batch, time, width] of item rows [batch, time]."""
        items = self.items(rows)
        counts = torch.arange(1, rows.shape[1] + 1, device=rows.device)[:, None]
        return items + self.layer(items.cumsum(1) / counts).relu()

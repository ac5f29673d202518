"""SASRec (Kang and McAuley, 2018): a causal Transformer over a user's items.

The block follows the original code rather than a textbook: queries are normalised, keys and values
are not; the residual of the feed-forward layer is its normalised input.
"""

import math
from typing import Annotated

import torch
from torch import Tensor, nn

from seqrec.experiment.parameters import Divides, PositiveInt, Probability
from seqrec.models.layers import Attention, Dropout, initialise_normal, read_at, up_to
from seqrec.models.network import Network
from seqrec.models.tasks import NextItem


class Block(nn.Module):
    """Attention and a pointwise feed-forward layer, each with SASRec's own residual."""

    def __init__(self, hidden_size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(hidden_size, eps=1e-8)
        self.attention = Attention(hidden_size, heads, dropout)
        self.feedforward_norm = nn.LayerNorm(hidden_size, eps=1e-8)
        self.inner = nn.Linear(hidden_size, hidden_size)
        self.outer = nn.Linear(hidden_size, hidden_size)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, at: Tensor | None = None) -> Tensor:
        """Transform `[batch, time, width]`; with `at`, only that position of each sequence."""
        queries = self.attention_norm(x if at is None else read_at(x, at))
        seen = None if at is None else up_to(at, x.shape[1])
        x = queries + self.attention(queries, x, seen)
        x = self.feedforward_norm(x)
        return x + self.dropout(self.outer(torch.relu(self.dropout(self.inner(x)))))


class SASRec(Network):
    """SASRec's encoder; trained with cross-entropy over all items, it is the paper's SASRec+."""

    task = NextItem()

    def __init__(
        self,
        num_items: int,
        max_length: int,
        hidden_size: PositiveInt = 64,
        blocks: PositiveInt = 2,
        heads: Annotated[PositiveInt, Divides("hidden_size")] = 1,
        dropout: Probability = 0.1,
    ) -> None:
        super().__init__(num_items, hidden_size)
        self.positions = nn.Embedding(max_length, hidden_size)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(Block(hidden_size, heads, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(hidden_size, eps=1e-8)
        initialise_normal(self)
        for module in self.modules():
            if isinstance(module, Attention):
                # The paper's implementation draws every weight again but this stacked projection.
                nn.init.xavier_uniform_(module.in_projection.weight)

    def forward(self, rows: Tensor) -> Tensor:
        """Compute hidden states `[batch, time, width]` of item rows `[batch, time]`.

        Padding is on the right, so causality alone keeps real positions from seeing it. The paper's
        implementation also zeroes it after each block, which changes no real position.
        """
        return self._encode(rows)

    def states_at(self, rows: Tensor, positions: Tensor) -> Tensor:
        return self._encode(rows, positions)[:, 0]

    def _encode(self, rows: Tensor, at: Tensor | None = None) -> Tensor:
        x = self.items(rows) * math.sqrt(self.items.embedding_dim)
        x = self.dropout(x + self.positions.weight[: rows.shape[1]])
        *first, last = self.blocks
        for block in first:
            x = block(x)
        return self.norm(last(x, at))

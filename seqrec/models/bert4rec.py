"""BERT4Rec (Sun et al., 2019): a bidirectional Transformer trained on masked items."""

from typing import Annotated

import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.experiment.parameters import Divides, OpenProbability, PositiveInt, Probability
from seqrec.models.layers import Attention, Dropout, initialise_normal, read_at
from seqrec.models.network import Network
from seqrec.models.tasks import MaskedItem

EPSILON = 1e-12


class Layer(nn.Module):
    """A post-norm Transformer encoder layer."""

    def __init__(
        self, hidden_size: int, intermediate_size: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.attention = Attention(hidden_size, heads, dropout)
        self.attention_norm = nn.LayerNorm(hidden_size, eps=EPSILON)
        self.inner = nn.Linear(hidden_size, intermediate_size)
        self.outer = nn.Linear(intermediate_size, hidden_size)
        self.feedforward_norm = nn.LayerNorm(hidden_size, eps=EPSILON)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, real: Tensor, at: Tensor | None = None) -> Tensor:
        """Transform `[batch, time, width]`; with `at`, only that position of each sequence.

        `real` `[batch, time]` marks items and masks.
        """
        queries = x if at is None else read_at(x, at)
        attended = self.attention(queries, x, real)
        x = self.attention_norm(queries + self.dropout(attended))
        return self.feedforward_norm(x + self.dropout(self.outer(F.gelu(self.inner(x)))))


class BERT4Rec(Network):
    """BERT's encoder over items, scored against its own item table (no bias, no transform)."""

    task = MaskedItem()

    def __init__(
        self,
        num_items: int,
        max_length: int,
        hidden_size: PositiveInt = 64,
        layers: PositiveInt = 2,
        heads: Annotated[PositiveInt, Divides("hidden_size")] = 2,
        intermediate_size: PositiveInt = 256,
        dropout: Probability = 0.1,
        mask_probability: OpenProbability = 0.2,
    ) -> None:
        self.task = MaskedItem(mask_probability)
        super().__init__(num_items, hidden_size)
        self.positions = nn.Embedding(max_length, hidden_size)
        # BERT adds the embedding of the first segment to every position; kept to match it.
        self.segments = nn.Embedding(1, hidden_size)
        self.norm = nn.LayerNorm(hidden_size, eps=EPSILON)
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(
            Layer(hidden_size, intermediate_size, heads, dropout) for _ in range(layers)
        )
        initialise_normal(self)

    def forward(self, rows: Tensor) -> Tensor:
        """Compute hidden states `[batch, time, width]` of item rows `[batch, time]`."""
        return self._encode(rows)

    def states_at(self, rows: Tensor, positions: Tensor) -> Tensor:
        return self._encode(rows, positions)[:, 0]

    def _encode(self, rows: Tensor, at: Tensor | None = None) -> Tensor:
        real = rows > 0
        x = self.items(rows) + self.positions.weight[: rows.shape[1]] + self.segments.weight[0]
        x = self.dropout(self.norm(x))
        *first, last = self.layers
        for layer in first:
            x = layer(x, real)
        return last(x, real, at)

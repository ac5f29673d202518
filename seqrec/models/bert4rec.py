"""BERT4Rec (Sun et al., 2019): a bidirectional Transformer trained on masked items."""

import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.models.network import Attention, Network, initialise_normal
from seqrec.tasks import MaskedItem

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
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """`[batch, time, width]` from the same; `real` `[batch, time]` marks items and masks."""
        attended = self.attention(x, x, causal=False, real=real)
        x = self.attention_norm(x + self.dropout(attended))
        return self.feedforward_norm(x + self.dropout(self.outer(F.gelu(self.inner(x)))))


class BERT4Rec(Network):
    """BERT's encoder over items, scored against its own item table (no bias, no transform)."""

    task = MaskedItem()

    def __init__(
        self,
        num_items: int,
        max_length: int,
        hidden_size: int = 64,
        layers: int = 2,
        heads: int = 2,
        intermediate_size: int = 256,
        dropout: float = 0.1,
        mask_probability: float = 0.2,
    ) -> None:
        self.task = MaskedItem(mask_probability)
        super().__init__(num_items, hidden_size)
        self.positions = nn.Embedding(max_length, hidden_size)
        # BERT adds the embedding of the first segment to every position; kept for equality.
        self.segments = nn.Embedding(1, hidden_size)
        self.norm = nn.LayerNorm(hidden_size, eps=EPSILON)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            Layer(hidden_size, intermediate_size, heads, dropout) for _ in range(layers)
        )
        initialise_normal(self)

    def forward(self, rows: Tensor) -> Tensor:
        """Hidden states `[batch, time, width]` of item rows `[batch, time]`."""
        real = rows > 0
        x = self.items(rows) + self.positions.weight[: rows.shape[1]] + self.segments.weight[0]
        x = self.dropout(self.norm(x))
        for layer in self.layers:
            x = layer(x, real)
        return x

"""GPT4Rec: a GPT-2 encoder over items, trained to predict the next one."""

import math
from typing import Annotated

import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.experiment.parameters import Divides, PositiveInt, Probability
from seqrec.models.layers import Attention, Dropout, initialise_normal, read_at, up_to
from seqrec.models.network import Network
from seqrec.models.tasks import NextItem


class Layer(nn.Module):
    """A pre-norm Transformer layer with GPT-2's approximate gelu."""

    def __init__(self, hidden_size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(hidden_size)
        self.attention = Attention(hidden_size, heads, dropout)
        self.feedforward_norm = nn.LayerNorm(hidden_size)
        self.inner = nn.Linear(hidden_size, 4 * hidden_size)
        self.outer = nn.Linear(4 * hidden_size, hidden_size)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, at: Tensor | None = None) -> Tensor:
        """Transform `[batch, time, width]`; with `at`, only that position of each sequence."""
        normed = self.attention_norm(x)
        queries, seen = normed, None
        if at is not None:
            queries, seen, x = read_at(normed, at), up_to(at, x.shape[1]), read_at(x, at)
        x = x + self.dropout(self.attention(queries, normed, seen))
        inner = F.gelu(self.inner(self.feedforward_norm(x)), approximate="tanh")
        return x + self.dropout(self.outer(inner))


class GPT4Rec(Network):
    """GPT-2 with an item table in place of words."""

    task = NextItem()

    def __init__(
        self,
        num_items: int,
        max_length: int,
        hidden_size: PositiveInt = 64,
        layers: PositiveInt = 2,
        heads: Annotated[PositiveInt, Divides("hidden_size")] = 1,
        dropout: Probability = 0.1,
    ) -> None:
        super().__init__(num_items, hidden_size)
        self.positions = nn.Embedding(max_length, hidden_size)
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(Layer(hidden_size, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden_size)
        initialise_normal(self)
        for module in self.modules():
            if isinstance(module, Layer):
                # GPT-2 scales the projections that end in a residual by the network's depth.
                for projection in (module.attention.out_projection, module.outer):
                    nn.init.normal_(projection.weight, std=0.02 / math.sqrt(2 * layers))

    def forward(self, rows: Tensor) -> Tensor:
        """Compute hidden states `[batch, time, width]` of item rows `[batch, time]`.

        Padding is on the right, so causality alone keeps real positions from seeing it.
        """
        return self._encode(rows)

    def states_at(self, rows: Tensor, positions: Tensor) -> Tensor:
        return self._encode(rows, positions)[:, 0]

    def _encode(self, rows: Tensor, at: Tensor | None = None) -> Tensor:
        x = self.dropout(self.items(rows) + self.positions.weight[: rows.shape[1]])
        *first, last = self.layers
        for layer in first:
            x = layer(x)
        return self.norm(last(x, at))

"""LiGR: a causal Transformer with gated residuals (Borisyuk et al., 2025, arXiv 2502.03417).

The block is the one that eSASRec takes from there (Tikhonovich et al., 2025, arXiv 2508.06450), as
RecTools implements it. A gate, computed from a layer's input, decides for each feature how much of
the layer's output joins the residual.
"""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.experiment.parameters import Divides, PositiveInt, Probability
from seqrec.models.layers import Attention, Dropout, initialise_xavier, read_at, up_to
from seqrec.models.network import Network
from seqrec.models.tasks import NextItem

Activation = Literal["swiglu", "gelu"]


class FeedForward(nn.Module):
    """A pointwise layer with a wider inner one: SwiGLU without biases, or gelu with them."""

    def __init__(
        self, hidden_size: int, expansion: int, dropout: float, activation: Activation
    ) -> None:
        super().__init__()
        self.gated = activation == "swiglu"
        inner_size = expansion * hidden_size
        # SwiGLU's two inner projections are one product.
        self.inner = nn.Linear(hidden_size, (1 + self.gated) * inner_size, bias=not self.gated)
        self.outer = nn.Linear(inner_size, hidden_size, bias=not self.gated)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Transform `[..., width]`."""
        inner = self.inner(x)
        if self.gated:
            gate, value = inner.chunk(2, dim=-1)
            inner = F.silu(gate) * value
        else:
            inner = F.gelu(inner)
        return self.outer(self.dropout(inner))


class Block(nn.Module):
    """Pre-norm attention and a feed-forward layer, each with a gate on its way to the residual."""

    def __init__(
        self,
        hidden_size: int,
        heads: int,
        dropout: float,
        expansion: int = 4,
        activation: Activation = "swiglu",
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(hidden_size)
        self.attention = Attention(hidden_size, heads, dropout)
        self.attention_gate = nn.Linear(hidden_size, hidden_size)
        self.feedforward_norm = nn.LayerNorm(hidden_size)
        self.feedforward = FeedForward(hidden_size, expansion, dropout, activation)
        self.feedforward_gate = nn.Linear(hidden_size, hidden_size)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, at: Tensor | None = None) -> Tensor:
        """Transform `[batch, time, width]`; with `at`, only that position of each sequence."""
        normed = self.attention_norm(x)
        queries, seen = normed, None
        if at is not None:
            queries, seen, x = read_at(normed, at), up_to(at, x.shape[1]), read_at(x, at)
        attended = self.dropout(self.attention(queries, normed, seen))
        x = x + torch.sigmoid(self.attention_gate(x)) * attended
        inner = self.dropout(self.feedforward(self.feedforward_norm(x)))
        return x + torch.sigmoid(self.feedforward_gate(x)) * inner


class LiGR(Network):
    """SASRec's encoder with LiGR blocks; like eSASRec's, it does not scale the items' vectors and
    has no norm at its end."""

    task = NextItem()

    def __init__(
        self,
        num_items: int,
        max_length: int,
        hidden_size: PositiveInt = 64,
        blocks: PositiveInt = 2,
        heads: Annotated[PositiveInt, Divides("hidden_size")] = 1,
        expansion: PositiveInt = 4,
        activation: Literal["swiglu", "gelu"] = "swiglu",
        dropout: Probability = 0.1,
    ) -> None:
        super().__init__(num_items, hidden_size)
        self.positions = nn.Embedding(max_length, hidden_size)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(hidden_size, heads, dropout, expansion, activation) for _ in range(blocks)
        )
        initialise_xavier(self)
        for module in self.modules():
            if isinstance(module, FeedForward) and module.gated:
                # Stacked to be one product, but drawn as the two matrices that they are.
                for projection in module.inner.weight.detach().chunk(2):
                    nn.init.xavier_normal_(projection)

    def forward(self, rows: Tensor) -> Tensor:
        """Compute hidden states `[batch, time, width]` of item rows `[batch, time]`.

        Padding is on the right, so causality alone keeps real positions from seeing it.
        """
        return self._encode(rows)

    def states_at(self, rows: Tensor, positions: Tensor) -> Tensor:
        return self._encode(rows, positions)[:, 0]

    def _encode(self, rows: Tensor, at: Tensor | None = None) -> Tensor:
        x = self.dropout(self.items(rows) + self.positions.weight[: rows.shape[1]])
        *first, last = self.blocks
        for block in first:
            x = block(x)
        return last(x, at)

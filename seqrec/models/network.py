"""What every network shares: an item table, a task, and hidden states as output."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.tasks import Task


class Network(nn.Module):
    """Base of the networks: maps item rows `[batch, time]` to hidden states `[batch, time, width]`.

    Scores are dot products of hidden states with `item_table`, so losses and evaluation never ask
    what is inside. Row 0 of the table is padding; `task.special_rows` rows precede the items.
    A subclass sets `task`, calls `super().__init__`, and defines `forward`.
    """

    task: Task

    def __init__(self, num_items: int, hidden_size: int) -> None:
        super().__init__()
        self.items = nn.Embedding(num_items + self.task.special_rows, hidden_size, padding_idx=0)

    @property
    def item_table(self) -> Tensor:
        """`[special rows + items, width]`."""
        return self.items.weight


class Attention(nn.Module):
    """Multi-head attention with one stacked input projection and a dropout on its weights.

    `queries` may differ from `context` (keys and values): SASRec normalises only the queries.
    """

    def __init__(self, hidden_size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.in_projection = nn.Linear(hidden_size, 3 * hidden_size)
        self.out_projection = nn.Linear(hidden_size, hidden_size)

    def forward(
        self, queries: Tensor, context: Tensor, causal: bool, real: Tensor | None = None
    ) -> Tensor:
        """`[batch, time, width]` from the same; `real` `[batch, time]` marks the usable keys."""
        batch, time, width = queries.shape
        weight_q, weight_kv = self.in_projection.weight.split([width, 2 * width])
        bias_q, bias_kv = self.in_projection.bias.split([width, 2 * width])
        keys, values = F.linear(context, weight_kv, bias_kv).chunk(2, dim=-1)

        def by_head(x: Tensor) -> Tensor:
            return x.view(batch, time, self.heads, width // self.heads).transpose(1, 2)

        attended = F.scaled_dot_product_attention(
            by_head(F.linear(queries, weight_q, bias_q)),
            by_head(keys),
            by_head(values),
            attn_mask=None if real is None else real[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=causal,
        )
        return self.out_projection(attended.transpose(1, 2).reshape(batch, time, width))


@torch.no_grad()
def initialise_normal(module: nn.Module, std: float = 0.02) -> None:
    """N(0, `std`) for linear and embedding weights, zero biases, a zero padding row."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            part.weight.normal_(0.0, std)
            part.bias.zero_()
        elif isinstance(part, nn.Embedding):
            part.weight.normal_(0.0, std)
            if part.padding_idx is not None:
                part.weight[part.padding_idx].zero_()

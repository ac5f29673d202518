"""HSTU: pointwise attention without a softmax (Zhai et al., ICML 2024, arXiv 2402.17152).

This is the network of that paper's experiments on public data: its layer in place of that of a
Transformer, items alone as input, and scores by cosine. The layer agrees with that of RecTools.
"""

import math
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.experiment.parameters import Divides, PositiveFloat, PositiveInt, Probability
from seqrec.models.layers import Dropout, initialise_xavier, read_at, up_to
from seqrec.models.network import Network
from seqrec.models.tasks import NextItem

EPSILON = 1e-6
BUCKETS = 129
"""Buckets of time differences; the last would hold differences above 5e16 seconds."""
BUCKET_WIDTH = 0.301
"""Width of a bucket, in the natural logarithm of seconds."""


class Layer(nn.Module):
    """Projection, attention and transformation (the paper's equations 1 to 3)."""

    def __init__(
        self, hidden_size: int, heads: int, max_length: int, dropout: float, timed: bool
    ) -> None:
        super().__init__()
        self.heads, self.max_length = heads, max_length
        self.norm = nn.LayerNorm(hidden_size, eps=EPSILON)
        # Gate and query, then value and key.
        self.in_projection = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.by_distance = nn.Parameter(torch.empty(max_length).normal_(0.0, 0.02))
        self.by_time = nn.Parameter(torch.empty(BUCKETS).normal_(0.0, 0.02)) if timed else None
        self.attended_norm = nn.LayerNorm(hidden_size, eps=EPSILON)
        self.out_projection = nn.Linear(hidden_size, hidden_size)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, buckets: Tensor | None = None, at: Tensor | None = None) -> Tensor:
        """Transform `[batch, time, width]`; with `at`, only that position of each sequence.

        `buckets` `[batch, time or 1, time]` are those of the time differences.
        """
        normed, time = self.norm(x), x.shape[1]
        queries = normed
        if at is not None:
            queries, x = read_at(normed, at), read_at(x, at)
        of_queries, of_context = self.in_projection.weight.chunk(2)
        gate, query = F.silu(F.linear(queries, of_queries)).chunk(2, dim=-1)
        value, key = F.silu(F.linear(normed, of_context)).chunk(2, dim=-1)
        scores = self._by_head(query) @ self._by_head(key).transpose(2, 3)
        weights = F.silu(scores + self._bias(time, buckets, at))
        weights = weights.tril() if at is None else weights * up_to(at, time)[:, None, None]
        attended = weights @ self._by_head(value / self.max_length)
        attended = self.attended_norm(attended.transpose(1, 2).flatten(2))
        return x + self.out_projection(self.dropout(gate * attended))

    def _by_head(self, x: Tensor) -> Tensor:
        """Split the width into heads: `[batch, heads, time, width / heads]`."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _bias(self, time: int, buckets: Tensor | None, at: Tensor | None) -> Tensor:
        """Return the bias of each score, `[batch or 1, 1, time or 1, time]`."""
        steps = torch.arange(time, device=self.by_distance.device)
        rows = steps[None, :, None] if at is None else at[:, None, None]
        bias = self.by_distance[(rows - steps).clamp_min(0)]
        if buckets is not None and self.by_time is not None:
            # Sums each row's gradients apart and then all rows', which takes many threads.
            table = self.by_time.expand(buckets.shape[:2].numel(), -1)
            bias = bias + table.gather(1, buckets.flatten(0, 1)).view(buckets.shape)
        return bias[:, None]


class HSTU(Network):
    """HSTU's encoder; scores are cosines of hidden states and items, divided by `temperature`.

    `time_bias` says which times its attention knows beside the distance in positions: `none`;
    `history`, from an item to the newest of those that are read; or `target`, from an item to the
    one that is to be predicted, as in the paper. With `target` it is told *when* the next
    interaction happens, which no other model here knows: compare it with care.
    """

    task = NextItem()

    def __init__(
        self,
        num_items: int,
        max_length: int,
        hidden_size: PositiveInt = 64,
        blocks: PositiveInt = 2,
        heads: Annotated[PositiveInt, Divides("hidden_size")] = 1,
        dropout: Probability = 0.2,
        time_bias: Literal["none", "history", "target"] = "none",
        temperature: PositiveFloat = 0.05,
    ) -> None:
        self.task = NextItem(None if time_bias == "none" else time_bias)
        super().__init__(num_items, hidden_size)
        self.temperature = temperature
        self.positions = nn.Embedding(max_length, hidden_size)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            Layer(hidden_size, heads, max_length, dropout, time_bias != "none")
            for _ in range(blocks)
        )
        initialise_xavier(self)

    @property
    def item_table(self) -> Tensor:
        """The items' vectors of length 1; that of padding begins as zero."""
        return F.normalize(self.items.weight, dim=1, eps=EPSILON)

    def forward(self, rows: Tensor, times: Tensor | None = None) -> Tensor:
        """Compute hidden states `[batch, time, width]` of item rows `[batch, time]`.

        `times` are those that the task asks for. Padding is on the right, so causality alone keeps
        real positions from seeing it.
        """
        return self._encode(rows, times)

    def states_at(self, rows: Tensor, positions: Tensor, times: Tensor | None = None) -> Tensor:
        return self._encode(rows, times, positions)[:, 0]

    def _encode(self, rows: Tensor, times: Tensor | None, at: Tensor | None = None) -> Tensor:
        x = self.items(rows) * math.sqrt(self.items.embedding_dim)
        x = self.dropout(x + self.positions.weight[: rows.shape[1]])
        if (times is None) != (self.task.times is None):
            raise ValueError("times are needed with a time bias, and with no other")
        buckets = None if times is None else time_buckets(times, rows.shape[1])
        *first, last = self.blocks
        for block in first:
            x = block(x, buckets)
        if buckets is not None and at is not None:
            buckets = read_at(buckets, at)
        return F.normalize(last(x, buckets, at), dim=-1, eps=EPSILON) / self.temperature


def time_buckets(times: Tensor, time: int) -> Tensor:
    """Return the bucket of each pair's time difference, `[batch, time, time]`.

    `times` `[batch, time]` are the items'; with one more, a row's time is that of the item that
    follows.
    """
    of_rows, of_items = times[:, -time:], times[:, :time]
    differences = (of_rows[:, :, None] - of_items[:, None]).abs_().float()
    return differences.clamp_min_(1.0).log_().div_(BUCKET_WIDTH).clamp_max_(BUCKETS - 1).long()

"""Layers that networks are built from, and the initialisation that most networks use."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Dropout(nn.Module):
    """Zeroes elements with a probability in training, and scales up the others.

    On a CPU one 64-bit draw serves four elements: torch's own dropout spends more time on drawing
    than the products around it take. There, probabilities are rounded to 1/65536.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`, of any shape, with elements dropped."""
        if not self.training or self.probability == 0.0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.probability)
        draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), 2**63 - 1)
        dropped = min(round(self.probability * 65536), 65535)
        scale = torch.empty_like(x, memory_format=torch.contiguous_format)
        torch.ge(draws.view(torch.int16)[: x.numel()].view(x.shape), dropped - 32768, out=scale)
        return x * scale.mul_(65536 / (65536 - dropped))


class Attention(nn.Module):
    """Multi-head attention with one stacked input projection and dropout on its weights.

    `queries` may differ from `context` (keys and values): SASRec normalises only the queries.
    """

    def __init__(self, hidden_size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = Dropout(dropout)
        self.in_projection = nn.Linear(hidden_size, 3 * hidden_size)
        self.out_projection = nn.Linear(hidden_size, hidden_size)

    def forward(self, queries: Tensor, context: Tensor, usable: Tensor | None = None) -> Tensor:
        """Attend from `queries` to `context`, both `[batch, ..., width]`; shaped like the queries.

        `usable` `[batch, time]` marks the positions of `context` that may be seen. Without it
        attention is causal: there are as many queries as positions, and each sees those up to its
        own.
        """
        if usable is not None and queries.shape[1] == 1 and not self.training:
            return self._of_one_query(queries, context, usable)
        width = queries.shape[-1]
        weight_q, weight_kv = self.in_projection.weight.split([width, 2 * width])
        bias_q, bias_kv = self.in_projection.bias.split([width, 2 * width])
        keys, values = F.linear(context, weight_kv, bias_kv).chunk(2, dim=-1)
        attended = self._attend(
            self._by_head(F.linear(queries, weight_q, bias_q)),
            self._by_head(keys),
            self._by_head(values),
            usable,
        )
        return self.out_projection(attended.transpose(1, 2).reshape(queries.shape))

    def _of_one_query(self, query: Tensor, context: Tensor, usable: Tensor) -> Tensor:
        """Compute `forward` without dropout, and without keys and values for every position.

        With a projection K and bias k, a score q . (K c + k) is (K' q) . c plus a term that is the
        same for every c, which a softmax cancels. The weights a add up to one, so the sum of
        a (V c + v) is V (sum of a c) + v.
        """
        project_q, project_k, project_v = self.in_projection.weight.chunk(3)
        bias_q, _, bias_v = self.in_projection.bias.chunk(3)
        project_k, project_v = (x.unflatten(0, (self.heads, -1)) for x in (project_k, project_v))
        asked = F.linear(query[:, 0], project_q, bias_q).unflatten(1, (self.heads, -1))
        # b: batch, h: heads, d: width of a head, w: width
        asked = torch.einsum("bhd,hdw->bhw", asked, project_k)[:, None]
        seen, scale = context[:, None], project_k.shape[1] ** -0.5
        mask = usable[:, None, None, :]
        mixed = F.scaled_dot_product_attention(asked, seen, seen, mask, scale=scale)[:, 0]
        attended = torch.einsum("bhw,hdw->bhd", mixed, project_v).flatten(1) + bias_v
        return self.out_projection(attended)[:, None]

    def _by_head(self, x: Tensor) -> Tensor:
        """Split the width into heads: `[batch, heads, time, width / heads]`."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, usable: Tensor | None
    ) -> Tensor:
        """Attend in each head. On a CPU torch's own function has no dropout, so there it is used
        for evaluation alone."""
        if queries.device.type != "cpu" or not self.training:
            return F.scaled_dot_product_attention(
                queries,
                keys,
                values,
                None if usable is None else usable[:, None, None, :],
                dropout_p=self.dropout.probability if self.training else 0.0,
                is_causal=usable is None,
            )
        shape = queries.shape
        queries, keys, values = (x.flatten(0, 1) for x in (queries, keys, values))
        if usable is None:
            mask = queries.new_full((shape[2], shape[2]), -torch.inf).triu_(1)
        else:
            mask = torch.zeros_like(usable, dtype=queries.dtype).masked_fill_(~usable, -torch.inf)
            mask = mask.repeat_interleave(self.heads, 0)[:, None]
        scores = torch.baddbmm(mask, queries, keys.transpose(1, 2), alpha=shape[3] ** -0.5)
        return (self.dropout(torch.softmax(scores, -1)) @ values).view(shape)


def up_to(positions: Tensor, time: int) -> Tensor:
    """Mark the positions up to the given ones, `[batch, time]`."""
    return torch.arange(time, device=positions.device) <= positions[:, None]


def read_at(x: Tensor, positions: Tensor) -> Tensor:
    """Pick one position of each sequence: `[batch, 1, width]` of `[batch, time, width]`."""
    return x[torch.arange(len(x), device=x.device), positions].unsqueeze(1)


@torch.no_grad()
def initialise_normal(module: nn.Module, std: float = 0.02) -> None:
    """Draw linear and embedding weights from N(0, `std`); zero biases and padding rows."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            part.weight.normal_(0.0, std)
            part.bias.zero_()
        elif isinstance(part, nn.Embedding):
            part.weight.normal_(0.0, std)
            if part.padding_idx is not None:
                part.weight[part.padding_idx].zero_()


@torch.no_grad()
def initialise_xavier(module: nn.Module) -> None:
    """Draw each matrix from Xavier's normal distribution; zero biases and padding rows.

    RecTools begins its LiGR and HSTU layers so. Projections that are stacked count as one matrix.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.xavier_normal_(part.weight)
        if isinstance(part, nn.Linear) and part.bias is not None:
            part.bias.zero_()
        if isinstance(part, nn.Embedding) and part.padding_idx is not None:
            part.weight[part.padding_idx].zero_()

"""The baseline of the benchmark: the paper's models as a textbook writes them.

Nothing here is meant to be slow. It is what most published implementations do: batches padded to
their longest sequence, PyTorch's own attention, logits of every position against every item in
one tensor, losses by autograd, negatives drawn by a loop over users, and evaluation that sorts all
items for each user. The mathematics is that of the paper's code, so a step here and a step of the
package compute the same thing.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.protocol.splits import Split

if TYPE_CHECKING:
    from seqrec.experiment.schema import RunConfig


class Network(nn.Module):
    special_rows = 1
    items: nn.Embedding

    @property
    def item_table(self) -> Tensor:
        return self.items.weight


class SASRec(Network):
    def __init__(self, num_items: int, config: "RunConfig") -> None:
        super().__init__()
        values = config.hyperparameters
        width = values["hidden_size"]
        self.items = nn.Embedding(num_items + 1, width, padding_idx=0)
        self.positions = nn.Embedding(config.max_length, width)
        self.dropout = nn.Dropout(values["dropout"])
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "attention_norm": nn.LayerNorm(width),
                    "attention": nn.MultiheadAttention(
                        width, values["heads"], values["dropout"], batch_first=True
                    ),
                    "feedforward_norm": nn.LayerNorm(width),
                    "feedforward": nn.Sequential(
                        nn.Linear(width, width),
                        nn.Dropout(values["dropout"]),
                        nn.ReLU(),
                        nn.Linear(width, width),
                        nn.Dropout(values["dropout"]),
                    ),
                }
            )
            for _ in range(values["blocks"])
        )
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.items.weight, std=0.02)

    def forward(self, rows: Tensor) -> Tensor:
        real = (rows > 0).unsqueeze(-1)
        time = rows.shape[1]
        future = torch.ones(time, time, dtype=torch.bool, device=rows.device).triu(1)
        x = self.items(rows) * math.sqrt(self.items.embedding_dim)
        x = self.dropout(x + self.positions(torch.arange(time, device=rows.device))) * real
        for block in self.blocks:
            queries = block["attention_norm"](x)
            attended, _ = block["attention"](queries, x, x, attn_mask=future)
            x = block["feedforward_norm"](queries + attended)
            x = (x + block["feedforward"](x)) * real
        return self.norm(x)


class BERT4Rec(Network):
    special_rows = 2

    def __init__(self, num_items: int, config: "RunConfig") -> None:
        super().__init__()
        values = config.hyperparameters
        width = values["hidden_size"]
        self.items = nn.Embedding(num_items + 2, width, padding_idx=0)
        self.positions = nn.Embedding(config.max_length, width)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(values["dropout"])
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width,
                values["heads"],
                values["intermediate_size"],
                values["dropout"],
                activation="gelu",
                batch_first=True,
            )
            for _ in range(values["layers"])
        )
        nn.init.normal_(self.items.weight, std=0.02)

    def forward(self, rows: Tensor) -> Tensor:
        x = self.items(rows) + self.positions(torch.arange(rows.shape[1], device=rows.device))
        x = self.dropout(self.norm(x))
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=rows == 0)
        return x


class GRU4Rec(Network):
    def __init__(self, num_items: int, config: "RunConfig") -> None:
        super().__init__()
        values = config.hyperparameters
        width = values["hidden_size"]
        self.items = nn.Embedding(num_items + 1, width, padding_idx=0)
        self.rnn = nn.GRU(width, width, values["layers"], batch_first=True)
        nn.init.normal_(self.items.weight, std=0.02)

    def forward(self, rows: Tensor) -> Tensor:
        return self.rnn(self.items(rows))[0]


class LiGR(Network):
    def __init__(self, num_items: int, config: "RunConfig") -> None:
        super().__init__()
        values = config.hyperparameters
        width, dropout = values["hidden_size"], values["dropout"]
        self.items = nn.Embedding(num_items + 1, width, padding_idx=0)
        self.positions = nn.Embedding(config.max_length, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "attention_norm": nn.LayerNorm(width),
                    "attention": nn.MultiheadAttention(
                        width, values["heads"], dropout, batch_first=True
                    ),
                    "attention_gate": nn.Linear(width, width),
                    "feedforward_norm": nn.LayerNorm(width),
                    "gate": nn.Linear(width, values["expansion"] * width, bias=False),
                    "inner": nn.Linear(width, values["expansion"] * width, bias=False),
                    "outer": nn.Linear(values["expansion"] * width, width, bias=False),
                    "feedforward_gate": nn.Linear(width, width),
                }
            )
            for _ in range(values["blocks"])
        )
        nn.init.normal_(self.items.weight, std=0.02)

    def forward(self, rows: Tensor) -> Tensor:
        time = rows.shape[1]
        future = torch.ones(time, time, dtype=torch.bool, device=rows.device).triu(1)
        x = self.items(rows) + self.positions(torch.arange(time, device=rows.device))
        x = self.dropout(x)
        for block in self.blocks:
            normed = block["attention_norm"](x)
            attended, _ = block["attention"](
                normed, normed, normed, attn_mask=future, need_weights=False
            )
            x = x + torch.sigmoid(block["attention_gate"](x)) * self.dropout(attended)
            normed = block["feedforward_norm"](x)
            inner = self.dropout(F.silu(block["gate"](normed)) * block["inner"](normed))
            outer = self.dropout(block["outer"](inner))
            x = x + torch.sigmoid(block["feedforward_gate"](x)) * outer
        return x


class HSTU(Network):
    def __init__(self, num_items: int, config: "RunConfig") -> None:
        super().__init__()
        values = config.hyperparameters
        width = values["hidden_size"]
        self.heads, self.max_length = values["heads"], config.max_length
        self.temperature = values["temperature"]
        self.items = nn.Embedding(num_items + 1, width, padding_idx=0)
        self.positions = nn.Embedding(config.max_length, width)
        self.dropout = nn.Dropout(values["dropout"])
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm": nn.LayerNorm(width, eps=1e-6),
                    "project": nn.Linear(width, 4 * width, bias=False),
                    "by_distance": nn.Embedding(config.max_length, 1),
                    "attended_norm": nn.LayerNorm(width, eps=1e-6),
                    "out": nn.Linear(width, width),
                }
            )
            for _ in range(values["blocks"])
        )
        nn.init.normal_(self.items.weight, std=0.02)

    def forward(self, rows: Tensor) -> Tensor:
        steps = torch.arange(rows.shape[1], device=rows.device)
        past = (steps[:, None] >= steps).float()
        distances = (steps[:, None] - steps).clamp_min(0)
        x = self.items(rows) * math.sqrt(self.items.embedding_dim)
        x = self.dropout(x + self.positions(steps))
        for block in self.blocks:
            u, q, v, k = F.silu(block["project"](block["norm"](x))).chunk(4, -1)
            v, q, k = (part.unflatten(-1, (self.heads, -1)) for part in (v, q, k))
            scores = torch.einsum("bnhd,bmhd->bhnm", q, k) + block["by_distance"](distances)[..., 0]
            weights = F.silu(scores) / self.max_length * past
            attended = torch.einsum("bhnm,bmhd->bnhd", weights, v).flatten(2)
            x = x + block["out"](self.dropout(u * block["attended_norm"](attended)))
        return F.normalize(x, dim=-1) / self.temperature

    @property
    def item_table(self) -> Tensor:
        return F.normalize(self.items.weight, dim=-1)


MODELS = {"sasrec": SASRec, "bert4rec": BERT4Rec, "gru4rec": GRU4Rec, "ligr": LiGR, "hstu": HSTU}


class Baseline:
    """One of the paper's models with its training step and its evaluation."""

    def __init__(self, split: Split, config: "RunConfig", device: torch.device) -> None:
        self.config, self.split, self.device = config, split, device
        self.network = MODELS[config.implementation](split.num_items, config).to(device)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=1e-3)
        self.rng = np.random.default_rng(config.seed)
        self.pool = np.unique(
            np.concatenate([split.history(user) for user in range(split.num_users)])
        )

    def step(self, users: np.ndarray) -> float:
        """Train on the given users; returns the loss."""
        causal = self.network.special_rows == 1
        window = self.config.max_length + causal
        histories = [self.split.history(user)[-window:] for user in users]
        loss = self.config.loss
        if not causal:
            inputs, labels = zip(*(self._masked(history) for history in histories), strict=True)
        else:
            inputs, labels = zip(*((h[:-1], h[1:]) for h in histories), strict=True)
        rows, targets = self._padded(inputs, 0), self._padded(labels, -100)
        self.network.train()
        self.optimiser.zero_grad()
        hidden = self.network(rows)
        table = self.network.item_table
        if loss.kind == "cross-entropy":
            logits = hidden @ table.T
            value = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)
        else:
            value = self._sampled(hidden, targets, histories, table)
        value.backward()
        self.optimiser.step()
        return value.item()

    def _sampled(
        self, hidden: Tensor, targets: Tensor, histories: list[np.ndarray], table: Tensor
    ) -> Tensor:
        loss = self.config.loss
        positives = table[targets.clamp_min(0)]
        allowed = [self.pool[~np.isin(self.pool, history)] for history in histories]
        if loss.sharing == "sequence":
            drawn = [self.rng.choice(items, loss.negatives, replace=False) for items in allowed]
            negatives = table[torch.from_numpy(np.stack(drawn)).long().to(self.device)]
            negative_logits = hidden @ negatives.transpose(1, 2)
        else:
            drawn = [
                self.rng.choice(items, (len(history) - 1, loss.negatives))
                for items, history in zip(allowed, histories, strict=True)
            ]
            negatives = table[self._padded(drawn, 0)]
            negative_logits = (hidden.unsqueeze(2) * negatives).sum(-1)
        logits = torch.cat([(hidden * positives).sum(-1, keepdim=True), negative_logits], -1)
        logits = logits[targets >= 0]
        if loss.kind == "binary-cross-entropy":
            truth = torch.zeros_like(logits)
            truth[:, 0] = 1.0
            return F.binary_cross_entropy_with_logits(logits, truth)
        return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long).to(logits.device))

    def _masked(self, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probability = self.config.hyperparameters["mask_probability"]
        masked = self.rng.random(len(history)) < probability
        rows = history + 1
        return np.where(masked, 1, rows), np.where(masked, rows, -100)

    def _padded(self, arrays: list[np.ndarray], value: int) -> Tensor:
        tensors = [torch.from_numpy(np.asarray(array, np.int64)) for array in arrays]
        return nn.utils.rnn.pad_sequence(tensors, True, value).to(self.device)

    @torch.no_grad()
    def evaluate(self, split: Split, users: np.ndarray) -> float:
        """NDCG@10 of the users' targets: all items sorted, then one user after another."""
        self.network.eval()
        causal = self.network.special_rows == 1
        gains: list[float] = []
        for first in range(0, len(users), self.config.evaluation.batch_size):
            batch = users[first : first + self.config.evaluation.batch_size]
            window = self.config.max_length - (not causal)
            histories = [split.history(user)[-window:] for user in batch]
            if causal:
                rows = self._padded(histories, 0)
            else:
                rows = self._padded([np.append(history + 1, 1) for history in histories], 0)
            logits = self.network(rows) @ self.network.item_table.T
            last = torch.tensor([len(history) - causal for history in histories])
            scores = logits[torch.arange(len(batch)), last]
            scores[:, : self.network.special_rows] = -torch.inf
            best_first = scores.sort(descending=True).indices - (self.network.special_rows - 1)
            for row, user in zip(best_first.cpu(), batch, strict=True):
                history = torch.from_numpy(split.history(user).astype(np.int64))
                row = row[: 10 + len(history)]
                top = row[~torch.isin(row, history)][:10]
                target = int(split.targets(np.array([user]))[0])
                found = (top == target).nonzero()
                gains.append(1.0 / math.log2(int(found[0]) + 2) if len(found) else 0.0)
        return float(np.mean(gains))

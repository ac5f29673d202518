"""Networks of the paper's own implementation: what they computed, and how far ours are from it.

Reads `tests/golden/`, or the folder named by SEQREC_GOLDEN; heads (1 there) by
SEQREC_GOLDEN_HEADS, for example `sasrec=2,bert4rec=2`. Every other size comes from the arrays.
"""

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seqrec.models import Network
from seqrec.models.bert4rec import BERT4Rec
from seqrec.models.gpt4rec import GPT4Rec
from seqrec.models.gru4rec import GRU4Rec
from seqrec.models.sasrec import SASRec
from seqrec.protocol.ranking import rank_targets
from seqrec.training import losses

FOLDER = Path(os.environ.get("SEQREC_GOLDEN") or Path(__file__).parent / "golden")
HEADS = dict(
    pair.split("=") for pair in os.environ.get("SEQREC_GOLDEN_HEADS", "").split(",") if pair
)
STEPS = ("sasrec_ce", "sasrec_ce_sampled", "sasrec_bce", "gru4rec_ce", "gpt4rec_ce", "bert4rec_ce")
"""Files of a training step."""
CPU = torch.device("cpu")


class Golden:
    """One file of golden arrays, with the reference's parameter names turned into ours."""

    def __init__(self, file: str, device: torch.device = CPU) -> None:
        self.arrays, self.device = np.load(FOLDER / f"{file}.npz"), device
        self.family = file.split("_")[0]
        self.network = BUILDERS[self.family](self, int(HEADS.get(self.family, 1)))
        self.network.load_state_dict(self.as_ours("param"))
        self.network.to(device).eval()

    def __getitem__(self, key: str) -> Tensor:
        return torch.from_numpy(self.arrays[key]).to(self.device)

    def depth(self, pattern: str) -> int:
        names = self.arrays.files
        return next(i for i in range(100) if f"param.{pattern.format(i)}" not in names)

    def as_ours(self, kind: str) -> dict[str, Tensor]:
        """Parameters (`param`) or gradients (`grad`) under our names; absent ones left out."""
        theirs = {
            name.removeprefix(f"{kind}."): self[name]
            for name in self.arrays.files
            if name.startswith(f"{kind}.")
        }
        return RENAMERS[self.family](theirs)


def build_sasrec(golden: Golden, heads: int) -> Network:
    rows, width = golden["param.item_emb.weight"].shape
    return SASRec(
        rows - 1,
        len(golden["param.pos_emb.weight"]),
        hidden_size=width,
        blocks=golden.depth("attention_layernorms.{}.weight"),
        heads=heads,
    )


def build_gru4rec(golden: Golden, heads: int) -> Network:
    rows, width = golden["param.embed_layer.weight"].shape
    layers = golden.depth("rnn.weight_ih_l{}")
    return GRU4Rec(rows - 1, golden["batch.input_ids"].shape[1], hidden_size=width, layers=layers)


def build_gpt4rec(golden: Golden, heads: int) -> Network:
    rows, width = golden["param.embed_layer.weight"].shape
    return GPT4Rec(
        rows - 1,
        len(golden["param.transformer_model.wpe.weight"]),
        hidden_size=width,
        layers=golden.depth("transformer_model.h.{}.ln_1.weight"),
        heads=heads,
    )


def build_bert4rec(golden: Golden, heads: int) -> Network:
    rows, width = golden["param.embed_layer.weight"].shape
    layer = "transformer_model.encoder.layer.{}.intermediate.dense.weight"
    return BERT4Rec(
        rows - 2,
        len(golden["param.transformer_model.embeddings.position_embeddings.weight"]),
        hidden_size=width,
        layers=golden.depth(layer),
        heads=heads,
        intermediate_size=len(golden[f"param.{layer.format(0)}"]),
    )


def renamed(theirs: dict[str, Tensor], replacements: list[tuple[str, str]]) -> dict[str, Tensor]:
    ours = {}
    for name, tensor in theirs.items():
        for old, new in replacements:
            name = name.replace(old, new)
        ours[name] = tensor
    return ours


def rename_sasrec(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    out = {}
    for name, tensor in theirs.items():
        parts = name.split(".")
        if parts[0] in ("attention_layernorms", "attention_layers"):
            part = "attention_norm" if parts[0] == "attention_layernorms" else "attention"
            name = ".".join(["blocks", parts[1], part, *parts[2:]])
        elif parts[0] == "forward_layernorms":
            name = ".".join(["blocks", parts[1], "feedforward_norm", *parts[2:]])
        elif parts[0] == "forward_layers":
            tensor = tensor.squeeze(-1)
            name = ".".join(["blocks", *parts[1:]])
        out[name] = tensor
    return renamed(
        out,
        [
            ("item_emb", "items"),
            ("pos_emb", "positions"),
            ("last_layernorm", "norm"),
            ("in_proj_", "in_projection."),
            ("out_proj", "out_projection"),
            ("conv1", "inner"),
            ("conv2", "outer"),
        ],
    )


def rename_gru4rec(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    kept = {name: tensor for name, tensor in theirs.items() if not name.startswith("head.")}
    return renamed(kept, [("embed_layer", "items")])


def rename_gpt4rec(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    kept = {
        # Hugging Face's Conv1D stores its weights [in, out].
        name: tensor.T if ".c_" in name and name.endswith("weight") else tensor
        for name, tensor in theirs.items()
        if not name.startswith("head.") and ".wte." not in name
    }
    return renamed(
        kept,
        [
            ("transformer_model.", ""),
            ("embed_layer", "items"),
            ("wpe", "positions"),
            ("h.", "layers."),
            ("ln_1", "attention_norm"),
            ("ln_2", "feedforward_norm"),
            ("ln_f", "norm"),
            ("attn.c_attn", "attention.in_projection"),
            ("attn.c_proj", "attention.out_projection"),
            ("mlp.c_fc", "inner"),
            ("mlp.c_proj", "outer"),
        ],
    )


def rename_bert4rec(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    kept = {}
    for name, tensor in theirs.items():
        if name.startswith("head.") or ".pooler." in name or ".word_embeddings." in name:
            continue
        if ".self.query." in name:
            parts = [name.replace("query", part) for part in ("query", "key", "value")]
            name = name.replace("self.query", "in_projection")
            tensor = torch.cat([theirs[part] for part in parts])
        elif ".self." in name:
            continue
        elif ".token_type_embeddings." in name:
            tensor = tensor[:1]  # every position belongs to the first segment
        kept[name] = tensor
    return renamed(
        kept,
        [
            ("transformer_model.embeddings.position_embeddings", "positions"),
            ("transformer_model.embeddings.token_type_embeddings", "segments"),
            ("transformer_model.embeddings.LayerNorm", "norm"),
            ("transformer_model.encoder.layer", "layers"),
            ("embed_layer", "items"),
            ("attention.output.LayerNorm", "attention_norm"),
            ("attention.output.dense", "attention.out_projection"),
            ("intermediate.dense", "inner"),
            ("output.LayerNorm", "feedforward_norm"),
            ("output.dense", "outer"),
        ],
    )


BUILDERS = {
    "sasrec": build_sasrec,
    "gru4rec": build_gru4rec,
    "gpt4rec": build_gpt4rec,
    "bert4rec": build_bert4rec,
}
RENAMERS = {
    "sasrec": rename_sasrec,
    "gru4rec": rename_gru4rec,
    "gpt4rec": rename_gpt4rec,
    "bert4rec": rename_bert4rec,
}


def relative_difference(ours: Tensor, theirs: Tensor) -> float:
    scale = theirs.abs().max().clamp_min(1e-12)
    return float((ours.double() - theirs.double()).abs().max() / scale)


def gradient_differences(ours: dict[str, Tensor | None], theirs: dict[str, Tensor]) -> float:
    """The largest relative difference of a gradient, scaled so that 1e-4 is what may be.

    Where a gradient is zero in exact arithmetic, as that of a key's bias, ours may be a hundred
    thousandth of the largest.
    """
    largest = max(float(gradient.abs().max()) for gradient in theirs.values())
    worst = 0.0
    for name, gradient in theirs.items():
        own = ours[name]
        if own is None:
            raise AssertionError(f"{name} has no gradient")
        if gradient.abs().max() < 1e-6 * largest:
            worst = max(worst, 10 * float(own.abs().max()) / largest)
        else:
            worst = max(worst, relative_difference(own, gradient))
    return worst


def step_differences(
    file: str, logits_per_chunk: int = losses.LOGITS_PER_CHUNK, device: torch.device = CPU
) -> tuple[float, float]:
    """Relative differences of the loss and of the gradients of one training step."""
    golden = Golden(file, device)
    labels = golden["batch.labels"]
    hidden = golden.network(golden["batch.input_ids"])
    labelled = labels != -100
    arguments = (hidden[labelled], labels[labelled], golden.network.item_table)
    if file == "sasrec_ce_sampled":
        loss = losses.sampled_cross_entropy(
            *arguments, golden["batch.negatives"], labelled.sum(1).tolist(), logits_per_chunk
        )
    elif file == "sasrec_bce":
        negatives = golden["batch.negatives"][labelled]
        each = [1] * len(negatives)
        loss = losses.binary_cross_entropy(*arguments, negatives, each, logits_per_chunk)
    else:
        loss = losses.cross_entropy(*arguments, logits_per_chunk)
    loss.backward()
    ours = {name: weight.grad for name, weight in golden.network.named_parameters()}
    gradients = golden.as_ours("grad")
    return (
        relative_difference(loss.detach(), golden["loss"]),
        gradient_differences(ours, gradients),
    )


def prediction(family: str, device: torch.device = CPU) -> tuple[float, bool]:
    """Relative difference of the logits of every position, and whether all ranks are the same."""
    golden = Golden(f"{family}_predict", device)
    rows = golden["batch.input_ids"]
    real = rows > 0
    with torch.no_grad():
        logits = golden.network(rows) @ golden.network.item_table.T
    scores = logits[torch.arange(len(rows)), real.sum(1) - 1]
    difference = relative_difference(logits[real], golden["logits"][real])
    return difference, _has_the_ranks(golden, scores)


def shortcut(family: str, device: torch.device = CPU) -> tuple[float, bool]:
    """The same of the last position, as evaluation computes it alone."""
    golden = Golden(f"{family}_predict", device)
    network, rows = golden.network, golden["batch.input_ids"]
    last = (rows > 0).sum(1) - 1
    with torch.no_grad():
        scores = network.states_at(rows, last) @ network.item_table.T
    theirs = golden["logits"][torch.arange(len(rows)), last]
    return relative_difference(scores, theirs), _has_the_ranks(golden, scores)


def _has_the_ranks(golden: Golden, scores: Tensor) -> bool:
    history = golden["batch.full_history"]
    user, _ = torch.nonzero(history, as_tuple=True)
    special = golden.network.task.special_rows
    seen = history[history > 0] - special
    ranks = rank_targets(scores[:, special:], golden["batch.target"] - special, user, seen)
    return ranks.tolist() == golden["rank"].tolist()

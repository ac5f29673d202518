"""Layers of LiGR and HSTU as RecTools computes them, and how far ours are from that.

Reads `tests/golden_layers/`, or the folder named by SEQREC_GOLDEN_LAYERS; every size comes from the
arrays.
"""

import os
from pathlib import Path

import numpy as np
import torch
from golden_networks import CPU, gradient_differences, relative_difference
from torch import Tensor, nn

from seqrec.models import hstu, ligr
from seqrec.models.layers import read_at

FOLDER = Path(os.environ.get("SEQREC_GOLDEN_LAYERS") or Path(__file__).parent / "golden_layers")
LIGR = ("ligr_swiglu", "ligr_gelu")
STU = ("stu_none", "stu_pos", "stu_time", "stu_pos_time")


class Golden:
    """One file of golden arrays."""

    def __init__(self, file: str, device: torch.device = CPU) -> None:
        self.arrays, self.device = np.load(FOLDER / f"{file}.npz"), device
        self.heads = int(self.arrays["heads"])
        self.width = self.arrays["x"].shape[-1]

    def __getitem__(self, key: str) -> Tensor:
        return torch.from_numpy(self.arrays[key]).to(self.device)

    def __contains__(self, key: str) -> bool:
        return key in self.arrays.files


def ligr_tensors(golden: Golden, kind: str) -> dict[str, Tensor]:
    """Parameters (`param`) or their gradients (`grad`) of a block by our names."""

    def of(*names: str) -> Tensor:
        return torch.cat([golden[f"{kind}.{name}"] for name in names])

    found = {
        "attention.in_projection.weight": of("multi_head_attn.in_proj_weight"),
        "attention.in_projection.bias": of("multi_head_attn.in_proj_bias"),
    }
    for ours, theirs in (
        ("attention.out_projection", "multi_head_attn.out_proj"),
        ("attention_norm", "layer_norm_1"),
        ("feedforward_norm", "layer_norm_2"),
        ("attention_gate", "gating_linear_1"),
        ("feedforward_gate", "gating_linear_2"),
    ):
        found |= {f"{ours}.{part}": of(f"{theirs}.{part}") for part in ("weight", "bias")}
    inner, outer = "feed_forward.ff_linear_1", "feed_forward.ff_linear_2"
    gated = f"{kind}.feed_forward.ff_linear_3.weight" in golden
    both = [f"{inner}.weight", *(["feed_forward.ff_linear_3.weight"] if gated else [])]
    found |= {
        "feedforward.inner.weight": of(*both),
        "feedforward.outer.weight": of(f"{outer}.weight"),
    }
    if not gated:
        found |= {"feedforward.inner.bias": of(f"{inner}.bias")}
        found |= {"feedforward.outer.bias": of(f"{outer}.bias")}
    return found


def stu_tensors(golden: Golden, kind: str) -> dict[str, Tensor]:
    """Parameters or their gradients of a layer by our names, those of biases where there are."""
    gate, value, query, key = golden[f"{kind}.uvqk_proj"].T.chunk(4)
    found = {"in_projection.weight": torch.cat([gate, query, value, key])}
    for ours, theirs in (
        ("norm", "norm_input"),
        ("attended_norm", "norm_attn_output"),
        ("out_projection", "output_mlp"),
    ):
        found |= {
            f"{ours}.{part}": golden[f"{kind}.{theirs}.{part}"] for part in ("weight", "bias")
        }
    if f"{kind}.rel_attn.pos_weights" in golden:
        # Theirs are by the difference of positions, of which a causal layer never uses the later.
        differences = golden[f"{kind}.rel_attn.pos_weights"]
        found["by_distance"] = differences[: int(golden["max_length"])].flip(0)
    if f"{kind}.rel_attn.time_weights" in golden:
        found["by_time"] = golden[f"{kind}.rel_attn.time_weights"]
    return found


def build_ligr(golden: Golden) -> nn.Module:
    gated = "param.feed_forward.ff_linear_3.weight" in golden
    expansion = len(golden["param.feed_forward.ff_linear_1.weight"]) // golden.width
    block = ligr.Block(golden.width, golden.heads, 0.1, expansion, "swiglu" if gated else "gelu")
    block.load_state_dict(ligr_tensors(golden, "param"))
    return block.to(golden.device).eval()


def build_stu(golden: Golden) -> nn.Module:
    timed = "param.rel_attn.time_weights" in golden
    layer = hstu.Layer(golden.width, golden.heads, int(golden["max_length"]), 0.1, timed)
    nn.init.zeros_(layer.by_distance)
    layer.load_state_dict(stu_tensors(golden, "param"), strict=False)
    return layer.to(golden.device).eval()


def outputs(golden: Golden, layer: nn.Module, x: Tensor, at: Tensor | None = None) -> Tensor:
    """Ours, in which only HSTU knows times."""
    if not isinstance(layer, hstu.Layer):
        return layer(x, at)
    buckets = None
    if layer.by_time is not None:
        buckets = hstu.time_buckets(golden["timestamps"], x.shape[1])
        buckets = buckets if at is None else read_at(buckets, at)
    return layer(x, buckets, at)


def built(file: str, device: torch.device) -> tuple[Golden, nn.Module, dict[str, Tensor]]:
    golden = Golden(file, device)
    if file in LIGR:
        return golden, build_ligr(golden), ligr_tensors(golden, "grad")
    return golden, build_stu(golden), stu_tensors(golden, "grad")


def layer_differences(file: str, device: torch.device = CPU) -> tuple[float, float]:
    """Relative differences of a layer's outputs and of its gradients."""
    golden, layer, gradients = built(file, device)
    x = golden["x"].requires_grad_()
    y = outputs(golden, layer, x)
    (y * golden["cotangent"]).sum().backward()
    ours = {name: parameter.grad for name, parameter in layer.named_parameters()}
    ours["x"], gradients["x"] = x.grad, golden["grad.x"]
    return relative_difference(y.detach(), golden["y"]), gradient_differences(ours, gradients)


def shortcut_difference(file: str, device: torch.device = CPU) -> float:
    """The largest relative difference where a layer computes one position alone."""
    golden, layer, _ = built(file, device)
    x, theirs = golden["x"], golden["y"]
    worst = 0.0
    with torch.no_grad():
        for position in range(x.shape[1]):
            at = torch.full((len(x),), position, device=device)
            ours = outputs(golden, layer, x, at)
            worst = max(worst, relative_difference(ours[:, 0], theirs[:, position]))
    return worst

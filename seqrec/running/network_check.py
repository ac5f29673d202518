"""Try a custom network on a few made-up sequences before it is trained.

A network that sees the items that it is to predict, or whose states depend on what else is in the
batch, trains without complaint and ends with numbers that look good and are wrong.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from seqrec.experiment.custom import custom_code, refusal
from seqrec.experiment.schema import RunConfig
from seqrec.models.network import Network
from seqrec.models.tasks import NextItem

LONGEST = 256
"""Items of the longest sequence that a network is tried on."""


TOLERANCE = 1e-3
"""Relative to the largest hidden state. Rounding, which differs with the shape of a batch, stays
far below; what an item does to another's state is far above."""


def check_network(network: Network, config: RunConfig, num_items: int) -> None:
    """Try a new network on made-up sequences, each alone and in a padded batch.

    Raises a `SeqrecError` that says what is not as `Network` asks for. Leaves the network with
    other weights, and draws from torch's random stream.
    """
    with custom_code(config.implementation, "on a small batch", all_of_it=True):
        found = _broken(network, config.max_length, num_items)
    if found:
        raise refusal(config, found)


def _broken(network: Network, max_length: int, num_items: int) -> str | None:
    """The first thing that `network` does not keep to, and what to do about it."""
    task, table = network.task, network.item_table
    device = table.device
    rows = task.special_rows + num_items
    if table.dim() != 2 or len(table) != rows:
        return (
            f"item_table is of shape {list(table.shape)}, and must be [{rows}, width]: "
            f"{task.special_rows} special rows and one for each of {num_items} items."
        )
    window = min(task.prediction_window(max_length), LONGEST)
    lengths = torch.tensor([window, (window + 1) // 2, 1])
    histories = torch.randint(1, num_items + 1, (3, window)) * (
        torch.arange(window) < lengths[:, None]
    )
    inputs, positions = task.prediction_batch(histories.to(device))
    real = inputs > 0

    network.train()
    states = network(inputs)
    if said := _not_states(states, [*inputs.shape], table):
        return f"forward gives {said}"
    if said := _cut_off(network, states):
        return said
    # Mistakes that show in the backward pass alone, as a state changed in place.
    (states[real] * network.item_table[inputs[real]]).sum().backward()

    network.eval()
    with torch.no_grad():
        if not bool(torch.isfinite(network(inputs)[real]).all()):
            return "forward gives hidden states that are not finite, before any training."
        _shake(network)
        states = network(inputs)
        if _differ(network(inputs)[real], states[real]):
            return (
                "forward gives other hidden states when it is called again in evaluation. Let "
                "nothing be random there: nn.Dropout is off then, F.dropout needs "
                "training=self.training."
            )
        if isinstance(task, NextItem) and (said := _looks_ahead(network, histories, num_items)):
            return said
        for sequence, there, alone in zip(inputs, real, states, strict=True):
            if _differ(network(sequence[None, there])[0], alone[there]):
                return (
                    f"the hidden states of a sequence of {int(there.sum())} items differ between "
                    "a call with it alone and one with others beside it. No sequence may see "
                    "another, nor the padding, row 0 on the right: mask it, and read no position "
                    "counted from the end."
                )
        at = network.states_at(inputs, positions)
        if said := _not_states(at, [len(inputs)], table):
            return f"states_at gives {said}"
        if _differ(at, states[torch.arange(3, device=device), positions]):
            return (
                "states_at gives other hidden states than forward does at these positions. "
                "Mend it, or leave it out: Network has one that calls forward."
            )
    return None


def _not_states(states: object, shape: list[int], table: Tensor) -> str | None:
    """What `states` are if they are no hidden states `[*shape, width of the item table]`."""
    wanted = [*shape, table.shape[1]]
    if not isinstance(states, Tensor):
        found = type(states).__name__
    elif list(states.shape) != wanted or states.dtype != table.dtype:
        found = f"{states.dtype} of shape {list(states.shape)}"
    else:
        return None
    form = "[batch, time, width]" if len(shape) == 2 else "[batch, width]"
    return (
        f"{found}, and must give hidden states {form} in the width and type of item_table, here "
        f"{table.dtype} of shape {wanted}."
    )


def _cut_off(network: Network, states: Tensor) -> str | None:
    """Which weights training would pass by, and how to mend it."""
    known = {id(parameter) for parameter in network.parameters()}
    used = list(_weights_behind(states))
    strange = [list(weight.shape) for weight in used if id(weight) not in known]
    if strange:
        return (
            f"forward uses weights that are not among its parameters(), of shape {strange[0]}; "
            "they would be neither trained nor saved. Keep layers as attributes or in an "
            "nn.ModuleList, and weights as nn.Parameter."
        )
    if not used:
        return (
            "no gradient reaches its weights from the hidden states. Look for detach, .data, "
            "torch.no_grad or a way through numpy in forward."
        )
    table = network.item_table
    trainable = [weight for weight in network.parameters() if weight.requires_grad]
    if not table.requires_grad and any(weight.shape == table.shape for weight in trainable):
        return (
            "no gradient reaches item_table. Return it without detach or .data; if it is to stay "
            "as it is, freeze it: self.items.weight.requires_grad_(False)."
        )
    return None


def _weights_behind(states: Tensor) -> Iterator[Tensor]:
    """The tensors that a backward pass from `states` would leave a gradient at."""
    seen: set[Any] = set()
    ahead: list[Any] = [states.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is not None and node not in seen:
            seen.add(node)
            ahead += [following for following, _ in node.next_functions]
            if hasattr(node, "variable"):
                yield node.variable


def _shake(network: Network) -> None:
    """Move every weight as training may: one that begins as zero would hide what it multiplies.

    The steps are small enough for rounding not to grow through many layers.
    """
    for module in network.modules():
        for weight in module.parameters(recurse=False):
            if not weight.requires_grad:
                continue
            inputs = weight[0].numel() if weight.dim() > 1 else 25  # of a bias or a gate: 0.1
            step = torch.randn_like(weight) * (0.5 / math.sqrt(inputs))
            if isinstance(module, nn.Embedding) and module.padding_idx is not None:
                step[module.padding_idx] = 0  # no training moves it
            weight.add_(step)


def _looks_ahead(network: Network, histories: Tensor, num_items: int) -> str | None:
    """Whether a state changes with items that come after it."""
    device = network.item_table.device
    sequence = histories[0]  # the longest
    for cut in sorted({1, len(sequence) // 2, len(sequence) - 1} - {0, len(sequence)}):
        other = sequence.clone()
        other[cut:] = other[cut:] % num_items + 1
        inputs, _ = network.task.prediction_batch(torch.stack([sequence, other]).to(device))
        one, two = network(inputs)[:, :cut]
        if _differ(one, two):
            return (
                f"the hidden states of the first {cut} items change with the items after them, "
                "which they are to predict. With NextItem forward must be causal: let a position "
                "see none after itself, or take MaskedItem as the task."
            )
    return None


def _differ(ours: Tensor, theirs: Tensor) -> bool:
    """By more than rounding; what shaken weights have driven out of all bounds says nothing."""
    if ours.shape != theirs.shape:
        return True
    return bool((ours - theirs).abs().max() > TOLERANCE * theirs.abs().max())

"""Check a custom network and its task on a few made-up sequences before it is trained.

A network that sees the items it is to predict, or whose states depend on other sequences of the
batch, trains without complaint and ends with metrics that look good and are wrong.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from seqrec.experiment.custom import custom_code, refusal
from seqrec.experiment.schema import RunConfig
from seqrec.models.network import Network
from seqrec.models.tasks import NextItem, Times

LONGEST_SEQUENCE = 256
"""Items of the longest sequence that a network is tried on."""


ROUNDING_TOLERANCE = 1e-3
"""Largest difference between equal states, relative to the largest state. Rounding, which varies
with the shape of a batch, stays far below; the influence of another item is far above."""


KNOWN_TIMES: dict[Times, str] = {
    "history": 'With NextItem(times="history"), a position knows the times up to that of its own '
    'item. With times="target" it is told that of the item to be predicted, too.',
    "target": 'With NextItem(times="target"), a position knows the times up to that of the item to '
    "be predicted.",
}


class _Trial(NamedTuple):
    """Made-up sequences of three lengths, and the batch in which the network predicts from them."""

    histories: Tensor
    """Item numbers `[3, window]`, right-padded with 0; the first history fills the window."""
    inputs: Tensor
    """Rows of the item table `[3, time]`."""
    positions: Tensor
    """Where the prediction is read, `[3]`."""
    times: Tensor | None
    """Unix seconds `[3, time]`, or `[3, time + 1]` with those of the targets; None for a task
    without times."""

    @property
    def arguments(self) -> tuple[Tensor, ...]:
        """What `forward` is called with."""
        return (self.inputs,) if self.times is None else (self.inputs, self.times)

    def alone(self, row: int) -> tuple[Tensor, ...]:
        """Return the arguments for one sequence without its padding."""
        length = int(self.real[row].sum())
        if self.times is None:
            return (self.inputs[row : row + 1, :length],)
        known = length + self.times.shape[1] - self.inputs.shape[1]
        return self.inputs[row : row + 1, :length], self.times[row : row + 1, :known]

    @property
    def real(self) -> Tensor:
        """Where the inputs are not padding, `[3, time]`."""
        return self.inputs > 0


def check_network(network: Network, config: RunConfig, num_items: int) -> None:
    """Try a new network on made-up sequences, each alone and in a padded batch.

    Leaves the network with other weights, and draws from torch's random stream.
    Raises a `SeqrecError` that says in what the network breaks the contract of `Network`.
    """
    with custom_code(config.implementation, "on a small batch", all_of_it=True):
        violation = _first_violation(network, config.max_length, num_items)
    if violation:
        raise refusal(config, violation)


def _first_violation(network: Network, max_length: int, num_items: int) -> str | None:
    """Describe the first violation of the contract and its remedy; None if there is none."""
    if violation := _in_item_table(network, num_items):
        return violation
    if violation := _in_task(network, max_length, num_items):
        return violation
    trial = _trial(network, max_length, num_items)
    network.train()
    if violation := _in_training(network, trial):
        return violation
    network.eval()
    with torch.no_grad():
        return _in_evaluation(network, trial, num_items)


def _trial(network: Network, max_length: int, num_items: int) -> _Trial:
    window = min(network.task.prediction_window(max_length), LONGEST_SEQUENCE)
    lengths = torch.tensor([window, (window + 1) // 2, 1])
    items = torch.randint(1, num_items + 1, (3, window))
    histories = items * (torch.arange(window) < lengths[:, None])
    device = network.item_table.device
    batch = network.task.prediction_batch(histories.to(device))
    times = None
    if network.task.times is not None:
        more = int(network.task.times == "target")
        known = torch.arange(window + more) < lengths[:, None] + more
        times = (_made_up_times((3, window + more)) * known).to(device)
    return _Trial(histories, batch.inputs, batch.positions, times)


def _made_up_times(shape: tuple[int, int]) -> Tensor:
    """Draw ascending unix seconds, from one to the next between no time and some months."""
    return 10**9 + (10 ** (7 * torch.rand(shape, dtype=torch.float64))).long().cumsum(1)


def _in_item_table(network: Network, num_items: int) -> str | None:
    special_rows, table = network.task.special_rows, network.item_table
    rows = special_rows + num_items
    if table.dim() == 2 and len(table) == rows:
        return None
    return (
        f"item_table is of shape {list(table.shape)}, and must be [{rows}, width]: "
        f"{special_rows} special rows and one for each of {num_items} items."
    )


def _in_task(network: Network, max_length: int, num_items: int) -> str | None:
    """Describe labels that do not fit their inputs, are no items, or are more than was said."""
    task, device = network.task, network.item_table.device
    window = min(task.training_window(max_length), LONGEST_SEQUENCE)
    # The first and the last item are where rows that are shifted leave the table.
    sequences = torch.tensor([[1], [1], [num_items]]).repeat(1, window)
    sequences[1] = torch.randint(1, num_items + 1, (window,))
    sequences[1, max(window // 2, task.shortest()) :] = 0
    generator = torch.Generator(device).manual_seed(0)
    inputs, labels = task.training_batch(sequences.to(device), generator)
    if inputs.shape != labels.shape or len(inputs) != len(sequences):
        return (
            f"the task's training_batch gives inputs {list(inputs.shape)} and labels "
            f"{list(labels.shape)} for {len(sequences)} sequences. Both must have a row for each "
            "sequence, and every input its label, 0 where there is no loss."
        )
    allowed = labels[labels != 0] - task.special_rows
    if bool(((allowed < 0) | (allowed >= num_items)).any()):
        return (
            "the task's training_batch gives labels that are no items. Labels are rows of the item "
            f"table, where {task.special_rows} special rows come before the items; 0 has no loss."
        )
    if bool(labels[inputs == 0].any()):
        return "the task's training_batch gives a label to padding, where the input is 0."
    most = task.most_labels(int((sequences > 0).sum()), len(sequences))
    if len(allowed) > most:
        return (
            f"the task's training_batch gives {len(allowed)} labels, and its most_labels says that "
            f"there are at most {most}. An accelerator makes room for no more than that."
        )
    return None


def _in_training(network: Network, trial: _Trial) -> str | None:
    states = network(*trial.arguments)
    if violation := _in_form(states, [*trial.inputs.shape], network.item_table):
        return f"forward gives {violation}"
    if violation := _in_gradients(network, states):
        return violation
    # Some mistakes show only in the backward pass, such as a state that is changed in place.
    (states[trial.real] * network.item_table[trial.inputs[trial.real]]).sum().backward()
    return None


def _in_evaluation(network: Network, trial: _Trial, num_items: int) -> str | None:
    inputs, real = trial.inputs, trial.real
    arguments = trial.arguments
    if not bool(torch.isfinite(network(*arguments)[real]).all()):
        return "forward gives hidden states that are not finite, before any training."
    _move_weights(network)
    states = network(*arguments)
    if _differ(network(*arguments)[real], states[real]):
        return (
            "forward gives different hidden states when it is called again in evaluation. Nothing "
            "may be random there: nn.Dropout is off then, F.dropout needs training=self.training."
        )
    if isinstance(network.task, NextItem) and (
        violation := _in_causality(network, trial, num_items)
    ):
        return violation
    for row, (there, in_batch) in enumerate(zip(real, states, strict=True)):
        if _differ(network(*trial.alone(row))[0], in_batch[there]):
            return (
                f"the hidden states of a sequence of {int(there.sum())} items differ between "
                "a batch of it alone and one with other sequences. No sequence may see another, "
                "nor the padding, row 0 on the right: mask it, and read no position counted from "
                "the end."
            )
    at_positions = network.states_at(inputs, trial.positions, *arguments[1:])
    if violation := _in_form(at_positions, [len(inputs)], network.item_table):
        return f"states_at gives {violation}"
    if _differ(at_positions, states[torch.arange(3, device=inputs.device), trial.positions]):
        return (
            "states_at gives different hidden states than forward at these positions. "
            "Correct it, or leave it out: that of Network calls forward."
        )
    return None


def _in_form(states: object, shape: list[int], table: Tensor) -> str | None:
    """Describe `states` unless they are hidden states `[*shape, width of the item table]`."""
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


def _in_gradients(network: Network, states: Tensor) -> str | None:
    """Describe weights that training would not reach."""
    known = {id(parameter) for parameter in network.parameters()}
    used = list(_weights_behind(states))
    unknown = [list(weight.shape) for weight in used if id(weight) not in known]
    if unknown:
        return (
            f"forward uses weights that are not among its parameters(), of shape {unknown[0]}; "
            "they would be neither trained nor saved. Keep layers as attributes or in an "
            "nn.ModuleList, and weights as nn.Parameter."
        )
    if not used:
        return (
            "no gradient reaches its weights from the hidden states. Look for detach, .data, "
            "torch.no_grad or a detour through numpy in forward."
        )
    table = network.item_table
    trainable = [weight for weight in network.parameters() if weight.requires_grad]
    if not table.requires_grad and any(weight.shape == table.shape for weight in trainable):
        return (
            "no gradient reaches item_table. Return it without detach or .data; if it shall not "
            "be trained, freeze it: self.items.weight.requires_grad_(False)."
        )
    return None


def _weights_behind(states: Tensor) -> Iterator[Tensor]:
    """Find the tensors at which a backward pass from `states` would leave a gradient."""
    seen: set[Any] = set()
    ahead: list[Any] = [states.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is not None and node not in seen:
            seen.add(node)
            ahead += [following for following, _ in node.next_functions]
            if hasattr(node, "variable"):
                yield node.variable


def _move_weights(network: Network) -> None:
    """Move every weight as training may: a weight that is zero at first hides what it multiplies.

    The steps are small, so that rounding does not grow through many layers.
    """
    for module in network.modules():
        for weight in module.parameters(recurse=False):
            if not weight.requires_grad:
                continue
            inputs = weight[0].numel() if weight.dim() > 1 else 25  # moves a bias or gate by 0.1
            step = torch.randn_like(weight) * (0.5 / math.sqrt(inputs))
            if isinstance(module, nn.Embedding) and module.padding_idx is not None:
                step[module.padding_idx] = 0  # training does not move it
            weight.add_(step)


def _in_causality(network: Network, trial: _Trial, num_items: int) -> str | None:
    """Describe a state that changes with items after it, or with times that it may not know."""
    history = trial.histories[0]
    length = len(history)
    for cut in sorted({1, length // 2, length - 1} - {0, length}):
        changed = history.clone()
        changed[cut:] = changed[cut:] % num_items + 1
        histories = torch.stack([history, changed]).to(network.item_table.device)
        inputs = network.task.prediction_batch(histories).inputs
        times = [] if trial.times is None else [trial.times[:1].expand(2, -1)]
        one, two = network(inputs, *times)[:, :cut]
        if _differ(one, two):
            return (
                f"the hidden states of items 1 to {cut} change with the items after them, "
                "which they are to predict. With NextItem, forward must be causal: let no position "
                "see a later one, or take MaskedItem as the task."
            )
        if trial.times is None:
            continue
        later = trial.times[0].clone()
        later[cut + int(network.task.times == "target") :] += 10**6
        one, two = network(inputs[:1].expand(2, -1), torch.stack([trial.times[0], later]))[:, :cut]
        if _differ(one, two):
            return (
                f"the hidden states of items 1 to {cut} change with later times than it may know. "
                + KNOWN_TIMES[network.task.times or "history"]
            )
    return None


def _differ(ours: Tensor, theirs: Tensor) -> bool:
    """Tell whether states differ by more than rounding.

    States that moved weights have made NaN or infinite count as equal: they prove nothing.
    """
    if ours.shape != theirs.shape:
        return True
    return bool((ours - theirs).abs().max() > ROUNDING_TOLERANCE * theirs.abs().max())

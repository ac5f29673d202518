"""What a network is trained to predict: the next item at every position, or masked items.

A task holds all that causal and masked training differ in: which rows of the item table are
special, how many items of a history fit, which inputs and labels a batch has, and where the
prediction is read. Sequences hold item numbers from 1 and are padded with 0 on the right.
"""

import math
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

Times = Literal["history", "target"]
"""Which times a network is given: those of the items that it reads, or also when the item to be
predicted comes. To know the latter is a matter of protocol: most models are not told."""


class TrainingBatch(NamedTuple):
    """Inputs and labels, both `[batch, time]` in rows of the item table; label 0 has no loss."""

    inputs: Tensor
    labels: Tensor


class PredictionBatch(NamedTuple):
    """Inputs `[batch, time]` in rows of the item table; the prediction is read at `positions`."""

    inputs: Tensor
    positions: Tensor


class Task(Protocol):
    """The interface of a task, which `NextItem` and `MaskedItem` implement."""

    special_rows: int
    """Rows of the item table before the first item's: padding, and the mask where there is one."""

    times: Times | None
    """Which times the network is given beside its inputs; None for a network that reads none."""

    def training_window(self, max_length: int) -> int:
        """Return how many of a user's last items one training sequence holds."""

    def shortest(self) -> int:
        """Return the fewest items that a training sequence needs to have a label."""

    def most_labels(self, items: int, sequences: int) -> int:
        """Return how many labels sequences with so many items in all have at most.

        An accelerator makes room for these; more of them end the training.
        """

    def training_batch(self, sequences: Tensor, generator: torch.Generator) -> TrainingBatch:
        """Turn `sequences` `[batch, window]` into inputs and labels; draw from `generator`."""

    def prediction_window(self, max_length: int) -> int:
        """Return how many of a user's last items are read at prediction."""

    def prediction_batch(self, histories: Tensor) -> PredictionBatch:
        """Turn `histories` `[batch, window]` into inputs, with the position to read in each."""


class NextItem:
    """Causal training: at every position, the label is the item that follows.

    With `times`, the network is called with a second argument, int64 unix seconds, padded with 0
    on the right: `[batch, time]`, the items' own, for "history"; `[batch, time + 1]`, with that of
    the label of the last position too, for "target".
    """

    special_rows = 1

    def __init__(self, times: Times | None = None) -> None:
        self.times = times

    def training_window(self, max_length: int) -> int:
        return max_length + 1

    def shortest(self) -> int:
        return 2

    def most_labels(self, items: int, sequences: int) -> int:
        return items - sequences

    def training_batch(self, sequences: Tensor, generator: torch.Generator) -> TrainingBatch:
        inputs, labels = sequences[:, :-1], sequences[:, 1:]
        # The last item of a short sequence is only a label, not an input.
        return TrainingBatch(inputs * (labels > 0), labels)

    def prediction_window(self, max_length: int) -> int:
        return max_length

    def prediction_batch(self, histories: Tensor) -> PredictionBatch:
        return PredictionBatch(histories, (histories > 0).sum(1) - 1)


class MaskedItem:
    """Cloze training (BERT4Rec): positions are masked at random and their items are the labels.

    A masked position always shows the mask, never a random or the original item, as in the paper's
    implementation. At prediction one mask follows the history.
    """

    special_rows = 2
    mask_row = 1
    times: Times | None = None

    def __init__(self, mask_probability: float = 0.2) -> None:
        self.mask_probability = mask_probability

    def training_window(self, max_length: int) -> int:
        return max_length

    def shortest(self) -> int:
        return 1

    def most_labels(self, items: int, sequences: int) -> int:
        # Eight standard deviations more than on average: the chance of more is below 1e-11.
        mean = items * self.mask_probability
        deviation = math.sqrt(mean * (1 - self.mask_probability))
        return min(items, math.ceil(mean + 8 * deviation + 8))

    def training_batch(self, sequences: Tensor, generator: torch.Generator) -> TrainingBatch:
        rows = self._rows(sequences)
        draws = torch.rand(rows.shape, generator=generator, device=generator.device)
        masked = (draws.to(rows.device) < self.mask_probability) & (rows > 0)
        return TrainingBatch(rows.masked_fill(masked, self.mask_row), rows * masked)

    def prediction_window(self, max_length: int) -> int:
        return max_length - 1

    def prediction_batch(self, histories: Tensor) -> PredictionBatch:
        lengths = (histories > 0).sum(1)
        inputs = torch.nn.functional.pad(self._rows(histories), (0, 1))
        inputs[torch.arange(len(inputs), device=inputs.device), lengths] = self.mask_row
        return PredictionBatch(inputs, lengths)

    @staticmethod
    def _rows(sequences: Tensor) -> Tensor:
        """Turn item numbers into rows: items move up by one to leave room for the mask."""
        return sequences + (sequences > 0).to(sequences.dtype)

"""What training produces, and how its weights are evaluated: functions that score users."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seqrec.data.interactions import Interactions
from seqrec.models.network import Network
from seqrec.protocol.epoch import Epoch
from seqrec.protocol.evaluation import Quality, Scorers, evaluate
from seqrec.protocol.log_tensors import log_for, to_device
from seqrec.protocol.ranking import ScoreUsers
from seqrec.protocol.splits import Split, Splits
from seqrec.training.arithmetic import Engine
from seqrec.training.beginning import begin_run

if TYPE_CHECKING:
    from seqrec.experiment.schema import RunConfig


@dataclass(frozen=True)
class TrainingResult:
    """What a trained or fitted model hands to its record."""

    history: Sequence[Epoch]
    """Empty for a model that fits itself."""
    best_epoch: int | None
    training_seconds: float
    weights: dict[str, Tensor]
    """On the host, by their names in the saved file."""
    scorers: Scorers
    refit_seconds: float | None = None
    """Duration of the training anew on train and validation; None if there was none."""


def evaluate_weights(
    weights: dict[str, Tensor], config: "RunConfig", log: Interactions, engine: Engine
) -> Quality:
    """Evaluate the weights of a network as at the end of its training.

    For the same ranks as then, `engine` must have the device and precision of the training. Raises
    `SeqrecError` where `begin_run` does.
    """
    splits, network = begin_run(config, log, engine)
    if not isinstance(network, Network):
        raise TypeError(f"{config.implementation} is not a network")
    network.load_state_dict(weights)
    scorers = network_scorers(network.eval(), splits, config.max_length, engine.device)
    return evaluate(scorers, splits, config)


def network_scorers(
    network: Network, splits: Splits, max_length: int, device: torch.device
) -> Scorers:
    """Score the users of the validation and of the test split by one network."""
    return Scorers(
        network_scorer(network, splits.validation, max_length, device),
        network_scorer(network, splits.test, max_length, device),
    )


def network_scorer(
    network: Network, split: Split, max_length: int, device: torch.device
) -> ScoreUsers:
    """Score users by a network that reads their last items, up to its window.

    The network is expected in evaluation mode.
    """
    window = network.task.prediction_window(max_length)
    special, told = network.task.special_rows, network.task.times
    log = log_for(device, split)

    def score(users: np.ndarray) -> Tensor:
        longest = int(np.minimum(split.lengths(users), window).max(initial=1))
        starts, ends = log.bounds(*split.bounds(users))
        histories = to_device(device, log.last_items(starts, ends, window, longest))
        batch = network.task.prediction_batch(histories)
        times = []
        if told is not None:
            known = log.last_times(starts, ends, window, longest, following=int(told == "target"))
            times.append(to_device(device, known))
        states = network.states_at(batch.inputs, batch.positions, *times)
        return (states @ network.item_table[special:].T).float()

    return score

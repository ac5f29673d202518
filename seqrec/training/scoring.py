"""Scores of a trained network for whole users."""

import numpy as np
import torch
from torch import Tensor

from seqrec.models.network import Network
from seqrec.protocol.ranking import ScoreUsers, to_device
from seqrec.protocol.splits import Split, last_items


def network_scorer(
    network: Network, split: Split, max_length: int, device: torch.device
) -> ScoreUsers:
    """Scores of a network, reading each user's last items up to the network's window."""
    window = network.task.prediction_window(max_length)
    special = network.task.special_rows

    def score(users: np.ndarray) -> Tensor:
        histories = last_items(split, users, window)
        batch = network.task.prediction_batch(to_device(device, torch.from_numpy(histories)))
        states = network.states_at(batch.inputs, batch.positions)
        return (states @ network.item_table[special:].T).float()

    return score

"""Vectors of items and users whose plain products are a model's scores.

Whatever a model does to its item table before it multiplies, such as normalising it, is done to
these vectors, and rows that stand for no item are left out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from seqrec.errors import SeqrecError
from seqrec.experiment.custom import custom_code
from seqrec.models.bpr_mf import BPRMF
from seqrec.models.network import Network
from seqrec.models.popularity import Popularity
from seqrec.protocol.splits import Split
from seqrec.running.loading import reporting_out_of_memory
from seqrec.running.recommend import Recommender


def item_vectors(recommender: Recommender) -> np.ndarray:
    """Return the vectors of all items in the order of their numbers, float32 `[items, width]`.

    Raises `SeqrecError` for a custom model that fits itself, whose scores may be anything.
    """
    model = recommender.model
    with _computing(recommender):
        if isinstance(model, Network):
            return _array(model.item_table[model.task.special_rows :])
        if isinstance(model, BPRMF):
            return _array(model.item_factors)
        if isinstance(model, Popularity):
            return _array(model.counts[:, None])
    raise SeqrecError(
        f"{recommender.config.model}: fits itself in a way of its own, and nothing tells whether "
        "its scores are products of vectors. Export a network, bpr-mf or popularity."
    )


def user_vectors(
    recommender: Recommender, users: pd.DataFrame, where: str = "users", strict: bool = False
) -> tuple[pd.Index, np.ndarray]:
    """Return the ids and the vectors of the users in a table, float32 `[users, width]`.

    The table is read as by `Recommender.recommend_users`, which says what is raised.
    """
    ids, log, places = recommender.histories(users, where, strict)
    model = recommender.model
    if isinstance(model, BPRMF):
        return ids, _array(model.user_factors[torch.from_numpy(places)])
    if not isinstance(model, Network):
        return ids, np.ones((len(ids), 1), np.float32)
    config = recommender.config
    states = Recommender(config, _States(model), recommender.log, recommender.device)
    state_of = states.scorer(Split.whole(log))
    size = config.evaluation.batch_size
    with _computing(recommender):
        batches = (places[first : first + size] for first in range(0, len(places), size))
        return ids, np.concatenate([_array(state_of(batch)) for batch in batches])


class _States(Network):
    """A network whose scores are its hidden states: its item table is the identity."""

    def __init__(self, network: Network) -> None:
        nn.Module.__init__(self)
        self.network = network
        self.task = network.task

    @property
    def item_table(self) -> Tensor:
        table = self.network.item_table
        unit = torch.eye(table.shape[1], dtype=table.dtype, device=table.device)
        return torch.cat([torch.zeros_like(unit[:1]).expand(self.task.special_rows, -1), unit])

    def states_at(self, *arguments: Any, **named: Any) -> Tensor:
        return self.network.states_at(*arguments, **named)


@contextmanager
def _computing(recommender: Recommender) -> Iterator[None]:
    doing = custom_code(recommender.config.implementation, "while its vectors are computed")
    with torch.inference_mode(), reporting_out_of_memory(recommender.device), doing:
        yield


def _array(vectors: Tensor) -> np.ndarray:
    return np.ascontiguousarray(vectors.detach().float().cpu().numpy())

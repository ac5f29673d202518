"""What an accelerator is asked to wait for, on torch's `meta` device, which cannot answer.

That device has shapes but no numbers: reading one back on the host, or asking for a shape that
depends on numbers, is an error there, and so is computing with a tensor left on the host. What runs
on it therefore runs on any accelerator without once waiting for it.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import LOSSES, NETWORKS, simulated_log, small_config, timed
from torch.fx.experimental import _config as meta_device

from seqrec.experiment.schema import RunConfig
from seqrec.models import Network
from seqrec.protocol.ranking import rank_and_recommend, rank_users
from seqrec.protocol.splits import Split, leave_one_out
from seqrec.training.arithmetic import Engine
from seqrec.training.building import seeded_model
from seqrec.training.loop import Trainer
from seqrec.training.scoring import network_scorer

META = torch.device("meta")
SPLITS = leave_one_out(timed(simulated_log(users=40, items=400)))
"""Enough users for a whole batch and a smaller one."""
SEVERAL_TARGETS = replace(SPLITS.test, ends=SPLITS.test.ends - 1, stops=SPLITS.test.ends + 1)
"""Two targets at once for each user."""
CASES = [
    *((network, loss, "float32") for network in NETWORKS for loss in LOSSES),
    *(("sasrec", loss, "bfloat16") for loss in LOSSES),  # which is the loss's own affair
]
TIMED = [
    small_config("hstu", hyperparameters=NETWORKS["hstu"] | {"time_bias": kind})
    for kind in ("history", "target")
]


class Waited(Exception):
    """The host has asked the accelerator for a number."""


class HostGenerator(torch.Generator):
    """A generator on the host, whatever device it is asked for."""

    def __new__(cls, device: Any = None) -> "HostGenerator":
        return super().__new__(cls)


@pytest.fixture(autouse=True)
def accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Supply what this device lacks: memory to copy from, random numbers, a fused optimiser."""
    adam = torch.optim.Adam
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    monkeypatch.setattr(torch, "Generator", HostGenerator)
    monkeypatch.setattr(torch.optim, "Adam", lambda weights, lr, fused: adam(weights, lr))


def network_of(config: RunConfig) -> Network:
    network = seeded_model(config, SPLITS.test.num_items)
    assert isinstance(network, Network)
    return network.to(META)


@pytest.mark.parametrize(
    ("config", "precision"),
    [
        *((small_config(network, loss), precision) for network, loss, precision in CASES),
        *((config, "float32") for config in TIMED),
    ],
)
def test_the_host_waits_for_nothing_within_an_epoch(config: RunConfig, precision: Any) -> None:
    # The pool of negatives is made once, before the first step: its shape may be waited for.
    with meta_device.patch(meta_nonzero_assume_all_nonzero=True):
        trainer = Trainer(network_of(config), SPLITS, config, Engine(META, precision))
    trainer.begin_epoch()
    steps = 0
    while trainer.users_left:
        trainer.step()
        steps += 1
    assert steps == 2
    # For the sum of the losses, once all steps are done.
    with pytest.raises(RuntimeError, match=r"item\(\) cannot be called on meta"):
        trainer.end_epoch()


@pytest.mark.parametrize("config", [*map(small_config, NETWORKS), *TIMED])
@pytest.mark.parametrize(
    ("split", "recommended"),
    [(SPLITS.test, False), (SPLITS.test, True), (SEVERAL_TARGETS, True)],
    ids=["one target", "one target and recommended items", "several targets"],
)
def test_the_host_waits_once_for_all_ranks_and_recommended_items(
    config: RunConfig, split: Split, recommended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = network_of(config).eval()
    scored: list[int] = []
    score = network_scorer(network, split, config.max_length, META)

    def counted(users: np.ndarray) -> torch.Tensor:
        scored.append(len(users))
        return score(users)

    def cpu(tensor: torch.Tensor) -> torch.Tensor:
        raise Waited

    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    with torch.no_grad(), pytest.raises(Waited):
        if recommended:
            rank_and_recommend(counted, split, 16)
        else:
            rank_users(counted, split, np.arange(split.num_users), 16)
    assert scored == [16, 16, 8]

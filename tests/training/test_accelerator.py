"""What an accelerator is asked to wait for, on torch's `meta` device, which cannot answer.

That device has shapes but no numbers: reading one back on the host, or asking for a shape that
depends on numbers, is an error there, and so is computing with a tensor left on the host. What runs
on it therefore runs on any accelerator without once waiting for it.
"""

from typing import Any

import numpy as np
import pytest
import torch
from small_runs import LOSSES, NETWORKS, simulated_log, small_config

from seqrec.experiment.schema import RunConfig
from seqrec.models.network import Network
from seqrec.protocol.ranking import rank_users
from seqrec.protocol.splits import leave_one_out
from seqrec.training import loop as training
from seqrec.training.building import build_model
from seqrec.training.loop import train
from seqrec.training.negatives import NegativeSampler
from seqrec.training.precision import Engine
from seqrec.training.scoring import network_scorer

META = torch.device("meta")
SPLITS = leave_one_out(simulated_log(users=200, items=400))
CONFIGS = {
    f"{network}, {loss}, {precision}": (small_config(network, loss), precision)
    for network in NETWORKS
    for loss in LOSSES
    for precision in ("float32", "bfloat16")
}


class Waited(Exception):
    """The host has asked the accelerator for a number."""


@pytest.fixture(autouse=True)
def accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what this device lacks: memory to be copied from, a fused optimiser, and shapes of the
    pool of negatives, which is made once, before the first step."""
    adam, make_sampler = torch.optim.Adam, training.make_sampler

    def sampler(split: Any, loss: Any, seed: Any, device: torch.device) -> NegativeSampler | None:
        made = make_sampler(split, loss, seed, torch.device("cpu"))
        if made is not None:
            made.pool, made.place = made.pool.to(device), made.place.to(device)

        return made

    monkeypatch.setattr(training, "make_sampler", sampler)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    monkeypatch.setattr(
        torch.optim, "Adam", lambda parameters, lr, fused: adam(parameters, lr, fused=False)
    )


def network_of(config: RunConfig) -> Network:
    network = build_model(config, SPLITS.test.num_items)
    assert isinstance(network, Network)
    return network.to(META)


@pytest.mark.parametrize(("config", "precision"), CONFIGS.values(), ids=CONFIGS)
def test_the_host_waits_for_nothing_within_an_epoch(config: RunConfig, precision: Any) -> None:
    steps: list[int] = []

    def after_step() -> bool:
        steps.append(1)
        return False

    with pytest.raises(RuntimeError, match=r"item\(\) cannot be called on meta") as stop:
        train(network_of(config), SPLITS, config, Engine(META, precision), stopping=after_step)
    # For the sum of the losses, once all steps are done.
    in_loop = [str(entry.statement) for entry in stop.traceback if entry.name == "train"]
    assert "float(progress.total_loss)" in in_loop[-1]
    assert config.training is not None
    assert len(steps) == -(-SPLITS.train.num_users // config.training.batch_size)


@pytest.mark.parametrize("implementation", NETWORKS)
def test_the_host_waits_once_for_all_ranks(
    implementation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(implementation)
    network = network_of(config).eval()
    scored: list[int] = []
    score = network_scorer(network, SPLITS.test, config.max_length, META)

    def counted(users: np.ndarray) -> torch.Tensor:
        scored.append(len(users))
        return score(users)

    def cpu(tensor: torch.Tensor) -> torch.Tensor:
        raise Waited

    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    with torch.no_grad(), pytest.raises(Waited):
        rank_users(counted, SPLITS.test, np.arange(SPLITS.test.num_users), 64)
    assert sum(scored) == SPLITS.test.num_users

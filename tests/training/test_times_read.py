"""Networks that read times get those that their task names, and no others."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from small_runs import (
    NETWORKS,
    batch_of,
    log_of,
    outcome,
    preprocessed_log,
    simulated_log,
    small_config,
    timed,
    timed_in,
)
from torch import Tensor, nn

from seqrec.data.interactions import Interactions
from seqrec.errors import SeqrecError
from seqrec.experiment.schema import RunConfig
from seqrec.models import Network, NextItem
from seqrec.models.hstu import HSTU
from seqrec.models.tasks import Times
from seqrec.protocol.splits import leave_one_out
from seqrec.running.options import EngineOptions
from seqrec.running.recommend import Recommender
from seqrec.running.run import run
from seqrec.training import batches
from seqrec.training.arithmetic import Engine
from seqrec.training.batches import PaddedBatches, TrainingSequences
from seqrec.training.beginning import begin_run
from seqrec.training.loop import Trainer, train
from seqrec.training.objective import make_encoder
from seqrec.training.scoring import network_scorer

CPU = torch.device("cpu")
FIRST = 10**9
TOLD: list[Times] = ["history", "target"]


def numbered_log(lengths: list[int]) -> Interactions:
    """A log in which interaction number n is with item n, at the second FIRST + n."""
    items = iter(range(1, sum(lengths) + 1))
    log = log_of([[next(items) for _ in range(length)] for length in lengths], sum(lengths))
    return replace(log, times=FIRST + log.items.astype(np.int64))


def config_of(time_bias: str, **changes: Any) -> RunConfig:
    hyperparameters = NETWORKS["hstu"] | {"time_bias": time_bias}
    return small_config("hstu", hyperparameters=hyperparameters, **changes)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("told", TOLD)
def test_a_training_batch_has_the_times_of_inputs_and_only_if_told_of_labels(
    told: Times, padded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "PADDING_PER_GROUP", 3)
    split = leave_one_out(numbered_log([4, 5, 9, 30, 31, 40, 6])).train
    sequences = TrainingSequences.of(split, NextItem(told), 8)
    batch = batch_of(sequences, np.arange(7))
    if padded:
        laid_out = PaddedBatches(sequences, 7, torch.Generator(), CPU, labels_alone=False)
        laid_out.begin(torch.arange(7))
        batch = laid_out.batch(*laid_out.inputs(0))
    seen = []
    for (inputs, times), positions in batch.groups:
        assert times.dtype == torch.int64
        assert times.shape == (len(inputs), inputs.shape[1] + (told == "target"))
        own = times[:, : inputs.shape[1]]
        assert torch.equal(own[inputs > 0], inputs[inputs > 0] + FIRST)
        if told == "target":
            seen.append(times[:, 1:].flatten()[positions] - FIRST)
    if told == "target":
        real = slice(None) if batch.real is None else batch.real
        assert torch.equal(torch.cat(seen)[real], batch.targets[real])


class Recorder(Network):
    """Keeps what it is called with."""

    def __init__(self, num_items: int, task: NextItem) -> None:
        self.task = task
        super().__init__(num_items, 4)
        self.calls: list[tuple[Tensor, ...]] = []

    def forward(self, rows: Tensor, *times: Tensor) -> Tensor:
        self.calls.append((rows, *times))
        return self.items(rows)  # type: ignore[no-any-return]


@pytest.mark.parametrize("told", TOLD)
def test_a_prediction_has_the_times_of_its_history_and_only_if_told_of_its_target(
    told: Times,
) -> None:
    split = leave_one_out(numbered_log([4, 12, 7])).test
    network, users = Recorder(split.num_items, NextItem(told)), np.arange(3)
    network_scorer(network, split, 8, CPU)(users)
    [(rows, times)] = network.calls
    assert torch.equal(times[:, : rows.shape[1]][rows > 0], rows[rows > 0] + FIRST)
    assert times.shape[1] == rows.shape[1] + (told == "target")
    if told == "target":
        asked = times[torch.arange(3), (rows > 0).sum(1)]
        assert asked.tolist() == [FIRST + target for target in split.targets(users)]


def test_a_network_that_asks_for_no_times_gets_none() -> None:
    split = leave_one_out(numbered_log([4, 12, 7])).test
    network = Recorder(split.num_items, NextItem())
    network_scorer(network, split, 8, CPU)(np.arange(3))
    assert [len(call) for call in network.calls] == [1]


@pytest.mark.parametrize("told", TOLD)
def test_a_log_without_times_is_refused_before_training(told: Times) -> None:
    with pytest.raises(SeqrecError, match=r"hstu reads when .*the log of small has no times"):
        begin_run(config_of(told), simulated_log(), Engine(CPU))
    begin_run(config_of("none"), simulated_log(), Engine(CPU))


@pytest.mark.parametrize("told", TOLD)
def test_hstu_learns_from_times(told: Times) -> None:
    """Which of two items follows is decided by the gap before it, or after it if that is told."""
    rng = np.random.default_rng(0)
    users, times = [], []
    for _ in range(200):
        gaps = rng.choice([10, 10**6], 12)
        deciding = gaps if told == "target" else np.roll(gaps, 1)
        users.append([1 + int(gap > 10) for gap in deciding])
        times.append(FIRST + np.cumsum(gaps))
    log = replace(log_of(users, 2), times=np.concatenate(times))
    training = {"batch_size": 50, "max_epochs": 40, "patience": 40, "learning_rate": 0.02}
    losses = {}
    for bias in ("none", told):
        config = config_of(bias, training=training)
        splits, network = begin_run(config, log, Engine(CPU))
        assert isinstance(network, Network)
        trainer = Trainer(network, splits, config, Engine(CPU))
        losses[bias] = [*train(trainer)][-1].training_loss
    assert losses[told] < 0.7 * losses["none"]


@pytest.mark.parametrize("told", TOLD)
def test_hstu_without_times_is_that_with_a_bias_of_zero(told: Times) -> None:
    torch.manual_seed(0)
    hyperparameters = NETWORKS["hstu"] | {"dropout": 0.0}
    plain = HSTU(20, 8, **hyperparameters)
    network = HSTU(20, 8, **hyperparameters, time_bias=told)
    network.load_state_dict(plain.state_dict(), strict=False)
    for block in network.blocks:
        nn.init.zeros_(block.by_time)  # type: ignore[arg-type]
    rows = torch.randint(1, 21, (3, 8))
    times = FIRST + torch.randint(0, 10**6, (3, 8 + (told == "target"))).cumsum(1)
    torch.testing.assert_close(network(rows, times), plain(rows))


@pytest.mark.parametrize("told", TOLD)
def test_a_run_with_times_is_recorded_and_the_same_again(told: Times, tmp_path: Path) -> None:
    data = timed_in(preprocessed_log(tmp_path / "data"))
    options = EngineOptions("cpu", 1, "float32")
    for folder in ("one", "two"):
        run(config_of(told), data, tmp_path / folder, options)
    assert outcome(tmp_path / "one") == outcome(tmp_path / "two")
    times = Interactions.load(data).times
    assert times is not None
    assert np.array_equal(times, timed(Interactions.load(data)).times)  # type: ignore[arg-type]


def test_recommending_needs_the_times_that_a_network_reads() -> None:
    log, users = timed(simulated_log()), pd.DataFrame({"user": [1, 2]})
    given = pd.DataFrame({"user": [1, 1], "item": [3, 4]})

    def recommender(told: Times) -> Recommender:
        _, network = begin_run(config_of(told), log, Engine(CPU))
        return Recommender(config_of(told), network.eval(), log)  # type: ignore[union-attr]

    assert recommender("history").recommend_users(users, 3).groupby("user").size().tolist() == [
        3,
        3,
    ]
    with pytest.raises(SeqrecError, match=r"hstu: reads when .*these histories have no times"):
        recommender("history").recommend_users(given, 3)
    with pytest.raises(SeqrecError, match=r"hstu: is told when .*cannot recommend"):
        recommender("target").recommend_users(users, 3)


@pytest.mark.slow
def test_compiled_hstu_reads_times_as_it_does_uncompiled() -> None:
    log = timed(simulated_log())
    splits, network = begin_run(config_of("target"), log, Engine(CPU))
    assert isinstance(network, Network)
    network.eval()
    sequences = TrainingSequences.of(splits.train, network.task, 10)
    group = batch_of(sequences, np.arange(20)).groups[0]
    plain, compiled = (
        make_encoder(network, Engine(CPU, compile=compile))(*group.arguments)
        for compile in (False, True)
    )
    torch.testing.assert_close(compiled, plain, rtol=1e-4, atol=1e-4)

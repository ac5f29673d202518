"""Optimisers, schedules, clipping and stopping metrics; and a stopped training goes on exactly."""

import io
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_runs import NETWORKS, simulated_log, small_config
from test_loop import CPU, network_of, same, trained, with_training
from torch import nn

from seqrec.experiment.schema import RunConfig, Training
from seqrec.protocol.splits import leave_one_out
from seqrec.training.loop import Trainer, train
from seqrec.training.optimisation import learning_rate, make_optimiser

SPLITS = leave_one_out(simulated_log())
STILL = NETWORKS["sasrec"] | {"dropout": 0.0}

FULL_SETTINGS: dict[str, Any] = {
    "optimiser": "adamw",
    "weight_decay": 0.1,
    "warmup_steps": 5,
    "schedule": "cosine",
    "gradient_clipping": 0.5,
    "stopping_metric": "mrr@7",
}
LOSSES: dict[str, dict[str, Any]] = {
    "gbce": {"kind": "gbce", "negatives": 8},
    "popularity": {"kind": "bpr", "negatives": 4, "sampling": "popularity"},
    "in-batch": {"kind": "bpr-max", "negatives": 4, "sampling": "in-batch", "logq": True},
}


@given(
    warmup=st.integers(0, 20),
    steps=st.integers(1, 60),
    schedule=st.sampled_from(["constant", "cosine"]),
)
def test_the_rate_rises_and_then_stays_or_falls_to_nothing(
    warmup: int, steps: int, schedule: Any
) -> None:
    settings = Training(learning_rate=0.1, warmup_steps=warmup, schedule=schedule)
    rates = [learning_rate(settings, step, steps) for step in range(steps)]
    rising, after = rates[:warmup], rates[warmup:]
    assert rising == pytest.approx([0.1 * (n + 1) / warmup for n in range(len(rising))])
    if schedule == "constant":
        assert after == [0.1] * len(after)
    else:
        assert after == sorted(after, reverse=True)
        half = [0.05 * (1 + math.cos(math.pi * n / len(after))) for n in range(len(after))]
        assert after == pytest.approx(half)


def rates_of(config: RunConfig) -> list[float]:
    """The learning rate of every step of a training."""
    trainer = Trainer(network_of(config), SPLITS, config, CPU)
    rates = []
    while not trainer.finished:
        trainer.begin_epoch()
        while trainer.users_left:
            trainer.step()
            rates.append(trainer.optimiser.param_groups[0]["lr"])
        with trainer.clock():
            trainer.end_epoch()
    return rates


def test_every_step_of_a_training_has_its_rate() -> None:
    settings = {"max_epochs": 3, "warmup_steps": 5, "schedule": "cosine"}
    config = with_training(small_config(), **settings)
    assert config.training is not None
    expected = [learning_rate(config.training, step, 12) for step in range(12)]  # 4 in an epoch
    assert rates_of(config) == expected
    assert rates_of(with_training(small_config(), max_epochs=2)) == [1e-3] * 8


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("stopped_after", [1, 3, 4, 6])
def test_a_stopped_training_goes_on_to_the_same_bits(loss: str, stopped_after: int) -> None:
    config = with_training(small_config(), **FULL_SETTINGS, max_epochs=3)
    config = RunConfig.model_validate(config.model_dump() | {"loss": LOSSES[loss]})
    whole, network = trained(config)
    trainer = Trainer(network_of(config), SPLITS, config, CPU)
    step, left = trainer.step, iter(range(stopped_after - 1, -1, -1))

    def stopping_step() -> None:
        step()
        trainer.stop_requested = next(left) == 0

    trainer.step = stopping_step  # type: ignore[method-assign]
    list(train(trainer))
    file = io.BytesIO()
    torch.save(trainer.snapshot(), file)
    file.seek(0)
    other = Trainer(network_of(config), SPLITS, config, CPU)
    torch.manual_seed(99)  # nothing may depend on where the process left its own state
    other.restore(torch.load(file, weights_only=True))
    list(train(other))
    assert same(other.network.state_dict(), network.state_dict())
    assert [epoch.validation for epoch in other.position.history] == [
        epoch.validation for epoch in whole.history
    ]


def stepped(**settings: Any) -> tuple[nn.Module, nn.Module]:
    """A network before and after one step."""
    config = with_training(small_config(hyperparameters=STILL), **settings)
    before, after = network_of(config), network_of(config)
    trainer = Trainer(after, SPLITS, config, CPU)
    trainer.begin_epoch()
    trainer.step()
    return before, after


def test_adamw_shrinks_the_weights_by_themselves() -> None:
    _, plain = stepped()
    before, decayed = stepped(optimiser="adamw", weight_decay=0.1)
    for start, one, other in zip(
        before.parameters(), plain.parameters(), decayed.parameters(), strict=True
    ):
        torch.testing.assert_close(other, one - 1e-3 * 0.1 * start, rtol=1e-4, atol=1e-7)


def test_weight_decay_of_adam_is_a_part_of_the_gradient() -> None:
    before, decayed = stepped(weight_decay=1e6)  # all that is left of the gradient
    for start, other in zip(before.parameters(), decayed.parameters(), strict=True):
        large = start.abs() > 1e-3
        moved = (other - start)[large]
        torch.testing.assert_close(moved, -1e-3 * start.sign()[large], rtol=1e-2, atol=1e-6)


def test_a_gradient_is_clipped_to_its_norm() -> None:
    norms = {}
    for limit in (None, 1e-3, 1e3):
        _, network = stepped(gradient_clipping=limit)
        norms[limit] = nn.utils.get_total_norm(p.grad for p in network.parameters()).item()
    assert norms[1e-3] == pytest.approx(1e-3, rel=1e-3)
    assert norms[1e3] == norms[None] > 1e-2


def test_training_stops_by_the_configured_metric_at_its_own_cutoff() -> None:
    config = with_training(
        small_config(hyperparameters=STILL | {"hidden_size": 16}),
        learning_rate=0.02,
        max_epochs=60,
        patience=3,
        stopping_metric="hit_rate@3",
    )
    found, _ = trained(config)
    curve = [epoch.validation["hit_rate@3"] for epoch in found.history]
    assert [epoch.stopping_metric for epoch in found.history] == curve
    assert found.best_epoch == 1 + curve.index(max(curve))
    assert len(curve) == found.best_epoch + 3 < 60
    assert "ndcg@10" in found.history[0].validation  # which every record has
    other, _ = trained(with_training(config, stopping_metric="ndcg@10"))
    assert other.history[0].training_loss == found.history[0].training_loss


def test_an_optimiser_that_can_be_captured_makes_the_same_steps() -> None:
    """And goes on from a saved state: its rate is a tensor, which others must not put aside."""
    config = with_training(small_config(), **FULL_SETTINGS, max_epochs=1)
    weights = []
    for capturable in (False, True):
        network = network_of(config)
        trainer = Trainer(network, SPLITS, config, CPU)
        assert config.training is not None
        trainer.optimiser = make_optimiser(network, config.training, capturable=capturable)
        trainer.begin_epoch()
        trainer.step()
        rate = trainer.optimiser.param_groups[0]["lr"]
        trainer.step()
        if capturable:
            assert trainer.optimiser.param_groups[0]["lr"] is rate
        trainer.optimiser.load_state_dict(trainer.optimiser.state_dict())
        trainer.step()
        weights.append(network.state_dict())
    for plain, captured in zip(*(each.values() for each in weights), strict=True):
        torch.testing.assert_close(captured, plain)

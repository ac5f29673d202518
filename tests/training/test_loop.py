"""The training loop: seeds, early stopping, and every loss with every network."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import LOSSES, NETWORKS, log_of, simulated_log, small_config, without_dropout
from torch import Tensor, nn

from seqrec.errors import SeqrecError
from seqrec.experiment.implementations import import_model
from seqrec.experiment.schema import RunConfig
from seqrec.models import MaskedItem, Network, NextItem
from seqrec.protocol.epoch import Epoch
from seqrec.protocol.metrics import metrics_from_ranks
from seqrec.protocol.ranking import rank_users
from seqrec.protocol.splits import Splits, leave_one_out
from seqrec.training.arithmetic import Engine
from seqrec.training.batches import TrainingSequences
from seqrec.training.building import build_model, seeded_model
from seqrec.training.loop import Position, Trainer, sample_users, train
from seqrec.training.objective import make_encoder
from seqrec.training.scoring import network_scorer

CPU = Engine(torch.device("cpu"))
SPLITS = leave_one_out(simulated_log())


def network_of(config: RunConfig, splits: Splits = SPLITS) -> Network:
    """Build from the seed, as a run does."""
    network = seeded_model(config, splits.test.num_items)
    assert isinstance(network, Network)
    return network


def train_network(
    network: Network, config: RunConfig, splits: Splits = SPLITS, engine: Engine = CPU
) -> Position:
    """Train to the end; how that went."""
    trainer = Trainer(network, splits, config, engine)
    assert list(train(trainer)) == trainer.position.history
    return trainer.position


def trained(config: RunConfig, splits: Splits = SPLITS) -> tuple[Position, Network]:
    """Build from the seed and train, as a run does."""
    network = network_of(config, splits)
    return train_network(network, config, splits), network


def ranks_of(network: Network, config: RunConfig, part: str, splits: Splits = SPLITS) -> np.ndarray:
    split = getattr(splits, part)
    network.eval()
    with torch.no_grad():
        score = network_scorer(network, split, config.max_length, CPU.device)
        return rank_users(score, split, np.arange(split.num_users), 64)


def without_clock(history: list[Epoch]) -> list[Epoch]:
    return [replace(epoch, seconds=0.0) for epoch in history]


def with_training(config: RunConfig, **values: Any) -> RunConfig:
    data = config.model_dump()
    return RunConfig.model_validate({**data, "training": data["training"] | values})


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


@pytest.mark.parametrize("loss", list(LOSSES))
@pytest.mark.parametrize("implementation", list(NETWORKS))
def test_every_loss_trains_every_network(implementation: str, loss: str) -> None:
    config = small_config(implementation, loss)
    torch.manual_seed(0)
    before = build_model(config, SPLITS.test.num_items)
    assert isinstance(before, Network)
    weights = {name: tensor.clone() for name, tensor in before.state_dict().items()}
    result = train_network(before, with_training(config, max_epochs=3, learning_rate=5e-3))
    values = [epoch.training_loss for epoch in result.history]
    assert values[-1] < values[0]
    after = before.state_dict()
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, weights[name])}
    assert moved == set(after)  # nothing is left out of the optimiser


@pytest.mark.parametrize(
    ("implementation", "loss"),
    [("sasrec", "sampled"), ("sasrec", "binary"), ("bert4rec", "full"), ("gru4rec", "full")],
)
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(
    implementation: str, loss: str
) -> None:
    config = small_config(implementation, loss)
    first, network = trained(config)
    torch.rand(5)  # the state of the process must not matter
    np.random.seed(3)  # noqa: NPY002
    again, twin = trained(config)
    assert same(network.state_dict(), twin.state_dict())
    assert without_clock(first.history) == without_clock(again.history)
    assert first.best_epoch == again.best_epoch
    assert np.array_equal(ranks_of(network, config, "test"), ranks_of(twin, config, "test"))

    other, stranger = trained(config.model_copy(update={"seed": 1}))
    assert not same(network.state_dict(), stranger.state_dict())
    assert without_clock(first.history) != without_clock(other.history)


def test_the_seed_of_the_run_also_orders_users_and_draws_negatives() -> None:
    config = small_config(loss="sampled", hyperparameters=NETWORKS["sasrec"] | {"dropout": 0.0})
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(0)  # the same initial weights each time
        network = build_model(config, SPLITS.test.num_items)
        assert isinstance(network, Network)
        train_network(network, config.model_copy(update={"seed": seed}))
        weights.append(network.state_dict())
    assert same(weights[0], weights[1])
    assert not same(weights[0], weights[2])


# Validation NDCG@10 first rises and soon falls here, so that early stopping has work to do.
OVERFITTING = with_training(
    small_config(hyperparameters=NETWORKS["sasrec"] | {"hidden_size": 16, "dropout": 0.0}),
    learning_rate=0.02,
    max_epochs=60,
    patience=3,
)


def test_training_stops_after_patience_and_keeps_the_best_epochs_weights() -> None:
    result, network = trained(OVERFITTING)
    curve = [epoch.stopping_metric for epoch in result.history]
    assert result.best_epoch == 1 + int(np.argmax(curve))
    assert len(curve) == result.best_epoch + 3 < 60
    kept = metrics_from_ranks(ranks_of(network, OVERFITTING, "validation"), [10])
    assert kept["ndcg@10"] == max(curve)
    assert kept["ndcg@10"] != curve[-1]


def test_training_never_goes_on_beyond_max_epochs() -> None:
    config = with_training(OVERFITTING, max_epochs=2, patience=50)
    assert len(trained(config)[0].history) == 2


def test_an_epoch_that_is_only_as_good_is_not_better() -> None:
    config = with_training(small_config(), learning_rate=1e-30, patience=4, max_epochs=60)
    result, _ = trained(config)
    assert result.best_epoch == 1
    assert len(result.history) == 5


def test_the_history_has_a_line_an_epoch_with_metrics_at_each_cutoff() -> None:
    config = small_config(evaluation={"cutoffs": [5, 20]})
    result, _ = trained(config)
    assert [epoch.number for epoch in result.history] == [1, 2]
    columns = ["epoch", "seconds", "training_loss"]
    columns += [f"{m}@{k}" for k in (5, 10, 20) for m in ("hit_rate", "ndcg", "mrr")]
    assert list(result.history[0].line()) == columns  # early stopping reads 10
    seconds = [epoch.seconds for epoch in result.history]
    assert 0 < seconds[0] < seconds[1] <= result.seconds


def test_what_is_done_with_an_epoch_takes_no_training_time(monkeypatch: pytest.MonkeyPatch) -> None:
    config, waited = small_config(), 0.0
    clock = time.perf_counter
    monkeypatch.setattr(time, "perf_counter", lambda: clock() + waited)
    trainer = Trainer(network_of(config), SPLITS, config, CPU)
    for _ in train(trainer):
        waited += 10_000
    assert trainer.result().training_seconds < 10_000


def test_validation_uses_one_sample_of_users_for_the_whole_run() -> None:
    # Weights that stand still: only another sample could change the metrics.
    config = with_training(small_config(), learning_rate=1e-30, max_epochs=4, validation_users=20)
    curves = []
    for seed in (0, 1, 2):
        torch.manual_seed(0)
        network = build_model(config, SPLITS.test.num_items)
        assert isinstance(network, Network)
        result = train_network(network, config.model_copy(update={"seed": seed}))
        curves.append([epoch.validation["hit_rate@10"] for epoch in result.history])
        assert len(set(curves[-1])) == 1
        assert curves[-1][0] * 20 == pytest.approx(round(curves[-1][0] * 20))
    assert len({curve[0] for curve in curves}) > 1  # each run draws its own


def test_a_validation_sample_has_distinct_users_and_everybody_where_there_are_few() -> None:
    seed = np.random.SeedSequence(0)
    drawn = sample_users(SPLITS.validation, 50, seed)
    assert len(set(drawn.tolist())) == 50
    assert drawn.max() < SPLITS.validation.num_users
    assert drawn.tolist() != list(range(50))
    everybody = list(range(SPLITS.validation.num_users))
    for limit in (SPLITS.validation.num_users, 10_000):
        assert sample_users(SPLITS.validation, limit, seed).tolist() == everybody


def test_the_size_of_the_validation_sample_changes_no_weight() -> None:
    config = with_training(small_config(loss="sampled"), max_epochs=1)
    _, whole = trained(config)
    _, sampled = trained(with_training(config, validation_users=7))
    assert same(whole.state_dict(), sampled.state_dict())


def test_users_too_short_to_train_on_are_validated_and_tested_all_the_same() -> None:
    long, short = [1, 2, 3, 4, 5, 6], [7, 8, 9]
    splits = leave_one_out(log_of([long, short, long, short], 12))
    for task, users in ((NextItem(), [0, 2]), (MaskedItem(), [0, 1, 2, 3])):
        assert TrainingSequences.of(splits.train, task, 10).users.tolist() == users
    for implementation in NETWORKS:
        config = small_config(implementation)
        _, network = trained(config, splits)
        assert len(ranks_of(network, config, "test", splits)) == 4


def test_nobody_to_train_on_is_an_error() -> None:
    splits = leave_one_out(log_of([[1, 2, 3]] * 4, 12))
    with pytest.raises(SeqrecError, match="no user has 2 train interactions"):
        trained(small_config(), splits)
    trained(small_config("bert4rec"), splits)  # one item can be masked


@pytest.mark.parametrize("implementation", ["sasrec", "gru4rec"])
@pytest.mark.parametrize("loss", ["full", "sampled", "binary"])
def test_a_training_that_diverges_is_an_error_with_the_remedy(
    implementation: str, loss: str
) -> None:
    config = with_training(small_config(implementation, loss), learning_rate=1e38)
    with pytest.raises(SeqrecError, match=r"the training loss is .*Lower training\.learning_rate"):
        trained(config)


def test_more_negatives_than_items_is_an_error_before_the_first_epoch() -> None:
    loss = {"kind": "sampled-cross-entropy", "negatives": 59}
    with pytest.raises(SeqrecError, match="59 distinct negatives"):
        trained(small_config(loss="full").model_copy(update={"loss": _loss(loss)}))


def _loss(values: dict[str, Any]) -> Any:
    return small_config().model_validate(small_config().model_dump() | {"loss": values}).loss


def test_the_fullest_sequence_is_counted_in_distinct_items_of_its_window() -> None:
    histories = [[1, 2, 2, 3, 3, 8, 9], [4, 5, 8, 9]]
    for users, window, most in ((histories, 9, 3), (histories, 2, 2), (histories[:1], 2, 1)):
        split = leave_one_out(log_of(users, 9)).train
        task = NextItem()
        sequences = TrainingSequences.of(split, task, window - 1)
        assert (sequences.window, sequences.most_distinct_items()) == (window, most)


class Watcher(Network):
    """Notes the inputs it is trained on."""

    def __init__(self, num_items: int, task: Any) -> None:
        self.task = task
        super().__init__(num_items, 4)
        self.seen: list[Tensor] = []

    def forward(self, rows: Tensor) -> Tensor:
        if self.training:
            self.seen.append(rows)
        return self.items(rows)


def test_every_user_is_trained_on_once_an_epoch_in_a_new_order_with_the_smaller_last_batch() -> (
    None
):
    users = [[user, user + 20, user, 1, 1] for user in range(1, 12)]  # the first item tells who
    splits = leave_one_out(log_of(users, 40))
    network = Watcher(40, NextItem())
    config = with_training(small_config(), batch_size=4, max_epochs=3, patience=9)
    train_network(network, config, splits)
    assert [len(rows) for rows in network.seen] == [4, 4, 3] * 3
    epochs = [torch.cat(network.seen[i : i + 3])[:, 0].tolist() for i in (0, 3, 6)]
    assert all(sorted(epoch) == list(range(1, 12)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_masks_are_drawn_anew_each_epoch() -> None:
    splits = leave_one_out(log_of([list(range(1, 13))], 40))
    network = Watcher(40, MaskedItem(0.5))
    train_network(network, with_training(small_config(), max_epochs=4, patience=9), splits)
    assert len({tuple(rows[0].tolist()) for rows in network.seen}) > 1


def test_the_order_of_users_comes_from_the_runs_seed_alone() -> None:
    splits = leave_one_out(log_of([[user, user + 20, user, 1, 1] for user in range(1, 12)], 40))
    orders = []
    for process_seed, seed in ((0, 0), (1, 0), (0, 1)):
        torch.manual_seed(process_seed)
        network = Watcher(40, NextItem())
        config = with_training(small_config(seed=seed), max_epochs=1)
        train_network(network, config, splits)
        orders.append(torch.cat(network.seen)[:, 0].tolist())
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize("task", [NextItem(), MaskedItem(0.5)])
@pytest.mark.parametrize("loss", list(LOSSES)[1:])
def test_negatives_are_rows_of_unseen_train_items_whatever_the_special_rows(
    task: Any, loss: str
) -> None:
    # Ten train items; the sequence leaves just 3 and 10, and 11 and 12 are in no train part.
    long = [1, 2, 4, 5, 6, 7, 8, 9]
    splits = leave_one_out(log_of([[*long, 11, 12], [3, 10, 11, 12]], 12))
    config = with_training(
        small_config(loss=loss).model_copy(update={"loss": _loss(LOSSES[loss] | {"negatives": 2})}),
        batch_size=1,
    )
    network = Watcher(12, task)
    trainer = Trainer(network, splits, config, CPU)
    shift, found = task.special_rows - 1, set()
    for _ in range(8):
        trainer.begin_epoch()
        while trainer.users_left:
            trainer.step()
            if network.seen[-1].shape[1] > 3:  # the long sequence's batch
                gradient = network.items.weight.grad
                assert gradient is not None
                found |= set((gradient.any(1).nonzero()[:, 0] - shift).tolist())
    assert {item for item in found if item > 0} - set(long) == {3, 10}


def gradients_of(states: Tensor, network: nn.Module) -> list[Tensor]:
    network.zero_grad()
    (states * torch.linspace(0.5, 1.5, states.shape[-1])).sum().backward()
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


class HostAutocast(torch.autocast):
    """The rules of automatic precision of a CPU, whichever device they are asked for."""

    def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
        super().__init__("cpu", *args, **kwargs)


@pytest.fixture
def accelerator(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """The GPU, or where there is none the CPU with a GPU's part played by its own rules."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    monkeypatch.setattr(torch, "autocast", HostAutocast)
    return CPU.device


@pytest.mark.parametrize("implementation", NETWORKS)
def test_a_gpu_multiplies_in_bfloat16_and_learns_in_float32(
    implementation: str, accelerator: torch.device
) -> None:
    torch.manual_seed(0)
    network = import_model(implementation)(20, 8, **without_dropout(implementation))
    network.to(accelerator)
    rows = torch.randint(2, 20, (4, 8), device=accelerator)
    exact = network(rows)
    wanted = gradients_of(exact, network)
    near = {"rtol": 0.05, "atol": 0.05 * exact.abs().max().item()}
    for kind, precision, same in (
        ("cuda", "bfloat16", False),
        ("cuda", "float32", True),
        ("cpu", "bfloat16", True),
    ):
        states = make_encoder(network, Engine(torch.device(kind), precision))(rows)
        assert states.dtype == torch.float32
        assert torch.equal(states, exact) == same
        torch.testing.assert_close(states, exact, **near)
        for found, reference in zip(gradients_of(states, network), wanted, strict=True):
            assert found.dtype == torch.float32
            limit = 0.05 * reference.abs().max().item()
            torch.testing.assert_close(found, reference, rtol=0.05, atol=limit)


@pytest.mark.parametrize(("kind", "one_shape"), [("cpu", False), ("cuda", True)])
def test_a_network_is_compiled_if_asked_for_and_for_one_shape_on_an_accelerator(
    kind: str, one_shape: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiler, which takes long and needs the accelerator, is one that triples."""

    def compiler(network: nn.Module, dynamic: bool | None = None) -> Any:
        assert (dynamic is False) == one_shape
        return lambda rows: network(rows) * 3

    monkeypatch.setattr(torch, "compile", compiler)
    network, rows = import_model("gru4rec")(20, 8, hidden_size=4), torch.tensor([[1, 2]])
    plain, compiled = (
        make_encoder(network, Engine(torch.device(kind), compile=compile))(rows)
        for compile in (False, True)
    )
    assert torch.equal(plain, network(rows))
    assert torch.equal(compiled, plain * 3)


@pytest.mark.slow
@pytest.mark.parametrize("implementation", NETWORKS)
def test_a_compiled_network_learns_the_same(implementation: str) -> None:
    config = small_config(implementation, hyperparameters=without_dropout(implementation))
    plain, _ = trained(config)
    network = network_of(config)
    engine = Engine(torch.device("cpu"), compile=True)
    compiled = train_network(network, config, engine=engine)
    for one, other in zip(plain.history, compiled.history, strict=True):
        assert one.training_loss == pytest.approx(other.training_loss, rel=1e-4)
    assert not any("_orig_mod" in name for name in network.state_dict())

"""A custom network that would get wrong metrics is refused before it is trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import NETWORKS, depth_of, log_of, preprocessed_log, small_config
from torch import Tensor, nn
from torch.nn import functional as F

from seqrec.errors import SeqrecError
from seqrec.experiment.built_in import built_in_names
from seqrec.experiment.implementations import import_model
from seqrec.experiment.schema import RunConfig
from seqrec.layout import RunFiles, run_folder
from seqrec.models import Fitted, MaskedItem, Network, NextItem, initialise_normal
from seqrec.models.layers import read_at
from seqrec.models.tasks import TrainingBatch
from seqrec.protocol.splits import Split, leave_one_out
from seqrec.running.network_check import check_network
from seqrec.running.options import EngineOptions
from seqrec.running.run import run
from seqrec.training.building import build_model
from seqrec.training.fitting import checked_state, fitted_scorer

ITEMS, WIDTH = 40, 8


class Sound(Network):
    """A recurrent network without a mistake; each one below has one."""

    task = NextItem()

    def __init__(self, num_items: int, max_length: int) -> None:
        super().__init__(num_items, WIDTH)
        self.rnn = nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.linear = nn.Linear(WIDTH, WIDTH)
        initialise_normal(self)

    def forward(self, rows: Tensor) -> Tensor:
        hidden: Tensor = self.rnn(self.items(rows))[0]
        return self.linear(hidden) + hidden


class Masked(Sound):
    """Reads both ways, and knows what is padding."""

    task = MaskedItem()

    def forward(self, rows: Tensor) -> Tensor:
        real = (rows > 0)[..., None]
        x = self.items(rows) * real
        return x + x.sum(1, keepdim=True) / real.sum(1, keepdim=True)


class Timed(Sound):
    """Reads the gap before each item, for which the first has none."""

    task = NextItem(times="history")

    def forward(self, rows: Tensor, times: Tensor) -> Tensor:  # type: ignore[override]
        gaps = F.pad(times[:, 1:] - times[:, :-1], (1, 0))[:, : rows.shape[1]]
        return super().forward(rows) * (1 + gaps.clamp_min(1).log()[..., None] / 20)


class ToldWhen(Sound):
    """Reads the gap to the item that is to be predicted."""

    task = NextItem(times="target")

    def forward(self, rows: Tensor, times: Tensor) -> Tensor:  # type: ignore[override]
        gaps = (times[:, 1:] - times[:, :-1]).clamp_min(1)
        return super().forward(rows) * (1 + gaps.log()[..., None] / 20)


class SeesLaterTimes(Timed):
    def forward(self, rows: Tensor, times: Tensor) -> Tensor:
        gaps = F.pad(times[:, 1:] - times[:, :-1], (0, 1)).clamp_min(1)
        return Sound.forward(self, rows) * (1 + gaps.log()[..., None] / 20)


class SeesPaddedTimes(Timed):
    def forward(self, rows: Tensor, times: Tensor) -> Tensor:
        return super().forward(rows, times) * (1 + (times == 0).sum(1)[:, None, None])


class SeesTimesBeyondTheTarget(ToldWhen):
    def forward(self, rows: Tensor, times: Tensor) -> Tensor:
        return super().forward(rows, F.pad(times[:, 1:], (0, 1)))


class TakesNoTimes(Sound):
    task = NextItem(times="history")


class LastStateOnly(Sound):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows)[:, -1]


class TooWide(Sound):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows).repeat(1, 1, 2)


class Pair(Sound):
    def forward(self, rows: Tensor) -> Tensor:
        return self.rnn(self.items(rows))  # type: ignore[no-any-return]


class Random(Sound):
    def forward(self, rows: Tensor) -> Tensor:
        return F.dropout(super().forward(rows), 0.1)


class ReadsBothWays(Sound):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows) + super().forward(rows.flip(1)).flip(1)


class SeesTheNext(Sound):
    def forward(self, rows: Tensor) -> Tensor:
        hidden = super().forward(rows)
        return hidden + 0.1 * F.pad(hidden[:, 1:], (0, 0, 0, 1))


class WillSeeAll(Sound):
    """Its gate is zero until training opens it."""

    def __init__(self, num_items: int, max_length: int) -> None:
        super().__init__(num_items, max_length)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, rows: Tensor) -> Tensor:
        hidden = super().forward(rows)
        return hidden + self.gate * hidden.mean(1, keepdim=True)


class ReadsTheLastColumn(Sound):
    """As if padding were on the left."""

    def forward(self, rows: Tensor) -> Tensor:
        hidden = super().forward(rows)
        return hidden[:, -1:].expand_as(hidden)


class PaddingOnTheLeft(Masked):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows) + self.items(rows[:, -1:])


class MixesTheBatch(Sound):
    def forward(self, rows: Tensor) -> Tensor:
        hidden = super().forward(rows)
        return hidden - hidden.mean(0)


class SeesPadding(Masked):
    def forward(self, rows: Tensor) -> Tensor:
        x = self.items(rows)
        return x + x.mean(1, keepdim=True)


class OtherStatesAt(Sound):
    def states_at(self, rows: Tensor, positions: Tensor) -> Tensor:
        return read_at(self(rows), positions - 1)[:, 0]


class ManyStatesAt(Sound):
    def states_at(self, rows: Tensor, positions: Tensor) -> Tensor:
        return self(rows)  # type: ignore[no-any-return]


class Detached(Sound):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows).detach()


class ListOfLayers(Sound):
    def __init__(self, num_items: int, max_length: int) -> None:
        super().__init__(num_items, max_length)
        self.layers = [nn.Linear(WIDTH, WIDTH)]

    def forward(self, rows: Tensor) -> Tensor:
        return self.layers[0](super().forward(rows))  # type: ignore[no-any-return]


class FrozenTable(Sound):
    @property
    def item_table(self) -> Tensor:
        return self.items.weight.detach()


class ShortTable(Sound):
    @property
    def item_table(self) -> Tensor:
        return self.items.weight[1:]


class NotFinite(Sound):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows) / self.linear.bias


class OtherPrecision(Sound):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows).double()


class ChangedInPlace(Sound):
    def forward(self, rows: Tensor) -> Tensor:
        hidden = super().forward(rows).sigmoid()
        hidden += 1
        return hidden


class ShortOfPositions(Sound):
    def __init__(self, num_items: int, max_length: int) -> None:
        super().__init__(num_items, max_length)
        self.positions = nn.Embedding(max_length - 1, WIDTH)

    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows) + self.positions(torch.arange(rows.shape[1]))


class WrongSize(Sound):
    def __init__(self, num_items: int, max_length: int) -> None:
        super().__init__(num_items, max_length)
        self.linear = nn.Linear(2 * WIDTH, WIDTH)


class WithoutATask(Network):
    def __init__(self, num_items: int, max_length: int) -> None:
        super().__init__(num_items, WIDTH)


class AlsoFirst(NextItem):
    """A task that gives the first item a label as well, and counts as if it did not."""

    def training_window(self, max_length: int) -> int:
        return max_length

    def training_batch(self, sequences: Tensor, generator: torch.Generator) -> TrainingBatch:
        return TrainingBatch(sequences, sequences)


class ItemNumbers(MaskedItem):
    """A task whose labels are item numbers, where rows of the item table are asked for."""

    def training_batch(self, sequences: Tensor, generator: torch.Generator) -> TrainingBatch:
        inputs = super().training_batch(sequences, generator).inputs
        return TrainingBatch(inputs, sequences.roll(1, dims=1))


class LabelledPadding(NextItem):
    """A task that gives the last item of a short sequence a label, and no input."""

    def training_batch(self, sequences: Tensor, generator: torch.Generator) -> TrainingBatch:
        inputs, labels = super().training_batch(sequences, generator)
        return TrainingBatch(inputs * (labels.roll(-1, dims=1) > 0), labels)


class TwoHalves(NextItem):
    """A task that makes two rows of each sequence."""

    def training_batch(self, sequences: Tensor, generator: torch.Generator) -> TrainingBatch:
        inputs, labels = super().training_batch(sequences, generator)
        return TrainingBatch(torch.cat([inputs, inputs]), torch.cat([labels, labels]))


class LabelsAlone(NextItem):
    """A task with a label more than inputs."""

    def training_batch(self, sequences: Tensor, generator: torch.Generator) -> TrainingBatch:
        return TrainingBatch(sequences[:, :-1], sequences)


class TooManyLabels(Sound):
    task = AlsoFirst()


class LabelsOfNoItem(Masked):
    task = ItemNumbers()


class UnevenBatch(Sound):
    task = LabelsAlone()


class PaddingHasALabel(Sound):
    task = LabelledPadding()


class MoreRows(Sound):
    task = TwoHalves()


class OneArgument(Sound):
    def __init__(self, num_items: int) -> None:
        super().__init__(num_items, 10)


def config_of(model: type[Network] | type[Fitted]) -> RunConfig:
    like = small_config("sasrec" if issubclass(model, Network) else "popularity")
    changes = {"implementation": f"{__name__}:{model.__name__}", "hyperparameters": {}}
    return like.model_copy(update=changes)


def check(network: type[Network]) -> None:
    config = config_of(network)
    torch.manual_seed(0)
    built = build_model(config, ITEMS)
    assert isinstance(built, Network)
    check_network(built, config, ITEMS)


@pytest.mark.parametrize("network", [Sound, Masked, Timed, ToldWhen])
def test_a_network_without_a_mistake_passes(network: type[Network]) -> None:
    check(network)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (LastStateOnly, r"forward gives torch.float32 of shape \[3, 8\].*shape \[3, 10, 8\]"),
        (TooWide, r"forward gives torch.float32 of shape \[3, 10, 16\].*shape \[3, 10, 8\]"),
        (Pair, r"forward gives tuple, and must give hidden states \[batch, time, width\]"),
        (OtherPrecision, r"forward gives torch.float64"),
        (NotFinite, "not finite, before any training"),
        (Random, "different hidden states when it is called again"),
        (ReadsBothWays, "change with the items after them.*must be causal"),
        (SeesTheNext, "change with the items after them"),
        (WillSeeAll, "change with the items after them"),
        (ReadsTheLastColumn, "change with the items after them"),
        (PaddingOnTheLeft, "6 items differ between.*no position counted from the end"),
        (MixesTheBatch, "No sequence may see another"),
        (SeesPadding, "nor the padding, row 0 on the right"),
        (OtherStatesAt, "states_at gives different hidden states than forward"),
        (ManyStatesAt, r"states_at gives torch.float32 of shape \[3, 10, 8\].*\[batch, width\]"),
        (Detached, "no gradient reaches its weights"),
        (ListOfLayers, r"not among its parameters\(\), of shape \[8.*nn.ModuleList"),
        (FrozenTable, "no gradient reaches item_table"),
        (ShortTable, r"item_table is of shape \[40, 8\], and must be \[41, width\]"),
        (ChangedInPlace, r"fails on a small batch \(RuntimeError: .*inplace operation"),
        (ShortOfPositions, r"test_network_check.py:\d+ \(IndexError: index out of range"),
        (WrongSize, r"test_network_check.py:\d+ \(RuntimeError: mat1 and mat2 shapes"),
        (WithoutATask, r"test_network_check.py:\d+ \(AttributeError: .*'task'"),
        (SeesLaterTimes, r"with later times than it may know.*\"history\".*its own item"),
        (SeesPaddedTimes, "differ between.*nor the padding"),
        (SeesTimesBeyondTheTarget, r"later times than it may know.*\"target\".*be predicted"),
        (TakesNoTimes, r"takes 2 positional arguments but 3 were given"),
        (TooManyLabels, r"gives 25 labels, and its most_labels says that there are at most 22"),
        (LabelsOfNoItem, "labels that are no items.*2 special rows come before"),
        (UnevenBatch, r"inputs \[3, 10\] and labels \[3, 11\] for 3 sequences"),
        (MoreRows, r"inputs \[6, 10\] and labels \[6, 10\] for 3 sequences"),
        (PaddingHasALabel, "gives a label to padding"),
        (OneArgument, r"fails while it is built \(TypeError: .*takes 2 positional arguments"),
    ],
    ids=lambda case: case.__name__ if isinstance(case, type) else "",
)
def test_each_mistake_is_named(network: type[Network], message: str) -> None:
    with pytest.raises(SeqrecError, match=rf"{__name__}:{network.__name__}'.*{message}"):
        check(network)


TRAINED = [name for name in built_in_names() if issubclass(import_model(name), Network)]


@pytest.mark.parametrize("hidden_size", [8, 64])
@pytest.mark.parametrize("length", [2, 10, 200])
@pytest.mark.parametrize("implementation", TRAINED)
def test_the_built_in_networks_pass(implementation: str, length: int, hidden_size: int) -> None:
    timed = [{"time_bias": kind} for kind in ("history", "target")]
    for more in ({}, {depth_of(implementation): 3}, *(timed if implementation == "hstu" else [])):
        hyperparameters = NETWORKS[implementation] | {"hidden_size": hidden_size} | more
        config = small_config(implementation, max_length=length, hyperparameters=hyperparameters)
        torch.manual_seed(length)
        network = build_model(config, ITEMS)
        assert isinstance(network, Network)
        check_network(network, config, ITEMS)


def test_the_check_changes_nothing_of_a_training(tmp_path: Path) -> None:
    """SASRec by its import path is checked, by its name it is not."""
    data = preprocessed_log(tmp_path / "data")

    def trained(implementation: str) -> tuple[bytes, bytes, dict[str, float]]:
        config = small_config().model_copy(update={"implementation": implementation})
        files = RunFiles(tmp_path / implementation / run_folder(*config.run))
        record = run(config, data, files.folder, EngineOptions("cpu", 1, "float32"))
        return files.weights.read_bytes(), files.ranks.read_bytes(), record.validation

    assert trained("seqrec.models.sasrec:SASRec") == trained("sasrec")


def test_a_run_checks_a_custom_network(tmp_path: Path) -> None:
    data = preprocessed_log(tmp_path / "data")
    with pytest.raises(SeqrecError, match="change with the items after them"):
        run(config_of(SeesTheNext), data, tmp_path / "run", EngineOptions("cpu", 1, "float32"))
    assert not RunFiles(tmp_path / "run").metrics.exists()


class Counts(Fitted):
    """A fitted model without a mistake."""

    def fit(self, split: Split, seed: int, threads: int) -> None:
        pass

    def score(self, users: np.ndarray) -> Any:
        return self.given(users)

    def given(self, users: np.ndarray) -> Any:
        return torch.ones(self.num_items).expand(len(users), -1)

    def state(self) -> Any:
        return {"counts": torch.ones(3)}


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (lambda users: np.ones((len(users), ITEMS)), "score gives ndarray for 5 users"),
        (lambda users: torch.ones(len(users), ITEMS + 1), r"of shape \[5, 41\]"),
        (lambda users: torch.ones(ITEMS), r"of shape \[40\]"),
        (lambda users: torch.ones(len(users), ITEMS).double(), "torch.float64"),
        (lambda users: torch.ones(len(users), ITEMS) / 0, "200 numbers that are not finite"),
        (
            lambda users: users.nothing,
            r"in score in .*test_network_check.py:\d+ \(Attr",
        ),
    ],
)
def test_scores_of_a_fitted_model_are_checked(
    scores: Callable[[np.ndarray], object], message: str
) -> None:
    config = config_of(Counts)
    model = Counts(ITEMS, 10)
    split = leave_one_out(log_of([[1, 2, 3]] * 5, ITEMS)).test
    score = fitted_scorer(model, config, split)
    found = score(np.arange(5))
    found[0, 0] = -torch.inf  # as ranking does, in memory that is not the model's
    assert torch.isfinite(score(np.arange(5))).all()
    model.given = scores  # type: ignore[method-assign]
    with pytest.raises(SeqrecError, match=rf"{__name__}:Counts'.*{message}"):
        score(np.arange(5))


@pytest.mark.parametrize("state", [{"counts": np.ones(3)}, torch.ones(3)])
def test_the_state_of_a_fitted_model_is_checked(state: object) -> None:
    config = config_of(Counts)
    model = Counts(ITEMS, 10)
    assert checked_state(model, config).keys() == {"counts"}
    model.state = lambda: state  # type: ignore[method-assign]
    with pytest.raises(SeqrecError, match="must give a dictionary of torch tensors"):
        checked_state(model, config)

"""The losses and scores that pages show are checked and trained as users would train them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from documentation import shown_files
from shipped import copied_config
from small_runs import LOSSES, preprocessed_log, simulated_log, small_config

from seqrec.experiment.implementations import import_model
from seqrec.experiment.registry import Registry
from seqrec.experiment.schema import Loss, RunConfig
from seqrec.models import Network
from seqrec.protocol.splits import leave_one_out
from seqrec.running.loss_check import check_loss
from seqrec.running.network_check import check_network
from seqrec.running.options import EngineOptions
from seqrec.running.run import run
from seqrec.training.arithmetic import Engine
from seqrec.training.building import seeded_model
from seqrec.training.loop import Trainer, train

CPU = torch.device("cpu")
SCORES = ["WithBias", "Cosine", "OwnOutput"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the files that the pages show."""
    copied_config(tmp_path)
    for name, text in shown_files().items():
        if name in ("my_losses.py", "my_scores.py") or "sasrec-margin" in name:
            (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_the_own_loss_of_the_tutorial_trains(project: Path) -> None:
    registry = Registry(project / "config")
    entry = registry.model("sasrec-margin")
    focal = Loss(kind="my_losses:focal", parameters={"gamma": 1.5})
    data = preprocessed_log(project / "data")
    for loss in (entry.loss, focal):
        assert loss is not None
        check_loss(registry.with_parameters(loss, "here"), 60, CPU)
        few = loss.model_copy(update={"negatives": loss.negatives and 8})
        config = small_config(training={"batch_size": 32, "max_epochs": 3, "learning_rate": 5e-3})
        config = config.model_copy(update={"loss": few})
        folder = project / loss.kind.replace(":", "-")
        record = run(config, data, folder, EngineOptions("cpu", 1, "float32"))
        assert record.seqrec.loss_code
        losses = [
            float(line.split(",")[2]) for line in (folder / "history.csv").open().readlines()[1:]
        ]
        assert losses[-1] < losses[0]


def scored_config(name: str, loss: dict[str, Any]) -> RunConfig:
    values = small_config(training={"batch_size": 32, "max_epochs": 3, "learning_rate": 5e-3})
    changes = {
        "implementation": f"my_scores:{name}",
        "hyperparameters": {"hidden_size": 8},
        "loss": loss,
    }
    return RunConfig.model_validate(values.model_dump() | changes)


@pytest.mark.parametrize("name", SCORES)
def test_each_way_to_score_passes_the_check_and_trains_with_every_loss(
    name: str, project: Path
) -> None:
    splits = leave_one_out(simulated_log())
    for loss in LOSSES.values():
        config = scored_config(name, loss)
        network = seeded_model(config, splits.test.num_items)
        assert isinstance(network, Network)
        check_network(network, config, splits.test.num_items)
        network = seeded_model(config, splits.test.num_items)
        assert isinstance(network, Network)
        before = {key: value.clone() for key, value in network.state_dict().items()}
        trainer = Trainer(network, splits, config, Engine(CPU))
        losses = [epoch.training_loss for epoch in train(trainer)]
        assert losses[-1] < losses[0]
        after = network.state_dict()
        assert all(not torch.equal(after[key], before[key]) for key in before)


def test_the_ways_to_score_are_what_they_say(project: Path) -> None:
    rows = torch.tensor([[1, 2, 3], [4, 5, 0]])
    with torch.no_grad():
        biased, cosine, own = (import_model(f"my_scores:{name}")(20, 3) for name in SCORES)
        biased.bias.normal_()
        plain = biased.rnn(biased.items(rows))[0] @ biased.items.weight.T
        scores = biased(rows) @ biased.item_table.T
        torch.testing.assert_close(scores, plain + biased.bias[:, 0])

        scores = cosine(rows) @ cosine.item_table.T * 0.1
        states = cosine.rnn(cosine.items(rows))[0]
        expected = torch.cosine_similarity(states[:, :, None], cosine.items.weight[None, None], -1)
        torch.testing.assert_close(scores, expected)

        before = own(rows) @ own.item_table.T
        own.output_items.weight.mul_(2)
        torch.testing.assert_close(own(rows) @ own.item_table.T, 2 * before)

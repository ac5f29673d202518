"""Built-in models: read from their source as they are, and added by one file and one YAML."""

import inspect
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from shipped import copied_config
from small_runs import ROOT, small_config

from seqrec.errors import SeqrecError
from seqrec.experiment.built_in import built_in_names, find_built_in
from seqrec.experiment.hyperparameters import GIVEN_BY_THE_RUN, Hyperparameters
from seqrec.experiment.implementations import import_model
from seqrec.models import Fitted, Network
from seqrec.training.building import build_model

NETWORKS = ["bert4rec", "gpt4rec", "gru4rec", "gsasrec", "hstu", "ligr", "sasrec"]
FITTED = ["bpr-mf", "popularity"]


def test_the_built_in_models_are_the_files_that_define_one() -> None:
    assert built_in_names() == sorted([*NETWORKS, *FITTED])
    for name in NETWORKS:
        assert issubclass(import_model(name), Network)
    for name in FITTED:
        assert isinstance(build_model(small_config(name), 9), Fitted)


@pytest.mark.parametrize("name", ["nothing", "layers2", "bpr_mf", "../models/sasrec", "", "SASRec"])
def test_any_other_name_is_unknown(name: str) -> None:
    with pytest.raises(SeqrecError, match=r"unknown .*\(a custom model is written package\.mod"):
        import_model(name)


@pytest.mark.parametrize("name", built_in_names())
def test_the_constructor_read_from_source_is_the_imported_one(name: str) -> None:
    found = find_built_in(name)
    assert found is not None
    read, imported = found.signature.parameters, inspect.signature(import_model(name)).parameters
    assert [*read.items()] == [*imported.items()]


@pytest.mark.parametrize("name", built_in_names())
def test_every_default_of_a_built_in_model_is_a_value_of_its_type(name: str) -> None:
    found = find_built_in(name)
    assert found is not None
    schema = Hyperparameters(name, found.signature)
    assert {*schema.types} == {*found.signature.parameters} - {*GIVEN_BY_THE_RUN}
    given, left_out = schema.resolve(schema.defaults, name), schema.resolve({}, name)
    assert json.dumps(given) == json.dumps(left_out)


# What a file of seqrec/models may look like

NETWORK = '''
"""A network that keeps its items' order."""

from typing import Annotated

from torch import Tensor

from seqrec.experiment.parameters import Divides, PositiveInt
from seqrec.models.network import Network
from seqrec.models.tasks import NextItem


class Helper:
    pass


class _Shared(Network):
    task = NextItem()

    def __init__(
        self,
        num_items: int,
        max_length: int,
        /,
        hidden_size: PositiveInt = 8,
        *shape: int,
        groups: Annotated[PositiveInt, Divides("hidden_size")] = 2,
        factor: float,
        shift: float = -0.5,
        name=None,
        **others: str,
    ) -> None:
        super().__init__(num_items, hidden_size)
        self.factor = factor

    def forward(self, rows: Tensor) -> Tensor:
        return self.items(rows) * self.factor


class Scaled(_Shared):
    pass
'''


def package_with(folder: Path, **files: str) -> Path:
    """A copy of `seqrec/models` with more files."""
    package = Path(shutil.copytree(ROOT / "seqrec/models", folder / "models"))
    for name, content in files.items():
        (package / f"{name}.py").write_text(content)
    return package


def test_any_kind_of_parameter_is_read_also_of_an_inherited_constructor(tmp_path: Path) -> None:
    again = "from seqrec.models.scaled import Scaled\nclass Twice(Scaled):\n    pass\n"
    package = package_with(tmp_path, scaled=NETWORK, twice=again)
    executed: dict[str, Any] = {"__name__": "scaled"}
    exec(NETWORK, executed)
    imported = inspect.signature(executed["Scaled"])
    for name, class_name in (("scaled", "Scaled"), ("twice", "Twice")):
        found = find_built_in(name, package)
        assert found is not None
        assert found.class_name == class_name
        assert [*found.signature.parameters.items()] == [*imported.parameters.items()]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("(Network)", "", "must define one public subclass of Network or Fitted; it defines none"),
        ("_Shared", "Shared", "it defines Shared, Scaled."),
        ("= -0.5", "= max(1, 2)", r"odd.py:LINE: the default max\(1, 2\) is read without"),
        ("shift: float", "shift: Tensor", "odd.py:LINE: the annotation Tensor .*PositiveInt"),
    ],
)
def test_a_file_that_cannot_be_read_as_a_model_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in NETWORK
    content = NETWORK.replace(old, new)
    line = NETWORK[: NETWORK.index(old)].count("\n") + 1
    package = package_with(tmp_path, odd=content)
    with pytest.raises(SeqrecError, match=message.replace("LINE", str(line))):
        find_built_in("odd", package)


MEAN = '''"""MeanRec: the mean of the items so far predicts the next one."""

import torch
from torch import Tensor

from seqrec.experiment.parameters import PositiveInt, Probability
from seqrec.models.layers import Dropout, initialise_normal
from seqrec.models.network import Network
from seqrec.models.tasks import NextItem


class MeanRec(Network):
    """Averages the embeddings of all items up to a position."""

    task = NextItem()

    def __init__(
        self,
        num_items: int,
        max_length: int,
        hidden_size: PositiveInt = 64,
        dropout: Probability = 0.1,
    ) -> None:
        super().__init__(num_items, hidden_size)
        self.dropout = Dropout(dropout)
        initialise_normal(self)

    def forward(self, rows: Tensor) -> Tensor:
        """Hidden states `[batch, time, width]` of item rows `[batch, time]`."""
        steps = torch.arange(1, rows.shape[1] + 1, device=rows.device)
        return self.dropout(self.items(rows)).cumsum(1) / steps[:, None]
'''


def test_a_built_in_network_is_added_by_one_file_and_one_yaml(tmp_path: Path) -> None:
    package = Path(shutil.copytree(ROOT / "seqrec", tmp_path / "seqrec"))
    config = copied_config(tmp_path)
    (package / "models/mean_rec.py").write_text(MEAN)
    (config / "models/mean.yaml").write_text(
        "implementation: mean-rec\nloss: {kind: cross-entropy}\n"
    )

    def seqrec(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "seqrec", *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )

    settings = ["training.max_epochs=1", "max_length=10", "hyperparameters.dropout=0"]
    trained = seqrec("train", "demo", "mean", *settings, "--name", "added", "--device", "cpu")
    assert trained.returncode == 0, trained.stderr
    metrics = json.loads(
        (tmp_path / "results/added/runs/demo/mean/seed-0/metrics.json").read_text()
    )
    assert metrics["epochs"] == 1
    assert metrics["config"]["hyperparameters"] == {"hidden_size": 64, "dropout": 0.0}
    refused = seqrec("train", "demo", "mean", "hyperparameters.dropot=0", "--name", "other")
    assert "mean-rec takes no 'dropot'; did you mean 'dropout'?" in refused.stderr

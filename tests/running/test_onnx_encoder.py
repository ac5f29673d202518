"""The exported encoder computes the vectors of users that torch computes, or is not written."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result
from small_runs import NETWORKS, ROOT, preprocessed_log, small_config, timed_in

from seqrec.cli.main import main
from seqrec.experiment.schema import RunConfig
from seqrec.models import Network, NextItem
from seqrec.running.export import export
from seqrec.running.options import EngineOptions
from seqrec.running.recommend import Recommender
from seqrec.running.run import run

CPU = EngineOptions("cpu", 1, "float32")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preprocessed_log(tmp_path_factory.mktemp("data"))


def trained(config: RunConfig, data: Path, folder: Path) -> Path:
    """Train a run for one epoch; return its folder."""
    run(config, data, folder, CPU)
    return folder


def seqrec(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refusal(run: Path, data: Path, *options: object) -> str:
    """Export with --onnx, which must fail and write nothing; return its message."""
    out = run.parent / "out"
    refused = seqrec("export", run, "--data", data, "--onnx", *options, "--output", out)
    assert refused.exit_code == 1
    assert not out.exists()
    assert len(refused.stderr.splitlines()) == 1
    return refused.stderr


@pytest.mark.parametrize("implementation", sorted(NETWORKS.keys() - {"gsasrec"}))  # a SASRec
def test_every_network_is_exported_and_computes_the_vectors_of_users(
    implementation: str, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = trained(small_config(implementation), data, tmp_path / "run")
    recommender = Recommender.load(folder, data, "cpu")
    users = pd.DataFrame({"user": recommender.log.user_ids()[:40]})
    capfd.readouterr()
    export(recommender, tmp_path / "out", users, onnx=True)
    assert capfd.readouterr() == ("", "")  # exporters talk much
    expected = np.load(tmp_path / "out/user_vectors.npy")
    longest = json.loads((tmp_path / "out/export.json").read_text())["longest_history"]
    session = onnxruntime.InferenceSession(tmp_path / "out/encoder.onnx")
    histories = [recommender.log.history(user)[-longest:] for user in range(40)]
    together = np.zeros((40, longest), np.int64)
    for row, history, vector in zip(together, histories, expected, strict=True):
        row[: len(history)] = history
        (alone,) = session.run(None, {"histories": history[None].astype(np.int64)})
        assert alone[0] == pytest.approx(vector, rel=1e-4, abs=1e-4)
    (states,) = session.run(None, {"histories": together})
    assert states == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert str(ROOT).encode() not in (tmp_path / "out/encoder.onnx").read_bytes()
    export(recommender, tmp_path / "out")
    assert not (tmp_path / "out/encoder.onnx").exists()


def test_the_documented_lines_recommend_what_seqrec_recommends(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = trained(small_config("bert4rec"), data, tmp_path / "run")
    done = seqrec("export", folder, "--data", data, "--onnx", "--output", "vectors")
    assert done.exit_code == 0, done.output
    assert "vectors/: encoder (onnx)" in done.stdout
    page = (ROOT / "docs/how-to/export.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[-1]
    names: dict[str, Any] = {}
    exec(code.replace("[12, 87, 3]", "[12, 7, 3]"), names)
    expected = Recommender.load(folder, data).recommend([12, 7, 3], k=10, seen="keep")
    assert names["recommended"] == expected["item"].tolist()


def test_a_model_without_an_encoder_for_histories_is_refused(data: Path, tmp_path: Path) -> None:
    fitted = trained(small_config("popularity"), data, tmp_path / "popularity")
    assert refusal(fitted, data).startswith("Error: popularity: is no network")
    times = NETWORKS["hstu"] | {"time_bias": "history"}
    config = small_config("hstu", model="hstu-timed", hyperparameters=times)
    data = timed_in(preprocessed_log(tmp_path / "timed"))
    assert "hstu-timed: reads when" in refusal(trained(config, data, tmp_path / "run"), data)


def test_a_missing_package_is_named_with_the_extra(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = trained(small_config(), data, tmp_path / "run")
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "onnxruntime")
    assert "needs onnxruntime, which the extra 'onnx'" in refusal(folder, data)


class Unexportable(Network):
    """Branches on a value, which the exporter cannot know."""

    task = NextItem()

    def __init__(self, num_items: int, max_length: int) -> None:
        super().__init__(num_items, 8)

    def forward(self, rows: Any) -> Any:
        return self.items(rows) * (2 if self.items.weight.sum().item() > 0 else 3)


class Forgetful(Network):
    """Computes otherwise while it is exported than when it is trained."""

    task = NextItem()

    def __init__(self, num_items: int, max_length: int) -> None:
        super().__init__(num_items, 8)

    def forward(self, rows: Any) -> Any:
        return self.items(rows) * (2 if torch.compiler.is_exporting() else 1)


@pytest.mark.parametrize(
    ("network", "words"),
    [("Unexportable", "cannot be exported as ONNX"), ("Forgetful", "computes other states")],
)
def test_what_torch_cannot_export_faithfully_is_not_written(
    network: str, words: str, data: Path, tmp_path: Path
) -> None:
    config = RunConfig.model_validate(
        small_config().model_dump()
        | {"model": "mine", "implementation": f"{__name__}:{network}", "hyperparameters": {}}
    )
    message = refusal(trained(config, data, tmp_path / "run"), data, "--trust")
    assert message.startswith("Error: mine: ")
    assert words in message

"""Trackers get what the record gets, as their own tools read it, and can do a run no harm."""

import json
import os
import re
import signal
import socket
import struct
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from forked import Forked
from record_factory import make_metrics, record_of
from small_runs import ROOT, preprocessed_log, small_config

from seqrec.cli.main import main
from seqrec.experiment.schema import RunConfig
from seqrec.layout import RunFiles, run_folder
from seqrec.protocol.epoch import Epoch
from seqrec.records import Record
from seqrec.running.resume import STOPPED_EXIT_CODE
from seqrec.running.trackers import OURS, mlflow, tracker_names, tracking
from seqrec.running.trackers.mlflow import MLflow
from seqrec.running.trackers.tensorboard import TensorBoard
from seqrec.running.workflow import WorkflowConfig
from seqrec.typed_yaml import load_yaml

CONFIG = small_config()
LONG = small_config(training={"batch_size": 8, "max_epochs": 500, "patience": 500})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preprocessed_log(tmp_path_factory.mktemp("data"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's folder in a new project, without settings of trackers in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith(("MLFLOW_", "CLEARML_", "WANDB_"))]:
        monkeypatch.delenv(name)
    return tmp_path / "results/mine" / run_folder(*CONFIG.run)


def words(config: RunConfig, data: Path, folder: Path, *more: str) -> list[str]:
    arguments = ["execute", "--config", config.json(), "--data", str(data), "--output", str(folder)]
    return [*arguments, "--device", "cpu", "--threads", "1", "--precision", "float32", *more]


def execute(data: Path, folder: Path, *more: str, config: RunConfig = CONFIG) -> Any:
    result = CliRunner().invoke(main, words(config, data, folder, *more))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def recorded(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    files = RunFiles(folder)
    return json.loads(files.metrics.read_text()), pd.read_csv(files.history)


def epoch_with(number: int, ndcg: float) -> Epoch:
    return Epoch(number, 2.0 * number, 3.0, {"ndcg@10": ndcg})


def events(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Read step and value of every scalar with TensorBoard itself."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    names = found.Tags()["scalars"]
    return {name: [(e.step, e.value) for e in found.Scalars(name)] for name in names}


def test_tensorboard_reads_the_curve_and_the_result_from_the_runs_folder(
    data: Path, folder: Path
) -> None:
    assert execute(data, folder, "--track", "tensorboard").exit_code == 0
    metrics, history = recorded(folder)
    found = events(folder)
    for column in history.columns.drop("epoch"):
        name = column if column in ("seconds", "training_loss") else f"validation/{column}"
        assert [step for step, _ in found[name]] == history["epoch"].tolist()
        assert [value for _, value in found[name]] == pytest.approx(history[column].tolist())
    for name, value in metrics["test"].items():
        assert found[f"test/{name}"] == [(metrics["best_epoch"], pytest.approx(value))]


def test_a_tracker_is_no_part_of_the_run(data: Path, folder: Path) -> None:
    execute(data, folder, "--track", "tensorboard")
    metrics, _ = recorded(folder)
    assert metrics["config_hash"] == CONFIG.hash()
    assert "track" not in json.dumps(metrics["config"])
    assert "finished before" in execute(data, folder).stdout


def test_a_model_without_epochs_has_a_result_to_track(data: Path, folder: Path) -> None:
    config = small_config("popularity")
    assert execute(data, folder, "--track", "tensorboard", config=config).exit_code == 0
    assert events(folder)["test/ndcg@10"][0][0] == 0


def test_an_epoch_that_is_done_again_counts_once_in_tensorboard(folder: Path) -> None:
    for epochs in ((1, 2, 3), (3, 4)):  # killed after the third was told, before it was saved
        tracker = TensorBoard(CONFIG, folder)
        for epoch in epochs:
            tracker.epoch(epoch_with(epoch, epoch / 10))
        tracker.close(False)
    assert [step for step, _ in events(folder)["validation/ndcg@10"]] == [1, 2, 3, 4]


def test_mlflow_reads_the_curve_and_the_result_from_its_file_store(
    data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert execute(data, folder, "--track", "mlflow").exit_code == 0
    metrics, history = recorded(folder)
    from mlflow import MlflowClient

    client = MlflowClient(Path("mlruns").absolute().as_uri())
    experiment = client.get_experiment_by_name("mine")
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED"
    assert found.info.run_name == "small sasrec seed 0"
    assert found.data.params["training.max_epochs"] == "2"
    curve = client.get_metric_history(found.info.run_id, "validation/ndcg_at_10")
    assert {m.step: m.value for m in curve} == dict(
        zip(history["epoch"], history["ndcg@10"], strict=True)
    )
    assert found.data.metrics["test/ndcg_at_10"] == metrics["test"]["ndcg@10"]


def test_a_run_that_goes_on_goes_on_in_mlflow(folder: Path) -> None:
    first = MLflow(CONFIG, folder)
    first.epoch(epoch_with(1, 0.1))
    first.close(False)
    second = MLflow(CONFIG, folder)
    assert second.run == first.run
    second.epoch(epoch_with(2, 0.2))
    second.result(record_of(folder, make_metrics("small", "sasrec")))
    second.close(True)
    assert second.client.get_run(second.run).info.status == "FINISHED"
    assert len(second.client.get_metric_history(second.run, "validation/ndcg_at_10")) == 2
    assert MLflow(CONFIG, folder).run != first.run
    assert MLflow(small_config(seed=1), folder).run != first.run


def with_clearml(
    config: RunConfig, data: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Forked:
    """Start a run that ClearML tracks offline, in a process that it may change as it likes."""
    if "CLEARML_OFFLINE_MODE" not in os.environ:
        monkeypatch.setenv("CLEARML_OFFLINE_MODE", "1")
    monkeypatch.setenv("CLEARML_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("CLEARML_CONFIG_FILE", str(tmp_path / "none.conf"))
    return Forked(words(config, data, folder, "--track", "clearml"), tmp_path / "said.txt")


def archived(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read the task and its reports from the one archive of ClearML's offline mode."""
    (path,) = (folder / "cache").rglob("offline-*.zip")
    with zipfile.ZipFile(path) as archive:
        lines = archive.read("metrics.jsonl").decode().splitlines()
        task = json.loads(archive.read("task.json"))
    return task, [report for line in lines for report in json.loads(line)]


def test_with_clearml_a_run_stops_when_told_and_its_archive_holds_the_curve_so_far(
    data: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = with_clearml(LONG, data, folder, tmp_path, monkeypatch)
    process.wait_for("epoch   3")
    process.signal(signal.SIGTERM)
    assert process.end() == STOPPED_EXIT_CODE
    assert RunFiles(folder).resume.is_file()
    task, reports = archived(tmp_path)
    assert task["name"] == "small sasrec seed 0"
    curve = [r["iter"] for r in reports if (r["metric"], r["variant"]) == ("validation", "ndcg@10")]
    assert curve[:3] == [1, 2, 3]


@pytest.mark.slow
def test_clearmls_archive_holds_the_configuration_and_the_result(
    data: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert with_clearml(CONFIG, data, folder, tmp_path, monkeypatch).end() == 0
    metrics, history = recorded(folder)
    task, reports = archived(tmp_path)
    assert "max_epochs" in json.dumps(task)
    curve = {
        r["iter"]: r["value"]
        for r in reports
        if (r["metric"], r["variant"]) == ("validation", "ndcg@10")
    }
    assert curve == pytest.approx(dict(zip(history["epoch"], history["ndcg@10"], strict=True)))
    assert any(
        r["variant"] == "test/ndcg@10" and r["value"] == pytest.approx(metrics["test"]["ndcg@10"])
        for r in reports
    )


# No harm


class Broken:
    """A tracker that fails at one moment."""

    moment = ""
    calls: list[str]

    def __init__(self, config: RunConfig, folder: Path) -> None:
        type(self).calls = []
        self._do("start")

    def epoch(self, epoch: Epoch) -> None:
        self._do("epoch")

    def result(self, record: Record) -> None:
        self._do("result")

    def close(self, finished: bool) -> None:
        self._do("close")

    def _do(self, moment: str) -> None:
        self.calls.append(moment)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if moment == self.moment:
            raise ConnectionError("the server is away\nand more")


@pytest.mark.parametrize("moment", ["start", "epoch", "result", "close"])
def test_a_tracker_that_raises_is_reported_once_and_dropped(
    data: Path, folder: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Broken, "moment", moment)
    monkeypatch.setattr(mlflow, "MLflow", Broken)
    before = signal.getsignal(signal.SIGTERM)
    result = execute(data, folder, "--track", "mlflow", "--track", "tensorboard")
    assert result.exit_code == 0
    assert signal.getsignal(signal.SIGTERM) is before
    word = "mlflow: dropped for the rest of this run, which goes on (the server is away)."
    assert result.stderr.count(word) == 1
    assert Broken.calls.count(moment) == 1
    assert Broken.calls[-1] == moment  # it was left alone from then on
    metrics, _ = recorded(folder)
    assert metrics["epochs"] == 2
    assert len(events(folder)["validation/ndcg@10"]) == 2  # the other one saw all


class Silent(Broken):
    """A tracker whose library waits for a server for good, whatever is raised meanwhile."""

    def _do(self, moment: str) -> None:
        for _ in range(600 if moment == "epoch" else 0):
            with suppress(Exception):
                time.sleep(0.1)


def test_one_that_does_not_answer_is_dropped_in_time(
    data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow, "MLflow", Silent)
    monkeypatch.setattr(tracking, "LIMIT_SECONDS", 0.2)
    before = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    began = time.monotonic()
    result = execute(data, folder, "--track", "mlflow")
    assert time.monotonic() - began < 20
    assert result.exit_code == 0
    assert (
        result.stderr.count("mlflow: dropped for the rest of this run, which goes on (no ans") == 1
    )
    assert (signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)) == before


@pytest.mark.slow
@pytest.mark.parametrize("tracker", ["clearml", "mlflow", "wandb"])
def test_a_server_that_accepts_and_says_nothing_holds_a_run_up_for_a_moment_only(
    tracker: str, data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://joe:secret@127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        monkeypatch.setenv("CLEARML_CONFIG_FILE", str(tmp_path / "none.conf"))
        for name in ("API_HOST", "WEB_HOST", "FILES_HOST"):
            monkeypatch.setenv(f"CLEARML_{name}", address)
        for name in ("API_ACCESS_KEY", "API_SECRET_KEY"):
            monkeypatch.setenv(f"CLEARML_{name}", "key")
        monkeypatch.setenv("WANDB_BASE_URL", address)
        monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
        process = Forked(words(CONFIG, data, folder, "--track", tracker), tmp_path / "said.txt")
        assert process.end(60) == 0
    assert f"{tracker}: dropped" in process.said.read_text()
    assert "secret" not in process.said.read_text()


def test_passwords_in_the_address_of_a_server_are_not_told(
    data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise ConnectionError("https://joe:secret@host:80/x and ftp://key@host do not answer")

    monkeypatch.setattr(mlflow, "MLflow", refused)
    said = execute(data, folder, "--track", "mlflow").stderr
    assert "(https://***@host:80/x and ftp://***@host do not answer)" in said


def test_one_that_is_not_installed_says_how_to_get_it(
    data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "clearml", None)
    result = execute(data, folder, "--track", "clearml")
    assert result.exit_code == 0
    assert "pip install -e '.[clearml]'" in result.stderr


def test_one_that_is_not_set_up_is_dropped(
    data: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARML_OFFLINE_MODE", "0")
    process = with_clearml(CONFIG, data, folder, tmp_path, monkeypatch)
    assert process.end() == 0
    said = process.said.read_text()
    assert "clearml: dropped for the rest of this run" in said
    assert "not configured" in said


def test_nothing_is_tracked_unless_asked_for(data: Path, folder: Path, tmp_path: Path) -> None:
    execute(data, folder)
    assert not list(tmp_path.rglob("events.*"))
    assert not (tmp_path / "mlruns").exists()
    assert tracking.Tracking([], CONFIG, folder).trackers == {}


@pytest.mark.slow
def test_weights_and_biases_holds_the_curve_and_the_result_offline(
    data: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    process = Forked(words(CONFIG, data, folder, "--track", "wandb"), tmp_path / "said.txt")
    assert process.end() == 0
    assert "dropped" not in process.said.read_text()
    metrics, history = recorded(folder)
    (path,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    run, curve, summary = of_weights_and_biases(path)
    assert (run.project, run.display_name) == ("seqrec-mine", "small sasrec seed 0")
    assert "max_epochs" in str(run.config)
    assert [step["_step"] for step in curve] == history["epoch"].tolist()
    for name in ("training_loss", "validation/ndcg@10"):
        expected = history[name.removeprefix("validation/")].tolist()
        assert [step[name] for step in curve] == pytest.approx(expected)
    assert summary["test/ndcg@10"] == pytest.approx(metrics["test"]["ndcg@10"])


def of_weights_and_biases(path: Path) -> tuple[Any, list[dict[str, Any]], dict[str, Any]]:
    """Read the run, the steps of its history and its summary from an offline file."""
    from wandb.proto.wandb_internal_pb2 import Record

    def values(items: Any) -> dict[str, Any]:
        return {
            item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items
        }

    run, curve, summary = None, [], {}
    for content in leveldb_log(path.read_bytes()):
        record = Record.FromString(content)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
        elif kind == "history":
            curve.append(values(record.history.item))
        elif kind == "summary":
            summary |= values(record.summary.update)
    return run, curve, summary


def leveldb_log(content: bytes) -> Iterator[bytes]:
    """Read the records of a log in LevelDB's format, whose blocks have 32 KiB."""
    block, header, place, parts = 1 << 15, 7, 7, b""
    while place < len(content):
        if block - place % block < header:
            place += block - place % block
            continue
        length, kind = struct.unpack_from("<HB", content, place + 4)
        place += header
        parts += content[place : place + length]
        place += length
        if kind in (1, 4):  # a whole record, or the last part of one
            yield parts
            parts = b""


def test_weights_and_biases_without_a_login_is_dropped_and_never_asks(
    data: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    process = Forked(words(CONFIG, data, folder, "--track", "wandb"), tmp_path / "said.txt")
    assert process.end() == 0
    said = process.said.read_text()
    assert "wandb: dropped for the rest of this run" in said
    assert "WANDB_MODE=offline" in said


class Diary:
    """A tracker of another package."""

    pages: list[str] = []

    def __init__(self, config: RunConfig, folder: Path) -> None:
        self.pages.append(config.run.title)

    def epoch(self, epoch: Epoch) -> None:
        self.pages.append(f"epoch {epoch.number}")

    def result(self, record: Record) -> None:
        self.pages.append("result")

    def close(self, finished: bool) -> None:
        self.pages.append(f"closed {finished}")


def installed(folder: Path, name: str, place: str) -> None:
    """Make a package that adds a tracker, as pip leaves it in a folder of `sys.path`."""
    information = folder / f"{name}-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (information / "entry_points.txt").write_text(f"[seqrec.trackers]\n{name} = {place}\n")


def test_an_installed_package_adds_a_tracker(
    data: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, "diary", f"{__name__}:Diary")
    installed(tmp_path, "torn", "no_such_module:Torn")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(Diary, "pages", [])
    assert tracker_names() == [*OURS, "diary", "torn"]
    result = execute(data, folder, "--track", "diary", "--track", "torn")
    assert result.exit_code == 0
    assert Diary.pages == ["small sasrec seed 0", "epoch 1", "epoch 2", "result", "closed True"]
    assert "torn: dropped for the rest of this run" in result.stderr
    assert "pip install" not in result.stderr  # it is none of ours
    values = load_yaml(ROOT / "config/workflow.yaml") | {"track": "diary tensorboard"}
    assert WorkflowConfig.model_validate(values).track == "diary tensorboard"


def test_the_documented_tracker_tracks(
    data: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs/how-to/watch.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    ((name, place),) = re.findall(r'^(\w+) = "(\w+:\w+)"$', page, re.MULTILINE)
    (tmp_path / f"{place.partition(':')[0]}.py").write_text(code)
    installed(tmp_path, name, place)
    monkeypatch.syspath_prepend(tmp_path)
    assert execute(data, folder, "--track", name).exit_code == 0
    first, second, last = (folder / "lines.txt").read_text().splitlines()
    assert (first[:2], second[:2]) == ("1 ", "2 ")
    assert "test/ndcg@10" in last


def test_an_unknown_tracker_is_refused_with_the_nearest_name(data: Path, folder: Path) -> None:
    result = execute(data, folder, "--track", "tensorbord")
    assert result.exit_code == 2
    assert "no tracker 'tensorbord'; did you mean 'tensorboard'?" in result.stderr
    assert not folder.exists()


def test_the_workflow_and_the_extras_know_our_trackers() -> None:
    values = load_yaml(ROOT / "config/workflow.yaml")
    assert values["track"] == ""
    everything = " ".join(OURS)
    assert WorkflowConfig.model_validate(values | {"track": everything}).track == everything
    with pytest.raises(ValueError, match="no tracker 'tensorbord'; did you mean 'tensorboard'"):
        WorkflowConfig.model_validate(values | {"track": "tensorbord"})
    extras = (ROOT / "pyproject.toml").read_text()
    optional = [name for name in OURS if name != "tensorboard"]
    assert all(re.search(rf"^{name} = \[", extras, re.MULTILINE) for name in optional)

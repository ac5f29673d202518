"""A run leaves a whole record, or word of why there is none."""

import json
import resource
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file
from small_runs import NETWORKS, preprocessed_log, small_config

import seqrec
from seqrec.data.interactions import Interactions
from seqrec.errors import SeqrecError
from seqrec.experiment.schema import RunConfig
from seqrec.layout import run_folder
from seqrec.models import Network
from seqrec.models.popularity import Popularity
from seqrec.models.sasrec import SASRec
from seqrec.protocol.epoch import Epoch
from seqrec.protocol.metrics import metrics_from_ranks
from seqrec.protocol.ranking import rank_users
from seqrec.protocol.splits import Split, leave_one_out
from seqrec.records import Record, read_record
from seqrec.records.fingerprint import training_code_fingerprint
from seqrec.records.survey import missing_runs
from seqrec.running import device_places
from seqrec.running.options import EngineOptions
from seqrec.running.run import run
from seqrec.training.building import build_model
from seqrec.training.losses import LOGITS_PER_CHUNK
from seqrec.training.scoring import network_scorer

CPU = EngineOptions("cpu", 1, "float32")


@pytest.fixture(autouse=True)
def own_places(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of other tests at the same time share the processor, but are not counted here."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("places")))


METRICS = {f"{m}@{k}" for m in ("hit_rate", "ndcg", "mrr") for k in (10, 100)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preprocessed_log(tmp_path_factory.mktemp("data"))


def recorded(results: Path, data: Path, config: RunConfig, **more: Any) -> tuple[dict, Path]:
    folder = results / run_folder(*config.run)
    return run(config, data, folder, CPU, **more).content(), folder


def contents(folder: Path) -> set[str]:
    """The record's files, without the lock and the state of an unfinished training."""
    names = {path.name for path in folder.iterdir()}
    return {name for name in names if name != ".lock" and not name.startswith("resume")}


@pytest.mark.parametrize("implementation", ["sasrec", "bert4rec", "popularity", "bpr-mf"])
def test_a_record_says_what_was_run_how_it_went_and_how_good_it_is(
    tmp_path: Path, data: Path, implementation: str
) -> None:
    trained = implementation in NETWORKS
    config = small_config(implementation, "sampled" if trained else "full", seed=5)
    returned, folder = recorded(tmp_path, data, config)
    assert contents(folder) == {
        "metrics.json",
        "history.csv",
        "history_lengths.npy",
        "ranks.npy",
        "target_counts.npy",
        "recommended_counts.npy",
        "config.yaml",
        "model.safetensors",
    }
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics == json.loads(json.dumps(returned))
    log = Interactions.load(data)

    # What was run.
    assert metrics["format"] == 1
    assert (metrics["dataset"], metrics["model"], metrics["seed"]) == ("small", implementation, 5)
    assert metrics["negatives"] == (8 if trained else None)
    assert RunConfig.model_validate(metrics["config"]) == config
    assert metrics["config_hash"] == config.hash()
    assert metrics["data"] == {"sha256": log.digest, "statistics": log.statistics.written()}
    assert metrics["seqrec"]["version"] == seqrec.__version__
    assert metrics["seqrec"]["training_code"] == training_code_fingerprint()
    assert "commit" in metrics["seqrec"]
    assert set(metrics["libraries"]) >= {"python", "torch", "numpy", "implicit"}
    assert metrics["device"]
    assert (metrics["device_kind"], metrics["threads"]) == ("cpu", 1)
    assert (metrics["device_id"], metrics["runs_sharing_device"]) == ("cpu", 1)
    assert metrics["precision"] == "float32"
    assert (metrics["logits_per_chunk"], metrics["compile"]) == (LOGITS_PER_CHUNK, False)
    assert "job" in metrics

    # How it went; null where a model has no epochs.
    assert metrics["training_seconds"] > 0
    assert metrics["peak_memory_bytes"] > 10**7
    assert metrics["parameters"] > 0
    history = pd.read_csv(folder / "history.csv")
    if trained:
        assert metrics["epochs"] == len(history) == 2
        assert metrics["best_epoch"] in (1, 2)
        assert metrics["seconds_per_epoch"] == pytest.approx(metrics["training_seconds"] / 2)
        assert set(history.columns) == {"epoch", "seconds", "training_loss", *METRICS}
    else:
        assert len(history) == 0
        for key in ("epochs", "best_epoch", "seconds_per_epoch"):
            assert metrics[key] is None

    # How good it is.
    ranks = np.load(folder / "ranks.npy")
    assert ranks.shape == (log.num_users,)
    assert metrics["test"] == metrics_from_ranks(ranks, [10, 100])
    parts = np.split(log.items, log.offsets[1:-1])
    trained_on = Counter(item for part in parts for item in part[:-2].tolist())
    counts = np.load(folder / "target_counts.npy")
    assert counts.tolist() == [trained_on[part[-1]] for part in parts]
    lengths = np.load(folder / "history_lengths.npy")
    assert lengths.tolist() == [len(part) - 1 for part in parts]
    recommended = read_record(folder).recommended_counts()
    assert recommended is not None
    assert recommended.shape == (log.num_items,)
    assert recommended.sum() == 10 * log.num_users
    occurs = leave_one_out(log).train.item_counts()[1:]
    expected = np.repeat(occurs, recommended).mean()
    assert read_record(folder).recommended_popularity == pytest.approx(expected)
    assert set(metrics["validation"]) == METRICS
    assert "test_sampled" not in metrics
    if trained:  # everybody was validated, so the best epoch's figures are the final ones
        best = history.set_index("epoch").loc[metrics["best_epoch"]]
        for key, value in metrics["validation"].items():
            assert best[key] == pytest.approx(value, abs=1e-12)
    assert yaml.safe_load((folder / "config.yaml").read_text()) == metrics["config"]
    assert read_record(folder).run == ("small", implementation, 5)


@pytest.mark.parametrize("implementation", list(NETWORKS))
def test_the_weights_give_the_recorded_ranks_again(
    tmp_path: Path, data: Path, implementation: str
) -> None:
    _, folder = recorded(tmp_path, data, small_config(implementation))
    config = RunConfig.model_validate(yaml.safe_load((folder / "config.yaml").read_text()))
    log = Interactions.load(data)
    network = build_model(config, log.num_items)
    assert isinstance(network, Network)
    network.load_state_dict(load_file(folder / "model.safetensors"))
    network.eval()
    split = leave_one_out(log).test
    with torch.no_grad():
        score = network_scorer(network, split, config.max_length, torch.device("cpu"))
        ranks = rank_users(score, split, np.arange(log.num_users), config.evaluation.batch_size)
    assert np.array_equal(ranks, np.load(folder / "ranks.npy"))


def test_the_same_run_gives_the_same_record_clock_and_memory_aside(
    tmp_path: Path, data: Path
) -> None:
    for implementation in ("sasrec", "bpr-mf"):
        config = small_config(implementation)
        first, one = recorded(tmp_path / "1", data, config)
        second, two = recorded(tmp_path / "2", data, config)
        clock = {"training_seconds", "seconds_per_epoch", "peak_memory_bytes"}
        for metrics in (first, second):
            metrics["digests"].pop("history.csv")  # which has the seconds of each epoch
        assert {k: v for k, v in first.items() if k not in clock} == {
            k: v for k, v in second.items() if k not in clock
        }
        for name in (
            "ranks.npy",
            "recommended_counts.npy",
            "model.safetensors",
            "config.yaml",
        ):
            assert (one / name).read_bytes() == (two / name).read_bytes()


def test_popularity_counts_what_precedes_the_target(tmp_path: Path, data: Path) -> None:
    _, folder = recorded(tmp_path, data, small_config("popularity"))
    log = Interactions.load(data)
    histories = [log.history(user).tolist()[:-1] for user in range(log.num_users)]
    counts = np.bincount(np.concatenate(histories), minlength=log.num_items + 1)
    expected = []
    for user, history in enumerate(histories):
        target = int(log.history(user)[-1])
        above = [
            item
            for item in range(1, log.num_items + 1)
            if item not in history and item != target and counts[item] >= counts[target]
        ]
        expected.append(1 + len(above))
    assert np.load(folder / "ranks.npy").tolist() == expected


def test_a_model_that_fits_itself_takes_no_place_on_a_gpu(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(device_places, "visible_gpus", lambda: ["GPU-1"])
    folder = tmp_path / "runs/small/popularity/seed-5"
    with device_places.place_on(["GPU-1"], 1):  # the only one; a run that wanted it would wait
        record = run(small_config("popularity"), data, folder, EngineOptions("auto", 1))
    assert (record.device_kind, record.device_id) == ("cpu", "cpu")


class Remembering(Popularity):
    """Remembers every split that such a model has been fitted on."""

    fitted: ClassVar[list[Split]] = []

    def fit(self, split: Split, seed: int, threads: int) -> None:
        self.fitted.append(split)
        super().fit(split, seed, threads)


def test_what_a_fitted_model_is_given_holds_no_target(tmp_path: Path, data: Path) -> None:
    Remembering.fitted.clear()
    custom = {"implementation": f"{__name__}:{Remembering.__name__}"}
    recorded(tmp_path, data, small_config("popularity").model_copy(update=custom))
    splits = leave_one_out(Interactions.load(data))
    for given, split in zip(Remembering.fitted, (splits.validation, splits.test), strict=True):
        histories = [split.history(user) for user in range(split.num_users)]
        assert given.items.tolist() == np.concatenate(histories).tolist()
        assert (given.ends - given.starts).tolist() == [len(history) for history in histories]
        assert given.ends[-1] == len(given.items)


def test_sampled_metrics_are_recorded_where_they_are_asked_for(tmp_path: Path, data: Path) -> None:
    config = small_config(evaluation={"sampled_negatives": 10})
    metrics, _ = recorded(tmp_path / "1", data, config)
    assert set(metrics["test_sampled"]) == {"uniform", "popularity"}
    for found in metrics["test_sampled"].values():
        assert set(found) == METRICS
        assert found["hit_rate@100"] == 1.0  # eleven candidates
        assert found["ndcg@10"] > metrics["test"]["ndcg@10"]
    assert metrics["test_sampled"]["uniform"] != metrics["test_sampled"]["popularity"]
    again, _ = recorded(tmp_path / "2", data, config)
    assert again["test_sampled"] == metrics["test_sampled"]
    plain, _ = recorded(tmp_path / "3", data, small_config())
    assert plain["test"] == metrics["test"]


def test_observers_take_each_epoch_as_it_ends_and_then_the_record(
    tmp_path: Path, data: Path
) -> None:
    told: list[Any] = []

    class Listener:
        def epoch(self, epoch: Epoch) -> None:
            told.append(epoch.number)

        def result(self, record: Record) -> None:
            told.append(record.run)

    recorded(tmp_path, data, small_config(), observers=[Listener()])
    assert told == [1, 2, ("small", "sasrec", 0)]


# Failures


def failure_of(results: Path, data: Path, config: RunConfig) -> tuple[Exception, dict[str, Any]]:
    folder = results / run_folder(*config.run)
    with pytest.raises(Exception) as caught:
        run(config, data, folder, CPU)
    assert contents(folder) == {"failure.json"}
    return caught.value, json.loads((folder / "failure.json").read_text())


def test_a_failed_run_says_what_where_and_how_to_go_on(tmp_path: Path, data: Path) -> None:
    config = small_config(training={"learning_rate": 1e38})
    error, failure = failure_of(tmp_path, data, config)
    assert isinstance(error, SeqrecError)
    assert (failure["task"], failure["model"], failure["seed"]) == ("small", "sasrec", 0)
    assert "Lower training.learning_rate" in failure["error"]
    assert str(data) in failure["where"]
    assert "run the same command again" in failure["remedy"]
    (missing,) = missing_runs(tmp_path)
    assert missing.reason == failure["error"]

    recorded(tmp_path, data, small_config())  # mended
    assert missing_runs(tmp_path) == []
    assert not (tmp_path / run_folder(*config.run) / "failure.json").exists()


def test_a_failure_leaves_a_finished_record_as_it_was(tmp_path: Path, data: Path) -> None:
    _, folder = recorded(tmp_path, data, small_config())
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(SeqrecError):
        recorded(tmp_path, data, small_config(training={"learning_rate": 1e38}))
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert after.pop("failure.json")
    assert after == before


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 bytes"),
        RuntimeError("CUDA error: out of memory\nMore"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
@pytest.mark.parametrize("sizes", [(64, 32)])
def test_too_little_memory_is_told_with_what_to_lower(
    tmp_path: Path,
    data: Path,
    error: Exception,
    sizes: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forward(self: SASRec, rows: torch.Tensor) -> torch.Tensor:
        raise error

    monkeypatch.setattr(SASRec, "forward", forward)
    config = small_config(training={"batch_size": sizes[0]}, evaluation={"batch_size": sizes[1]})
    caught, failure = failure_of(tmp_path, data, config)
    assert isinstance(caught, SeqrecError)
    for text in (str(caught), failure["error"]):
        assert "out of memory" in text
        assert "Lower training.batch_size (it is 64) or evaluation.batch_size (it is 32)" in text


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ZeroDivisionError("by zero")])
def test_a_fault_of_the_program_stays_what_it_is(
    tmp_path: Path, data: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(self: SASRec, rows: torch.Tensor) -> torch.Tensor:
        raise error

    monkeypatch.setattr(SASRec, "forward", forward)
    caught, failure = failure_of(tmp_path, data, small_config())
    assert caught is error
    assert failure["error"] == f"{type(error).__name__}: {error}"
    assert "traceback" in failure["remedy"]


def test_a_damaged_log_fails_before_any_training(tmp_path: Path) -> None:
    data = preprocessed_log(tmp_path, seed=9)
    items = np.load(data / "items.npy")
    items[0] = items[0] % 60 + 1
    np.save(data / "items.npy", items)
    error, failure = failure_of(tmp_path / "results", data, small_config())
    assert isinstance(error, SeqrecError)
    assert "preprocess again" in failure["error"]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let this process write no file beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_weights_that_do_not_fit_are_told_and_leave_no_record(tmp_path: Path, data: Path) -> None:
    with largest_file(20_000):  # its weights take 90 kB
        error, failure = failure_of(tmp_path, data, small_config("bpr-mf"))
    assert isinstance(error, SeqrecError)
    assert "model.safetensors: cannot be written (File too large)" in failure["error"]


def test_what_a_library_raises_in_a_fit_is_one_message_with_the_settings(
    tmp_path: Path, data: Path
) -> None:
    config = small_config("bpr-mf", hyperparameters={"learning_rate": 1e3, "regularization": 0.0})
    error, failure = failure_of(tmp_path, data, config)
    assert isinstance(error, SeqrecError)
    assert "bpr-mf: its fit fails" in failure["error"]
    assert "learning_rate 1000.0" in failure["error"]
    assert "fault of the program" not in failure["remedy"]

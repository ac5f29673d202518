"""A run says how far it is, and a dead one is never taken for one that is running."""

import os
import platform
import signal
import time
from pathlib import Path

import pytest
from forked import Forked
from hypothesis import given
from hypothesis import strategies as st
from small_runs import preprocessed_log, small_config

from seqrec.errors import SeqrecError, Stopped
from seqrec.experiment.schema import RunConfig
from seqrec.layout import RunFiles
from seqrec.protocol.epoch import Epoch
from seqrec.records import Record
from seqrec.running import progress as module
from seqrec.running.options import EngineOptions
from seqrec.running.progress import DEAD_SECONDS, Progress, read_progress, reported
from seqrec.running.run import run

CPU = EngineOptions("cpu", 1, "float32")
LONG = small_config(training={"batch_size": 8, "max_epochs": 500, "patience": 500})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preprocessed_log(tmp_path_factory.mktemp("data"))


def read(folder: Path) -> tuple[Progress, bool]:
    found = read_progress(folder)
    assert found is not None
    return found


def entry(epoch: int, ndcg: float, seconds_per_epoch: float = 2.0) -> Epoch:
    return Epoch(epoch, epoch * seconds_per_epoch, 1.0, {"ndcg@10": ndcg})


def test_a_run_tells_each_epoch_while_it_is_under_way_and_nothing_once_it_is_done(
    data: Path, tmp_path: Path
) -> None:
    config = small_config(training={"batch_size": 32, "max_epochs": 3, "patience": 2})
    seen = []

    class Reader:
        def epoch(self, epoch: Epoch) -> None:
            seen.append((epoch, *read(tmp_path)))

        def result(self, record: Record) -> None:
            pass

    run(config, data, tmp_path, CPU, [Reader()])
    assert [progress.epoch for _, progress, _ in seen] == [1, 2, 3]
    assert all(alive for _, _, alive in seen)
    for epoch, progress, _ in seen:
        assert progress.stopping_metric == epoch.stopping_metric
        so_far = [one.stopping_metric for one, *_ in seen[: progress.epoch]]
        assert progress.best_stopping_metric == max(so_far)
        assert progress.seconds_per_epoch == epoch.seconds / progress.epoch
        assert (progress.max_epochs, progress.patience) == (3, 2)
        assert progress.config_hash == config.hash()
    assert read_progress(tmp_path) is None
    assert not RunFiles(tmp_path).progress.exists()


def test_a_model_without_epochs_is_under_way_too(tmp_path: Path) -> None:
    with reported(small_config("popularity"), tmp_path):
        progress, alive = read(tmp_path)
    assert alive
    assert (progress.epoch, progress.seconds_left()) == (0, None)


def test_a_stopped_run_leaves_word_of_how_far_it_came_and_goes_on_from_there(
    tmp_path: Path,
) -> None:
    with pytest.raises(Stopped), reported(LONG, tmp_path) as reporter:
        reporter.epoch(entry(1, 0.2))
        reporter.epoch(entry(2, 0.1))
        raise Stopped
    progress, alive = read(tmp_path)
    assert not alive
    assert (progress.epoch, progress.best_epoch, progress.best_stopping_metric) == (2, 1, 0.2)

    with reported(LONG, tmp_path) as reporter:
        assert read(tmp_path)[1]
        reporter.epoch(entry(3, 0.15))
        progress, _ = read(tmp_path)
    assert (progress.epoch, progress.best_epoch, progress.best_stopping_metric) == (3, 1, 0.2)


def test_a_training_that_starts_over_has_no_best_epoch_of_the_one_before(tmp_path: Path) -> None:
    with pytest.raises(Stopped), reported(LONG, tmp_path) as reporter:
        reporter.epoch(entry(1, 0.2))
        reporter.epoch(entry(2, 0.3))
        raise Stopped
    with reported(LONG, tmp_path) as reporter:
        reporter.epoch(entry(1, 0.1))
        progress, _ = read(tmp_path)
    assert (progress.epoch, progress.best_epoch, progress.best_stopping_metric) == (1, 1, 0.1)


def test_a_report_of_an_older_version_is_read(tmp_path: Path) -> None:
    with pytest.raises(Stopped), reported(LONG, tmp_path) as reporter:
        reporter.epoch(entry(1, 0.2))
        raise Stopped
    path = tmp_path / "progress.json"
    path.write_text(path.read_text().replace("stopping_metric", "ndcg"))
    assert '"best_ndcg": 0.2' in path.read_text()
    progress, _ = read(tmp_path)
    assert (progress.stopping_metric, progress.best_stopping_metric) == (0.2, 0.2)


def test_another_configuration_does_not_take_over_what_was_left(tmp_path: Path) -> None:
    with pytest.raises(Stopped), reported(LONG, tmp_path) as reporter:
        reporter.epoch(entry(1, 0.2))
        raise Stopped
    with reported(small_config(seed=1), tmp_path):
        assert read(tmp_path)[0].epoch == 0


def test_a_failed_run_leaves_its_reason_instead(data: Path, tmp_path: Path) -> None:
    config = small_config(hyperparameters={"hidden_size": 8, "heads": 3})
    with pytest.raises((SeqrecError, RuntimeError)):
        run(config, data, tmp_path, CPU)
    assert read_progress(tmp_path) is None
    assert (tmp_path / "failure.json").is_file()


def test_a_killed_process_of_this_host_is_not_running(data: Path, tmp_path: Path) -> None:
    arguments = ["execute", "--config", LONG.json(), "--data", str(data)]
    arguments += ["--output", str(tmp_path), "--device", "cpu", "--threads", "1"]
    process = Forked(arguments, tmp_path / "said.txt")
    process.wait_for("epoch   2")
    progress, alive = read(tmp_path)
    assert alive
    assert (progress.pid, progress.host) == (process.pid, platform.node())
    process.signal(signal.SIGKILL)
    process.end()
    progress, alive = read(tmp_path)
    assert not alive
    assert progress.epoch >= 2


def on_another_host(config: RunConfig, folder: Path) -> None:
    """A run whose process cannot be asked."""
    with pytest.raises(Stopped), reported(config, folder):
        raise Stopped
    progress = read(folder)[0].model_copy(update={"host": "elsewhere", "stopped": False, "pid": 1})
    RunFiles(folder).progress.write_text(progress.model_dump_json())


def test_a_silent_process_of_another_host_is_not_running(tmp_path: Path) -> None:
    on_another_host(LONG, tmp_path)
    assert read(tmp_path)[1]
    silent = time.time() - DEAD_SECONDS - 1
    os.utime(RunFiles(tmp_path).progress, (silent, silent))
    assert not read(tmp_path)[1]


def test_a_living_process_is_never_silent_however_long_an_epoch_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 4 * module.BEAT_SECONDS <= DEAD_SECONDS
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.01)
    with reported(LONG, tmp_path):
        os.utime(RunFiles(tmp_path).progress, (0, 0))
        until = time.monotonic() + 30
        while RunFiles(tmp_path).progress.stat().st_mtime < 1:
            assert time.monotonic() < until, "no sign of life"
            time.sleep(0.01)


def test_what_is_no_progress_file_says_nothing(tmp_path: Path) -> None:
    assert read_progress(tmp_path) is None
    for text in ("", "{", "[]", '{"epoch": 3}'):
        RunFiles(tmp_path).progress.write_text(text)
        assert read_progress(tmp_path) is None


@given(
    curve=st.lists(st.floats(0, 1), min_size=1, max_size=30),
    patience=st.integers(1, 10),
    later=st.lists(st.floats(0, 1), min_size=30, max_size=30),
)
def test_the_time_that_a_training_takes_lies_between_the_two_estimates(
    curve: list[float], patience: int, later: list[float]
) -> None:
    """Whatever the epochs to come bring, if each takes as long as those before."""
    max_epochs = 30
    progress = Progress(config_hash="", host="", pid=1, max_epochs=max_epochs, patience=patience)
    estimate = None
    for epoch, ndcg in enumerate([*curve, *later], start=1):
        progress = progress.after(entry(epoch, ndcg))
        if epoch == len(curve):
            estimate = progress.seconds_left()
        if epoch == max_epochs or epoch - progress.best_epoch >= patience:
            break
    if progress.epoch >= len(curve):  # it had not ended before
        assert estimate is not None
        least, most = estimate
        assert least <= 2.0 * (progress.epoch - len(curve)) <= most

"""A training that is stopped or killed goes on to the result that it would have had."""

import json
import os
import random
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from forked import Forked
from small_runs import NETWORKS, outcome, preprocessed_log, small_config

from seqrec.errors import SeqrecError, Stopped
from seqrec.experiment.schema import RunConfig
from seqrec.layout import run_folder
from seqrec.records.record import TrainingPiece
from seqrec.running import engine, origin
from seqrec.running import run as running
from seqrec.running.folder_lock import alone_in, is_held
from seqrec.running.options import EngineOptions
from seqrec.running.resume import STOPPED_EXIT_CODE, ResumeFiles, SavedState
from seqrec.running.run import run
from seqrec.training.loop import Trainer

CPU = EngineOptions("cpu", 1, "float32")
KEY = {"training.max_epochs": 5, "data": "b", "precision": "float32"}
PIECE = TrainingPiece(first_epoch=1, threads=1, device="a processor", libraries={"torch": "1.0"})
EPOCHS = {"batch_size": 32, "max_epochs": 5, "patience": 5}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preprocessed_log(tmp_path_factory.mktemp("data"))


def stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a signal come after so many steps, be they of training or the end of an epoch."""
    left = iter(range(steps - 1, -1, -1))
    for name in ("step", "end_epoch"):
        original = getattr(Trainer, name)

        def stopped(trainer: Trainer, original: Any = original) -> Any:
            result = original(trainer)
            if next(left, 0) == 0:
                os.kill(os.getpid(), signal.SIGTERM)
            return result

        monkeypatch.setattr(Trainer, name, stopped)


@pytest.mark.parametrize(
    ("implementation", "precision"),
    [*((implementation, "float32") for implementation in NETWORKS), ("sasrec", "bfloat16")],
)
def test_stopped_after_any_step_it_ends_as_if_nothing_had_happened(
    implementation: str,
    precision: Any,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = small_config(implementation, "sampled", training=EPOCHS | {"max_epochs": 2})
    options = EngineOptions("cpu", 1, precision)
    run(config, data, tmp_path / "whole", options)
    for steps in range(1, 11):  # 4 steps an epoch, and the end of each
        folder = tmp_path / f"stopped-{steps}"
        with monkeypatch.context() as signalled, pytest.raises(Stopped):
            stop_after(steps, signalled)
            run(config, data, folder, options)
        assert not (folder / "failure.json").exists()
        torch.manual_seed(steps)  # nothing may depend on where the process left its own state
        run(config, data, folder, options)
        assert outcome(folder) == outcome(tmp_path / "whole"), steps
        assert not list(folder.glob("resume*"))


def test_stopped_with_a_schedule_and_negatives_of_the_batch_it_ends_as_if_nothing_had_happened(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = {"kind": "gbce", "negatives": 8, "sampling": "in-batch", "parameters": {"t": 0.75}}
    settings = {
        "optimiser": "adamw",
        "weight_decay": 0.1,
        "warmup_steps": 3,
        "schedule": "cosine",
        "gradient_clipping": 0.5,
        "stopping_metric": "mrr@7",
    }
    training = EPOCHS | {"max_epochs": 2} | settings
    config = RunConfig.model_validate(
        small_config("sasrec", training=training).model_dump() | {"loss": loss}
    )
    run(config, data, tmp_path / "whole", CPU)
    for steps in (1, 4, 5, 8):
        folder = tmp_path / f"stopped-{steps}"
        with monkeypatch.context() as signalled, pytest.raises(Stopped):
            stop_after(steps, signalled)
            run(config, data, folder, CPU)
        torch.manual_seed(steps)
        run(config, data, folder, CPU)
        assert outcome(folder) == outcome(tmp_path / "whole"), steps


@pytest.mark.parametrize("begun_in_bfloat16", [True, False])
def test_it_goes_on_in_the_precision_it_was_begun_in_whatever_the_machine_would_choose(
    begun_in_bfloat16: bool, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config("sasrec", "full", training=EPOCHS | {"max_epochs": 2})
    precision: Any = "bfloat16" if begun_in_bfloat16 else "float32"
    run(config, data, tmp_path / "whole", EngineOptions("cpu", 1, precision))
    folder = tmp_path / "moved"
    monkeypatch.setattr(engine, "bfloat16_is_faster", lambda device: begun_in_bfloat16)
    with monkeypatch.context() as signalled, pytest.raises(Stopped):
        stop_after(3, signalled)
        run(config, data, folder, EngineOptions("cpu", 1))
    monkeypatch.setattr(engine, "bfloat16_is_faster", lambda device: not begun_in_bfloat16)
    run(config, data, folder, EngineOptions("cpu", 1))
    assert outcome(folder) == outcome(tmp_path / "whole")
    assert json.loads((folder / "metrics.json").read_text())["precision"] == precision


def test_it_goes_on_whatever_becomes_of_the_evaluation(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(training=EPOCHS | {"max_epochs": 3})
    corrected = config.model_copy(
        update={"evaluation": config.evaluation.model_copy(update={"cutoffs": [5, 20]})}
    )
    with monkeypatch.context() as signalled, pytest.raises(Stopped):
        stop_after(7, signalled)
        run(config, data, tmp_path / "stopped", CPU)
    run(corrected, data, tmp_path / "stopped", CPU)
    run(corrected, data, tmp_path / "whole", CPU)
    found, wanted = outcome(tmp_path / "stopped"), outcome(tmp_path / "whole")
    assert found["weights"] == wanted["weights"]
    assert found["metrics"] == wanted["metrics"]
    history = pd.read_csv(tmp_path / "stopped/history.csv")
    assert not history.isna().any(axis=None)
    assert list(history.filter(like="ndcg")) == ["ndcg@10"]  # measured in every epoch


def start(config: RunConfig, data: Path, folder: Path, *prepare: Any) -> Forked:
    arguments = ["execute", "--config", config.json(), "--data", str(data)]
    arguments += ["--output", str(folder), "--device", "cpu", "--threads", "1"]
    arguments += ["--precision", "float32"]
    said = Path(tempfile.mkdtemp(dir=data.parent), "said.txt")
    return Forked(arguments, said, *prepare)


def hold_before(epoch: int, gate: Path) -> None:
    """Let no training in this process begin `epoch` while `gate` exists."""
    original = Trainer.begin_epoch

    def begin_epoch(trainer: Trainer) -> None:
        while trainer.position.epoch + 1 >= epoch and gate.exists():
            time.sleep(0.01)
        original(trainer)

    Trainer.begin_epoch = begin_epoch  # type: ignore[method-assign]


LONG = small_config(training=EPOCHS | {"max_epochs": 200, "patience": 200, "batch_size": 8})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP])
def test_a_signal_stops_it_with_its_own_exit_code_and_a_word_on_how_to_go_on(
    number: signal.Signals, data: Path, tmp_path: Path
) -> None:
    process = start(LONG, data, tmp_path / "run")
    process.wait_for("epoch   2")
    process.signal(number)
    assert process.end() == STOPPED_EXIT_CODE
    assert "the same command goes on from here" in process.said.read_text()
    assert "Traceback" not in process.said.read_text()
    assert (tmp_path / "run/resume.pt").is_file()
    assert not (tmp_path / "run/failure.json").exists()


@pytest.mark.parametrize("moments", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments_it_ends_as_if_nothing_had_happened(
    moments: int, data: Path, tmp_path: Path
) -> None:
    # Each life trains for at most four epochs of a few hundredths of a second each, so that every
    # one has something left to train, however late it is killed.
    epochs = 4 * moments
    config = small_config(
        training=EPOCHS | {"max_epochs": epochs, "patience": epochs, "batch_size": 4}
    )
    assert start(config, data, tmp_path / "whole").end() == 0
    draw = random.Random(0)
    folder, gate = tmp_path / "killed", tmp_path / "gate"
    gate.touch()  # so that none comes to its end before it is killed
    for life in range(1, moments + 1):
        process = start(config, data, folder, hold_before, 4 * life, gate)
        process.wait_for("epoch")
        time.sleep(draw.uniform(0, 0.3))
        process.signal(signal.SIGKILL)
        process.end()
    assert start(config, data, folder).end() == 0
    assert outcome(folder) == outcome(tmp_path / "whole")


def test_a_damaged_state_falls_back_to_the_one_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ResumeFiles(tmp_path)
    states = [SavedState(KEY, {"epoch": epoch}, 1, [PIECE]) for epoch in (1, 2)]
    for state in states:
        files.save(state)
    assert files.load(KEY) == states[1]
    files.current.write_bytes(files.current.read_bytes()[:-1])
    assert files.load(KEY) == states[0]
    assert "resume.pt: damaged" in capsys.readouterr().err
    files.previous.write_bytes(b"")
    assert files.load(KEY) is None


def test_what_is_no_file_of_states_is_never_read_to_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ResumeFiles(tmp_path)
    os.mkfifo(files.current)
    files.previous.touch()
    os.truncate(files.previous, 1 << 36)
    assert files.load(KEY) is None
    files.previous.unlink()
    files.previous.symlink_to("/dev/zero")
    assert files.load(KEY) is None
    assert capsys.readouterr().err.count("damaged, not used") == 4


def test_a_state_of_another_training_is_left_alone_and_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for epoch in (1, 2):
        ResumeFiles(tmp_path).save(SavedState(KEY, {"epoch": epoch}, 1, [PIECE]))
    now = {"training.max_epochs": 7, "data": "c", "precision": "float32", "loss.negatives": 5}
    assert ResumeFiles(tmp_path).load(now) is None
    said = capsys.readouterr().err
    assert said.count("resume.pt: not used, and the training starts anew") == 1
    assert (
        "it was begun with training.max_epochs 5 (now 7), other data, loss.negatives None (now 5)."
    ) in said


def test_a_state_of_an_earlier_version_is_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ResumeFiles(tmp_path)
    files.save(SavedState("key", {"epoch": 1}, 1, [PIECE]))  # type: ignore[arg-type]
    assert files.load(KEY) is None
    assert "by an earlier version of seqrec, not used" in capsys.readouterr().err


def stopped_with_two_threads(data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as signalled, pytest.raises(Stopped):
        stop_after(6, signalled)  # in the second epoch
        run(TWO_EPOCHS, data, folder, EngineOptions("cpu", 2, "float32"))


TWO_EPOCHS = small_config(training=EPOCHS | {"max_epochs": 2})


@pytest.mark.parametrize("threads", [None, 1])
def test_it_goes_on_with_the_threads_it_was_begun_with(
    threads: int | None,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(running, "usable_cores", lambda: 2)
    stopped_with_two_threads(data, tmp_path, monkeypatch)
    torch.set_num_threads(1)
    record = run(TWO_EPOCHS, data, tmp_path, EngineOptions("cpu", threads, "float32"))
    assert (record.threads, record.pieces) == (2, None)
    assert "pieces" not in record.content()
    said = "goes on with 2 threads, as it was begun, and not with 1"
    assert (said in capsys.readouterr().err) == (threads == 1)


def test_what_cannot_go_on_as_begun_is_said_and_recorded_piece_by_piece(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(running, "usable_cores", lambda: 1)
    stopped_with_two_threads(data, tmp_path, monkeypatch)
    versions = origin.library_versions()
    monkeypatch.setattr(origin, "library_versions", lambda: versions | {"torch": "9.9"})
    run(TWO_EPOCHS, data, tmp_path, CPU)
    said = capsys.readouterr().err
    assert (
        "goes on from epoch 2, but before with threads 2 (now 1), "
        f"torch {versions['torch']!r} (now '9.9'). The result may differ in its last bits"
    ) in said
    pieces = json.loads((tmp_path / "metrics.json").read_text())["pieces"]
    found = [(piece["first_epoch"], piece["threads"]) for piece in pieces]
    assert found == [(1, 2), (2, 1)]
    assert [piece["libraries"]["torch"] for piece in pieces] == [versions["torch"], "9.9"]


def test_a_training_that_starts_anew_says_what_has_changed(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as signalled, pytest.raises(Stopped):
        stop_after(2, signalled)
        run(TWO_EPOCHS, data, tmp_path, CPU)
    run(
        small_config(training=EPOCHS | {"max_epochs": 1}),
        data,
        tmp_path,
        EngineOptions("cpu", 1, "bfloat16", logits_per_chunk=99),
    )
    said = capsys.readouterr().err
    for change in (
        "training.max_epochs 2 (now 1)",
        "precision 'float32' (now 'bfloat16')",
        "(now 99)",
    ):
        assert change in said


def test_two_processes_never_train_one_run(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(LONG, data, folder)
    process.wait_for("epoch   1")
    with pytest.raises(SeqrecError, match="another process is training"):
        run(LONG, data, folder, CPU)
    assert not (folder / "failure.json").exists()
    shutil.rmtree(folder)  # as people do with what seems damaged
    with pytest.raises(SeqrecError, match="another process is training"):
        run(LONG, data, folder, CPU)
    process.signal(signal.SIGKILL)
    process.end()


def test_a_job_that_finds_its_run_under_way_waits_and_keeps_what_comes_of_it(
    data: Path, tmp_path: Path
) -> None:
    config = small_config()
    folder, gate = tmp_path / run_folder(*config.run), tmp_path / "gate"
    gate.touch()
    first = start(config, data, folder, hold_before, 2, gate)
    first.wait_for("epoch   1")
    second = start(config, data, folder)
    second.wait_for("another process is training this run; waiting.")
    gate.unlink()
    assert (first.end(), second.end()) == (0, 0)
    assert "epoch   2" in first.said.read_text()
    assert "epoch" not in second.said.read_text()  # it has trained nothing
    assert "finished before" in second.said.read_text()


def test_a_folder_that_cannot_be_written_is_one_message(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SeqrecError, match="cannot be written"):
        run(small_config(), data, tmp_path / "file" / "run", CPU)
    assert not is_held(Path("/"))


def test_a_killed_process_leaves_no_lock_behind(data: Path, tmp_path: Path) -> None:
    process = start(LONG, data, tmp_path / "run")
    process.wait_for("epoch   1")
    process.signal(signal.SIGKILL)
    process.end()
    with alone_in(tmp_path / "run"):
        pass

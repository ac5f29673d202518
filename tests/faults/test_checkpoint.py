"""A process dies, or a disk is full, while a checkpoint or a record is being written.

Each drill is a real `seqrec execute` in a process of its own.
"""

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forked import SERVER, Forked
from small_disk import small_disk
from small_runs import outcome, preprocessed_log, small_config

from seqrec.experiment.schema import RunConfig
from seqrec.layout import RunFiles, run_folder

EPOCHS = 3
SASREC = small_config("sasrec", training={"batch_size": 32, "max_epochs": EPOCHS})
FITTED = small_config("popularity")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preprocessed_log(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the training comes to when nothing happens."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert execute(SASREC, data, folder)[0] == 0
    return outcome(folder)


@pytest.fixture(scope="module")
def interrupted(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that died in its third checkpoint, with two whole ones."""
    folder = tmp_path_factory.mktemp("interrupted") / "run"
    assert execute(SASREC, data, folder, 12, "resume")[0] == -signal.SIGKILL
    return folder


# Lives


def execute(
    config: RunConfig, data: Path, folder: Path, death: int | None = None, of: str = ""
) -> tuple[int, str, int]:
    """Run it; return the exit code, what was said, and the number of steps of writing.

    With `death`, the process kills itself in place of that step, counted from 1. Only steps on
    files with `of` in their names count.
    """
    steps = SERVER.Value("i", 0)
    arguments = ["execute", "--config", config.json(), "--data", str(data)]
    arguments += ["--output", str(folder), "--device", "cpu", "--threads", "1"]
    arguments += ["--precision", "float32"]  # rather than what is measured to be faster
    process = Forked(arguments, data.parent / "said.txt", count_steps, steps, death, of)
    return process.end(), process.said.read_text(), steps.value


def count_steps(steps: Any, death: int | None, of: str) -> None:
    """Count each step of writing in this process, and kill it in place of step `death`."""

    def step(*paths: Any) -> None:
        if not any(of in Path(path).name for path in paths):
            return
        steps.value += 1
        if steps.value == death:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(call: Callable[..., Any]) -> Callable[..., Any]:
        def stepping(*values: Any, **names: Any) -> Any:
            step(*values[:1])
            return call(*values, **names)

        return stepping

    def write_bytes(path: Path, content: bytes) -> None:
        with path.open("wb", buffering=0) as file:
            for start, end in ((0, 1), (1, len(content) // 2), (len(content) // 2, len(content))):
                step(path)
                file.write(content[start:end])

    Path.write_bytes = write_bytes  # type: ignore[assignment,method-assign]
    Path.write_text = before(Path.write_text)  # type: ignore[method-assign]
    os.replace = before(os.replace)
    os.unlink = before(os.unlink)


# Dying


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_dead_at_any_step_of_writing_it_ends_as_if_nothing_had_happened(
    every: int, data: Path, whole: dict[str, Any], tmp_path: Path
) -> None:
    code, _, steps = execute(SASREC, data, tmp_path / "counted")
    assert code == 0
    deaths = range(1, steps + 1, every)
    for death in deaths:
        folder = tmp_path / str(death)
        code, _, reached = execute(SASREC, data, folder, death)
        assert (code, reached) == (-signal.SIGKILL, death)
        assert execute(SASREC, data, folder)[0] == 0
        assert outcome(folder) == whole, f"died at step {death}"
        left = {path.name for path in folder.iterdir()}
        assert left == {path.name for path in (tmp_path / "counted").iterdir()}
    print(f"{len(deaths)} of {steps} steps of writing were died at")
    assert every > 1 or len(deaths) >= 20


def test_dead_at_every_checkpoint_it_still_comes_to_its_end(
    data: Path, whole: dict[str, Any], tmp_path: Path
) -> None:
    """A checkpoint that was only begun leaves the one before it, and so on to the last."""
    folder = tmp_path / "run"
    # After the first is whole; in the second, between the two renamings; after it.
    for death in (5, 5, 5):
        assert execute(SASREC, data, folder, death, "resume")[0] == -signal.SIGKILL
    assert execute(SASREC, data, folder)[0] == 0
    assert outcome(folder) == whole


@pytest.mark.parametrize("damaged", [1, 2], ids=["the newest", "both"])
@pytest.mark.parametrize("damage", ["cut", "empty", "altered", "filled"])
def test_a_damaged_checkpoint_costs_its_epochs_and_nothing_else(
    damage: str,
    damaged: int,
    data: Path,
    whole: dict[str, Any],
    interrupted: Path,
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(interrupted, tmp_path / "run"))
    files = RunFiles(folder)
    for path in (files.resume, files.previous_resume)[:damaged]:
        content = path.read_bytes()
        middle = len(content) // 2
        changed = {"cut": content[:middle], "empty": b"", "filled": b"\xff" * middle}
        changed["altered"] = content[:middle] + b"!" + content[middle + 1 :]
        path.write_bytes(changed[damage])
    code, said, _ = execute(SASREC, data, folder)
    assert code == 0
    assert said.count("damaged, not used") == damaged
    assert said.count("  loss ") == (EPOCHS - 1 if damaged == 1 else EPOCHS)
    assert outcome(folder) == whole


# A full disk


def test_a_disk_that_fills_during_a_checkpoint_costs_nothing_but_a_word(
    data: Path, whole: dict[str, Any], tmp_path: Path
) -> None:
    # Stopped after its first checkpoint, to learn how large one is.
    execute(SASREC, data, tmp_path / "measured", death=6, of="resume")
    size = (tmp_path / "measured/resume.pt").stat().st_size
    with small_disk(tmp_path / "disk", 3 * size + 16384) as disk:
        finished = disk.folder / run_folder(*FITTED.run)
        assert execute(FITTED, data, finished)[0] == 0
        before = {path.name: path.read_bytes() for path in finished.iterdir()}
        folder = disk.folder / run_folder(*SASREC.run)
        filler = disk.fill(2 * size + size // 2)

        code, said, _ = execute(SASREC, data, folder)

        # The first two fitted; with those two the third did not, and so is not reported.
        assert code == 1
        assert said.count("  loss ") == EPOCHS - 1
        assert "resume.pt: cannot be written (No space left on device)" in said
        assert "Free some disk space" in said
        assert "Traceback" not in said
        assert json.loads((folder / "failure.json").read_text())["error"] in said
        assert {path.name: path.read_bytes() for path in finished.iterdir()} == before

        filler.unlink()
        code, said, _ = execute(SASREC, data, folder)

        assert code == 0
        assert said.count("  loss ") == 1, "it went on from the second epoch"
        assert outcome(folder) == whole


def test_a_disk_of_any_size_holds_a_whole_record_or_none(data: Path, tmp_path: Path) -> None:
    told = 0
    for size in range(4096, 16 * 4096, 4096):
        with small_disk(tmp_path / "disk", size) as disk:
            folder = disk.folder / run_folder(*FITTED.run)
            code, said, _ = execute(FITTED, data, folder)
            assert "Traceback" not in said
            if code == 0:
                break
            told += 1
            assert "No space left on device" in said
            assert "Free some disk space" in said
            assert "run again" in said
            assert not (folder / "metrics.json").exists()
            assert not list(folder.glob(".*.part*"))
            disk.grow(1 << 20)
            assert execute(FITTED, data, folder)[0] == 0
            assert not (folder / "failure.json").exists()
    else:
        raise AssertionError("no disk was large enough")
    assert told >= 4

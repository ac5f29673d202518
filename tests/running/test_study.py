"""`seqrec init` makes a study that finds the package's files, and never touches what is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from shipped import ROOT

from seqrec.cli.main import main
from seqrec.data.datasets import load_dataset
from seqrec.data.download import download
from seqrec.data.preprocessing import preprocess
from seqrec.errors import SeqrecError
from seqrec.layout import PROJECT, LogFiles, manifest
from seqrec.running.study import make_study
from seqrec.running.workflow import WorkflowConfig
from seqrec.typed_yaml import check_values, load_yaml


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_study(tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    return tmp_path / "study"


def seqrec(folder: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "seqrec", *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_can_be_read_and_its_log_made(study: Path) -> None:
    dataset = load_dataset("example")
    download("example", dataset, mirror="")
    preprocess("example", dataset, manifest("example"), LogFiles.of("example").folder)
    assert LogFiles.of("example").times.is_file()


def test_check_says_which_files_are_the_packages_and_which_replace_one(study: Path) -> None:
    said = " ".join(seqrec(study, "check", "study").split())
    assert f"From the package ({PROJECT}/config): models/popularity.yaml, " in said
    assert "Instead of" not in said
    own = study / "config/models/sasrec+.yaml"
    own.write_bytes((PROJECT / "config/models/sasrec+.yaml").read_bytes())
    said = " ".join(seqrec(study, "check", "study").split())
    assert "Instead of the package's: config/models/sasrec+.yaml." in said
    assert "/config): models/popularity.yaml." in said


def test_its_workflow_runs_its_experiment_with_the_packages_options(study: Path) -> None:
    options = load_yaml(study / "config/workflow.yaml")
    assert check_values(WorkflowConfig, options, "study").experiment == "study"
    assert {**options, "experiment": "demo"} == load_yaml(PROJECT / "config/workflow.yaml")


def test_profiles_are_those_of_the_project(study: Path) -> None:
    for path in (ROOT / "profiles").glob("*/config.yaml"):
        assert (study / path.relative_to(ROOT)).read_bytes() == path.read_bytes()


def test_an_empty_folder_is_filled_and_any_other_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    make_study(tmp_path / "empty")
    before = files(tmp_path)
    assert "empty/.gitignore" in before
    (tmp_path / "file").write_text("mine")
    for place in ("empty", "file"):
        with pytest.raises(SeqrecError, match=f"{place}: is not empty, .*another name"):
            make_study(tmp_path / place)
    assert files(tmp_path) == {**before, "file": b"mine"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file"]


def test_a_folder_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = CliRunner().invoke(main, ["init", str(tmp_path / "file/study")])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("Error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_current_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SeqrecError, match="name a new folder"):
        make_study(Path())

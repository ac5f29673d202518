"""The TAB key offers what the project's folder holds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.shell_completion import BashComplete
from record_factory import make_record
from shipped import copied_config

from seqrec.cli.main import main
from seqrec.experiment.schema import Training

TRAINING = sorted(f"training.{key}=" for key in Training.model_fields)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    config = copied_config(tmp_path)
    own = {"name": "sasrec+slow", "like": "sasrec+", "training": {"learning_rate": 0.0003}}
    experiment = {"datasets": ["demo"], "models": ["sasrec+N", own], "negatives": [7]}
    (config / "mine.yaml").write_text(yaml.safe_dump(experiment))
    make_record(tmp_path / "results/mine", "demo", "sasrec+7")
    (tmp_path / "results/mine/grid.json").write_text("{}")
    (tmp_path / "results/other").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def offered(*words: str) -> list[str]:
    """What the last of the words may become."""
    *before, incomplete = words
    complete = BashComplete(main, {}, "seqrec", "_SEQREC_COMPLETE")
    return [item.value for item in complete.get_completions(before, incomplete)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("stat",), ["status"]),
        (("download", "ml-1m"), ["ml-1m"]),
        (("preprocess", "yel"), ["yelp"]),
        (("simulate", "--like", "ye"), ["yelp"]),
        (("check", "m"), ["mine"]),
        (("check", "wo"), []),  # the workflow's settings are no experiment
        (("grid", "pa"), ["paper"]),
        (("train", "de"), ["demo"]),
        (("train", "demo", "sasrec+3"), ["sasrec+30", "sasrec+300", "sasrec+3000"]),
        (("train", "demo", "gru"), ["gru4rec"]),
        (("train", "--experiment", "mi"), ["mine"]),
        (
            ("train", "--experiment", "mine", "demo", "sasrec+"),
            ["sasrec+", "sasrec+7", "sasrec+slow"],
        ),
        (("train", "--experiment", "none", "demo", "popu"), ["popularity"]),
        (("train", "demo", "sasrec+", "--track", "te"), ["tensorboard"]),
        (("train", "demo", "sasrec+", "training.p"), ["training.patience="]),
        (("check", "demo", "hyperparameters.hidden_s"), ["hyperparameters.hidden_size="]),
        (("grid", "demo", "see"), ["seeds="]),
        (("prepare", "demo", "training"), TRAINING),
        (("train", "demo", "sasrec+", "training.patience=1", "max"), ["max_length="]),
        (("tables", "res"), ["results/mine"]),
        (("status", "results/"), ["results/mine"]),
        (("promote", "results/x"), []),
        (("recommend", ""), ["results/mine/runs/demo/sasrec+7/seed-0"]),
    ],
)
def test_names_are_completed(project: Path, words: tuple[str, ...], expected: list[str]) -> None:
    assert offered(*words) == expected


def test_elsewhere_nothing_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (("check", ""), ("train", "demo", ""), ("recommend", ""), ("tables", "")):
        assert offered(*words) == []


def test_the_installed_command_speaks_to_bash(project: Path) -> None:
    """As documented: the script is sourced, then asked for the word under the cursor."""
    script = """
        eval "$(_SEQREC_COMPLETE=bash_source seqrec)"
        COMP_WORDS=(seqrec train demo sasrec+10) COMP_CWORD=3
        _seqrec_completion seqrec
        echo "${COMPREPLY[@]}"
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    assert done.stdout.split() == ["sasrec+10", "sasrec+100", "sasrec+1000"], done.stderr

"""`seqrec split`, and the commands on an experiment with several splits."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result
from shipped import copied_config

from seqrec.cli.main import main
from seqrec.layout import ResultFiles
from seqrec.records import read_record, read_records

TEMPORAL = {"kind": "global-temporal", "quantile": 0.7, "validation": "last-train-item"}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a small dataset with times, and an experiment with two splits."""
    config = copied_config(tmp_path)
    rng = np.random.default_rng(0)
    lines = ["user,item,at"]
    for user in range(60):
        times = np.sort(rng.integers(0, 10**6, 8)) + 10**9
        lines += [f"u{user},i{rng.integers(20)},{time}" for time in times]
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "data/raw/small.csv").write_text("\n".join(lines) + "\n")
    dataset = {
        "title": "Small",
        "max_length": 10,
        "format": {"kind": "csv", "columns": {"user": "user", "item": "item", "timestamp": "at"}},
        "sources": [{"file": "small.csv"}],
    }
    (config / "datasets/small.yaml").write_text(yaml.safe_dump(dataset))
    experiment = {
        "datasets": ["small"],
        "models": ["popularity"],
        "splits": {"loo": {"kind": "leave-one-out"}, "time": TEMPORAL},
    }
    (config / "small.yaml").write_text(yaml.safe_dump(experiment))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEQREC_MIRROR", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception  # a mistake of a user is never a traceback
    return result


def described(*settings: str) -> dict[str, Any]:
    result = run("split", "small", *settings)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_it_prints_what_a_split_makes_of_a_dataset() -> None:
    plain = described()
    assert plain["dataset"] == "small"
    assert plain["split"] == {"kind": "leave-one-out", "refit": False, "seen": "drop"}
    assert plain["train"] == {"users": 60, "items": 20, "interactions": 360}
    assert plain["test"] == plain["validation"] == {"users": 60, "targets": 60}
    assert plain["cold"] == {"users": 0, "items": 0, "targets": 0}
    assert 0 < plain["later_than_target"] < 1
    assert 0 < plain["targets_in_history"] < 1
    temporal = described("split.kind=global-temporal", "split.quantile=0.7", "split.target=first")
    assert temporal["split"]["target"] == "first"
    assert temporal["cut"]["date"].startswith("2001-09-")
    assert temporal["cut"]["seconds"] > temporal["validation_cut"]["seconds"] > 10**9
    assert temporal["later_than_target"] == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["split.target=all"], "leave-one-out has no target; add kind: global-temporal"),
        (["split.knd=x"], "unknown key 'knd'; did you mean 'kind'?"),
        (["training.patience=3"], "only the split matters here"),
        (["split.kind=global-temporal", "split.at=1999-01-01"], "leaves 0 users to train"),
        (["split.kind=global-temporal", "split.at=soon"], "write a date, such as 2014-05-01"),
        (["quantile"], "write key=value"),
    ],
)
def test_a_mistake_is_one_message(settings: list[str], message: str) -> None:
    result = run("split", "small", *settings)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert message in result.stderr.splitlines()[-1]


def test_a_run_of_an_experiment_with_several_splits_is_trained_by_its_task(project: Path) -> None:
    for task in ("small@loo", "small@time"):
        result = run("train", task, "popularity", "--experiment", "small")
        assert result.exit_code == 0, result.output
    records = read_records(ResultFiles.of("small").folder)
    assert [record.task for record in records] == ["small@loo", "small@time"]
    assert [record.config["split"]["name"] for record in records] == ["loo", "time"]
    result = run("train", "small", "popularity", "--experiment", "small")
    assert result.exit_code == 1
    assert "small has several splits; name one, as in small@loo" in result.stderr
    [heading] = [
        line for line in run("status", "results/small").stdout.splitlines() if "loo" in line
    ]
    assert heading.split() == ["small", "loo", "time"]


def test_a_split_by_settings_needs_a_name_of_its_own() -> None:
    settings = ["split.kind=global-temporal", "split.target=successive"]
    command = ["train", "small", "popularity", "--experiment", "demo", *settings]
    assert "--name" in run(*command).stderr
    assert run(*command, "--name", "temporal").exit_code == 0
    record = read_record(ResultFiles.of("temporal").run("small", "popularity", 0).folder)
    assert record.config["split"]["target"] == "successive"
    users = record.target_users()
    assert users is not None
    assert len(users) > record.users

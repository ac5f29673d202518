"""`seqrec split --write` and `seqrec score`: what another library predicts, in our tables."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from documentation import shown_files
from test_split import project, run

from seqrec.layout import ResultFiles
from seqrec.records import read_record

__all__ = ["project"]

SPLITS: dict[str, Sequence[str]] = {
    "leave-one-out": (),
    "successive": ("split.kind=global-temporal", "split.quantile=0.7", "split.target=successive"),
}


def random_lists(parts: Path, output: Path, k: int = 12) -> Path:
    """Predict at random, by nothing but the files that `seqrec split` writes."""
    test = pd.read_parquet(parts / "test.parquet")
    items = sorted({*test["item"], *pd.read_parquet(parts / "train.parquet")["item"]})
    rng = np.random.default_rng(0)
    lines = []
    for user, of_user in test.groupby("user", sort=False):
        for target in range(1, of_user["target"].max() + 1):
            seen = {*of_user.loc[of_user["target"] < target, "item"]}
            unseen = [item for item in rng.permutation(items) if item not in seen]
            lines += [(user, item, rank, target) for rank, item in enumerate(unseen[:k], 1)]
    pd.DataFrame(lines, columns=["user", "item", "rank", "target"]).to_csv(output, index=False)
    return output


@pytest.mark.parametrize("name", SPLITS)
def test_what_is_predicted_from_the_files_of_a_split_stands_beside_our_models(
    project: Path, name: str
) -> None:
    settings = SPLITS[name]
    result = run("split", "small", *settings, "--write", "parts")
    assert result.exit_code == 0, result.output
    about = json.loads((project / "parts/split.json").read_text())
    assert about["split"]["kind"] == ("global-temporal" if settings else "leave-one-out")
    path = random_lists(project / "parts", project / "top.csv")
    asked = ["small", str(path), *settings, "--model", "random", "--name", "study"]
    result = run("score", *asked)
    assert result.exit_code == 0, result.output
    assert run("train", "small", "popularity", *settings, "--name", "study").exit_code == 0
    results = ResultFiles.of("study")
    record = read_record(results.run("small", "random", 0).folder)
    assert (record.device, record.list_length) == ("elsewhere", 12)
    for command in ("tables", "report", "summary"):
        result = run(command, "results/study")
        assert result.exit_code == 0, result.output
    table = (results.tables / "results/small.md").read_text()
    assert "judged by what these predict: random." in table
    lines = list(csv.DictReader(io.StringIO(run("metrics", "results/study", "12").stdout)))
    assert [line["model"] for line in lines] == ["popularity", "random"]
    result = run("metrics", "results/study", "12", "20")
    assert result.exit_code == 1
    assert "random/seed-0: its lists hold 12 items: no hit_rate@20" in result.stderr
    theirs, ours = (f"results/study/runs/small/{model}" for model in ("random", "popularity"))
    assert run("compare", theirs, ours).exit_code == 0
    assert "random" not in run("best", "results/study").stdout


def test_a_table_of_metrics_beyond_the_lists_says_why_the_model_is_missing(project: Path) -> None:
    experiment = "datasets: [small]\nmodels: [popularity]\nreport: {metrics: [ndcg@10, ndcg@15]}\n"
    (project / "config/study.yaml").write_text(experiment)
    assert run("train", "small", "popularity", "--experiment", "study").exit_code == 0
    assert run("grid", "study", "--output", "results/study/grid.json").exit_code == 0
    assert run("split", "small", "--write", "parts").exit_code == 0
    path = random_lists(project / "parts", project / "top.csv")
    assert run("score", "small", str(path), "--model", "random", "--name", "study").exit_code == 0
    assert run("tables", "results/study").exit_code == 0
    said = (ResultFiles.of("study").tables / "missing.md").read_text()
    assert "its lists hold 12 items: no ndcg@15" in said


@pytest.mark.parametrize(
    ("task", "arguments", "message"),
    [
        ("small", ["--model", "../up"], "model name '../up'"),
        ("small", ["--model", "theirs", "--name", "reference"], "'reference' is reserved"),
        ("small", ["--model", "theirs", "training.patience=3"], "only the split matters here"),
        ("small@temporal", ["--model", "theirs"], "the name alone does not say what the split is"),
        (
            *("small", ["--model", "popularity", "--name", "study"]),
            "popularity is the name of a model that seqrec trains",
        ),
    ],
)
def test_a_mistake_is_one_message_and_nothing_is_written(
    project: Path, task: str, arguments: list[str], message: str
) -> None:
    assert run("split", "small", "--write", "parts").exit_code == 0
    assert run("train", "small", "popularity", "--name", "study").exit_code == 0
    path = random_lists(project / "parts", project / "top.csv")
    before = sorted(Path("results").rglob("*"))
    result = run("score", task, str(path), *arguments)
    assert result.exit_code == 1
    assert message in result.stderr.splitlines()[-1]
    assert sorted(Path("results").rglob("*")) == before


def example(name: str, python: str, project: Path, *arguments: str) -> None:
    """Run a script that the documentation shows on the parts of a split, and score its lists."""
    (project / name).write_text(shown_files()[name])
    assert run("split", "demo", "--write", "parts").exit_code == 0
    subprocess.run([python, name, "parts", "top.parquet", *arguments], cwd=project, check=True)
    result = run("score", "demo", "top.parquet", "--model", "theirs")
    assert result.exit_code == 0, result.output
    found = read_record(ResultFiles.of("train").run("demo", "theirs", 0).folder)
    assert found.test["hit_rate@10"] > 0.15  # popularity: 0.09


def test_the_example_of_implicit_runs_from_end_to_end(project: Path) -> None:
    example("implicit_als.py", sys.executable, project)


@pytest.mark.slow
def test_the_example_of_rectools_runs_from_end_to_end(project: Path) -> None:
    """Needs SEQREC_RECTOOLS, the Python of an environment in which RecTools is installed."""
    python = os.environ.get("SEQREC_RECTOOLS")
    if not python:
        pytest.skip("SEQREC_RECTOOLS names no Python with RecTools")
    example("rectools_sasrec.py", python, project, "5")

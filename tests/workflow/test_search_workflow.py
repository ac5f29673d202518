"""A search in the workflow: jobs known from the start, a choice by validation, new seeds."""

import json
from pathlib import Path
from statistics import fmean

import pytest
from tiny_project import EXPERIMENT, Project

SEARCH = {
    **EXPERIMENT,
    "models": ["popularity", "sasrec+"],
    "search": {
        "trials": 3,
        "reseed": 2,
        "space": {"training.learning_rate": {"log": [0.001, 0.1], "models": ["sasrec+"]}},
    },
}
TRIALS = {f"train tiny sasrec+.t0{number} 0" for number in range(3)}
TUNED = {f"train tiny sasrec+.tuned {seed}" for seed in (1, 2)}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.new(tmp_path / "a folder with spaces")
    project.write("config/tiny.yaml", SEARCH)
    return project


def metrics_of(project: Project, model: str, seed: int = 0) -> dict:
    path = project.results / f"runs/tiny/{model}/seed-{seed}/metrics.json"
    return json.loads(path.read_text())


def test_all_jobs_are_known_before_anything_has_run(project: Project) -> None:
    planned = project.plan("runs")
    assert planned >= {"train tiny popularity 0", *TRIALS, *TUNED}
    assert not (project.results / "runs").exists()


@pytest.mark.slow
def test_the_setting_with_the_best_validation_is_run_with_new_seeds(project: Project) -> None:
    project.make("runs")
    trials = {f"sasrec+.t0{n}": metrics_of(project, f"sasrec+.t0{n}") for n in range(3)}
    best = max(trials, key=lambda name: trials[name]["validation"]["ndcg@10"])
    for seed in (1, 2):
        tuned = metrics_of(project, "sasrec+.tuned", seed)
        expected = trials[best]["config"] | {"model": "sasrec+.tuned", "seed": seed}
        assert tuned["config"] == expected
    assert "Nothing to be done" in project.make("runs")
    before = project.records()

    # More trials keep the earlier ones; the choice is made again, from all of them.
    longer = {**SEARCH["search"], "trials": 5}
    project.write("config/tiny.yaml", {**SEARCH, "search": longer})
    planned = project.plan("runs")
    new = {"train tiny sasrec+.t03 0", "train tiny sasrec+.t04 0"}
    assert {job for job in planned if job.startswith("train")} == new | TUNED
    project.make("runs")
    after = project.records()
    assert {path: after[path] for path in before if ".tuned" not in path} == {
        path: text for path, text in before.items() if ".tuned" not in path
    }
    trials |= {name: metrics_of(project, name) for name in ("sasrec+.t03", "sasrec+.t04")}
    best = max(trials, key=lambda name: trials[name]["validation"]["ndcg@10"])
    rate = trials[best]["config"]["training"]["learning_rate"]
    assert metrics_of(project, "sasrec+.tuned", 1)["config"]["training"]["learning_rate"] == rate

    project.make()
    for name in ("tables/tuning.md", "figures/tries/tiny.pdf", "figures/settings/tiny.svg"):
        assert (project.results / name).stat().st_size > 0
    table = (project.results / "tables/results/tiny.md").read_text()
    assert "SASRec+ (tuned)" in table
    assert "t0" not in table
    seeds = [metrics_of(project, "sasrec+.tuned", seed)["test"]["ndcg@10"] for seed in (1, 2)]
    assert f"{fmean(seeds):.4f}" in table

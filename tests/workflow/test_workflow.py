"""The workflow's promises, held against real Snakemake runs of a tiny experiment.

The experiment runs once; each test then works on a copy of the finished project of its own.
"""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
import yte
from small_runs import readme_files

from seqrec.records.fingerprint import training_code_fingerprint

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "workflow", "profiles", "config", "seqrec", "environment.yml", ".gitignore")

DATASET = {
    "title": "Tiny",
    "max_length": 10,
    "simulate": {
        "users": 60,
        "items": 30,
        "mean_length": 8,
        "min_length": 5,
        "max_length": 12,
        "genres": 3,
    },
}
EXPERIMENT = {
    "datasets": ["tiny"],
    "models": ["popularity", "sasrec+", "sasrec+N"],
    "negatives": [5],
    "training": {"max_epochs": 1, "batch_size": 32},
    "overrides": [{"models": ["sasrec*"], "hyperparameters": {"hidden_size": 8, "blocks": 1}}],
}
REPORT = {"final_tables", "final_figures", "all"}


def trainings(*models: str, dataset: str = "tiny", seed: int = 0) -> set[str]:
    return {f"train {dataset} {model} {seed}" for model in models}


EVERY_TRAINING = trainings("popularity", "sasrec+", "sasrec+5")


class Project:
    """A copy of this project with a tiny experiment in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = folder / "results/tiny"

    @classmethod
    def new(cls, folder: Path) -> "Project":
        for part in PARTS:
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / part).is_dir():
                unwanted = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / part, folder / part, ignore=unwanted)
            else:
                shutil.copy2(ROOT / part, folder / part)
        project = cls(folder)
        project.write("config/datasets/tiny.yaml", DATASET)
        project.write("config/tiny.yaml", EXPERIMENT)
        return project

    def copy(self, folder: Path) -> "Project":
        shutil.copytree(self.folder, folder)  # with the times of files
        return Project(folder)

    def path(self, name: str) -> Path:
        return self.folder / name

    def write(self, name: str, content: dict) -> None:
        self.path(name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def append(self, name: str, text: str) -> None:
        with self.path(name).open("a", encoding="utf-8") as file:
            file.write(text)

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=300,
        )

    def environment(self) -> dict[str, str]:
        """The copy's package, not the one that is installed; and nothing from the network."""
        return {
            **os.environ,
            "PYTHONPATH": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SEQREC_MIRROR": "",
        }

    def snakemake(self, *words: str, experiment: str = "tiny") -> subprocess.CompletedProcess[str]:
        """`words` are targets, then options, then further settings `key=value`."""
        options = [word for word in words if not re.match(r"[a-z]+=", word)]
        settings = [word for word in words if re.match(r"[a-z]+=", word)]
        config = ["--config", f"experiment={experiment}", *settings]
        return self.call(
            sys.executable, "-m", "snakemake", *options, "--cores", "2", "--nocolor", *config
        )

    def make(self, *words: str, experiment: str = "tiny") -> str:
        """What Snakemake says while it does it; it must succeed."""
        done = self.snakemake(*words, experiment=experiment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def plan(self, *words: str, experiment: str = "tiny") -> set[str]:
        """The jobs that a dry run names: a rule and the values of its wildcards."""
        return jobs(self.make(*words, "--dry-run", experiment=experiment))

    def with_make(self) -> "Project":
        """With the Makefile, for which the Python of this test is the environment."""
        shutil.copy2(ROOT / "Makefile", self.folder)
        for name in ("requirements.lock", "pyproject.toml", ".venv/bin/python", ".venv/.ready"):
            self.path(name).parent.mkdir(parents=True, exist_ok=True)
            self.path(name).touch()
        python = self.path(".venv/bin/python")
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        return self

    def seqrec(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.call(sys.executable, "-m", "seqrec", *words)

    def record(self, model: str, experiment: str = "tiny", dataset: str = "tiny") -> Path:
        return self.path(f"results/{experiment}/runs/{dataset}/{model}/seed-0/metrics.json")

    def records(self) -> dict[str, str]:
        """Every record's content by its path."""
        paths = self.path("results").glob("*/runs/*/*/seed-*/metrics.json")
        return {str(path.relative_to(self.folder)): path.read_text() for path in paths}


def jobs(said: str) -> set[str]:
    """The jobs that Snakemake's words describe, planned or done."""
    found = set()
    for match in re.finditer(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", said, re.MULTILINE):
        wildcards = re.search(r"    wildcards: (.*)\n", match[2])
        values = re.findall(r"\w+=([^,]+)", wildcards[1]) if wildcards else []
        found.add(" ".join([match[1], *values]))
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after its one command, in a git checkout."""
    project = Project.new(tmp_path_factory.mktemp("workflow") / "a folder with spaces")
    for words in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "all"],
    ):
        assert project.call("git", *words).returncode == 0
    project.make()
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project that a test may change."""
    return finished.copy(tmp_path / "another folder")


# One command


def test_one_command_makes_data_runs_tables_and_figures(finished: Project) -> None:
    assert finished.path("data/processed/tiny/digest.json").is_file()
    assert len(finished.records()) == 3
    names = ["results.csv", "figures/num_negatives.png", "figures/convergence.svg"]
    names += [f"tables/{name}.{form}" for name in ("tiny", "datasets") for form in ("md", "tex")]
    names += ["tables/pairs/tiny.csv", "tables/claims.html", "figures/learning/tiny.html"]
    for name in names:
        assert (finished.results / name).stat().st_size > 0
    assert "SASRec+" in (finished.results / "tables/tiny.md").read_text()


def test_a_second_call_does_nothing(finished: Project) -> None:
    assert "Nothing to be done" in finished.make()


def test_empty_settings_are_none(finished: Project) -> None:
    assert finished.plan("name=", "set=", "retrain=") == set()


def test_the_checkout_stays_clean(finished: Project) -> None:
    assert finished.call("git", "status", "--porcelain").stdout == ""


def test_each_job_leaves_a_log_and_each_training_a_benchmark(finished: Project) -> None:
    assert "training" in (finished.results / "logs/tiny/sasrec+5/seed-0.log").read_text()
    benchmark = (finished.results / "benchmarks/tiny/sasrec+5/seed-0.tsv").read_text()
    assert benchmark.startswith("s\t")
    logs = ("download-tiny.log", "preprocess-tiny.log", "tables.log", "figures.log", "grid.log")
    written = {path.name for path in finished.folder.rglob("*.log")}
    assert {name for name in logs if name not in written} <= {"tables.log", "figures.log"}


# What does not train again


def test_touched_files_make_nothing_again(project: Project) -> None:
    touched = ["config/tiny.yaml", "config/datasets/tiny.yaml", "data/raw/tiny.json"]
    touched += ["data/processed/tiny/digest.json", "seqrec/losses.py", *project.records()]
    for name in touched:
        project.path(name).touch()
    assert project.plan() == set()


def test_a_tree_with_arbitrary_times_is_not_trained_again(project: Project) -> None:
    draw = random.Random(0)
    for path in sorted(project.folder.rglob("*")):
        if ".snakemake" not in path.parts:
            moment = 1_700_000_000 + draw.randrange(10**6)
            os.utime(path, (moment, moment))
    assert project.plan() == set()


def test_the_order_of_keys_means_nothing(project: Project) -> None:
    def reversed_keys(value: object) -> object:
        if isinstance(value, dict):
            return {key: reversed_keys(value[key]) for key in reversed(value)}
        return [reversed_keys(item) for item in value] if isinstance(value, list) else value

    project.write("config/tiny.yaml", reversed_keys(EXPERIMENT))
    project.write("config/datasets/tiny.yaml", reversed_keys(DATASET))
    assert project.plan() == set()


def test_edited_training_code_trains_nothing_but_marks_tables(project: Project) -> None:
    project.append("seqrec/losses.py", "# A new thought.\n")
    assert project.plan() == {"final_tables", "all"}
    stale = project.seqrec("stale", "results/tiny").stdout.split()
    successes = [str(Path(name).with_name(".success")) for name in project.records()]
    assert sorted(stale) == sorted(successes)
    assert jobs(project.make("tables")) >= {"write_tables"}
    table = (project.results / "tables/tiny.md").read_text()
    assert "training code" in table


def test_records_outlive_the_workflows_own_memory(project: Project) -> None:
    before = project.records()
    shutil.rmtree(project.path(".snakemake"))
    project.path("data/processed/tiny/digest.json").touch()
    said = project.make("runs")
    assert jobs(said) == {*EVERY_TRAINING, "runs"}
    assert project.records() == before
    assert project.plan("runs") == set()


def test_data_that_comes_out_the_same_keeps_the_records(project: Project) -> None:
    before = project.records()
    size = {"users": 1, "items": 1, "interactions": 1, "min_length": 1, "mismatch": "warning"}
    project.write("config/datasets/tiny.yaml", {**DATASET, "expected": size})
    assert "preprocess tiny" in jobs(project.make("runs"))
    assert project.records() == before


# What trains again


@pytest.mark.parametrize("name", ["metrics.json", ".success"])
def test_a_run_without_its_record_or_its_end_is_done_again(project: Project, name: str) -> None:
    (project.record("sasrec+").parent / name).unlink()
    assert project.plan("runs") >= trainings("sasrec+")


def test_a_record_that_somebody_put_in_its_place_is_looked_at_and_shown(project: Project) -> None:
    record = project.record("sasrec+")
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | {"training_seconds": 12345.0}))
    assert project.plan() == {*trainings("sasrec+"), *REPORT}
    project.make()
    assert "12,345" in (project.results / "tables/tiny.md").read_text()
    record.write_text(json.dumps(content | {"config_hash": "another"}))
    project.make("runs")
    assert json.loads(record.read_text())["config_hash"] == content["config_hash"]


def test_a_record_whose_process_was_killed_later_is_kept(project: Project) -> None:
    record = project.record("sasrec+")
    tracker = project.path("seqrec/trackers.py")
    code = tracker.read_text()
    # As by a time limit, with a tracker that is slow to take the result.
    project.append("seqrec/trackers.py", "Tracking.result = lambda *_: os.kill(os.getpid(), 9)\n")
    shutil.rmtree(record.parent)
    assert project.snakemake("runs").returncode != 0
    tracker.write_text(code)
    made = record.read_bytes()
    assert jobs(project.make("runs")) == {*trainings("sasrec+"), "runs"}
    assert "finished before" in (project.results / "logs/tiny/sasrec+/seed-0.log").read_text()
    assert record.read_bytes() == made


def test_deleted_tables_are_made_again(project: Project) -> None:
    shutil.rmtree(project.results / "tables")
    assert project.plan() == {"final_tables", "all"}


def test_a_changed_hyperparameter_trains_the_runs_it_reaches(project: Project) -> None:
    change = {"models": ["sasrec+5"], "training": {"learning_rate": 0.01}}
    overrides = [*EXPERIMENT["overrides"], change]
    project.write("config/tiny.yaml", {**EXPERIMENT, "overrides": overrides})
    assert project.plan() == {"write_grid", *trainings("sasrec+5"), *REPORT}


def test_changed_data_train_every_run_on_them(project: Project) -> None:
    simulate = {**DATASET["simulate"], "seed": 7}
    project.write("config/datasets/tiny.yaml", {**DATASET, "simulate": simulate})
    assert project.plan() == {"download tiny", "preprocess tiny", *EVERY_TRAINING, *REPORT}


def test_a_log_that_the_command_line_made_is_made_again_after_an_edit(project: Path) -> None:
    shutil.rmtree(project.path(".snakemake"))
    assert "preprocess tiny" not in project.plan("data")
    assert project.seqrec("preprocess", "tiny").returncode == 0
    project.write("config/datasets/tiny.yaml", {**DATASET, "filter": {"duplicates": "first"}})
    assert "preprocess tiny" in project.plan("data")


def test_a_log_that_the_command_line_made_is_made_again_after_an_edit_is_reverted(
    project: Project,
) -> None:
    digest = project.path("data/processed/tiny/digest.json")
    before = digest.read_text()
    project.write(
        "config/datasets/tiny.yaml", {**DATASET, "filter": {"min_interactions_per_user": 8}}
    )
    assert project.seqrec("preprocess", "tiny").returncode == 0
    assert digest.read_text() != before
    project.write("config/datasets/tiny.yaml", DATASET)
    assert "preprocess tiny" in jobs(project.make("data"))
    assert digest.read_text() == before


@pytest.mark.parametrize("older", [False, True])
def test_an_own_file_that_its_owner_changes_is_had_again(project: Path, older: bool) -> None:
    file = project.path("data/raw/own.csv")
    own = {"title": "Own", "max_length": 10, "sources": [{"file": "own.csv"}]}
    own["format"] = {"kind": "csv", "header": False}
    project.write("config/datasets/own.yaml", own)
    lines = [f"{user},{item}" for user in range(9) for item in range(user % 3, 9)]
    file.write_text("\n".join(lines) + "\n")
    project.make("data", "set=datasets=own", "name=own")
    digest = project.path("data/processed/own/digest.json").read_text()
    assert jobs(project.make("data", "set=datasets=own", "name=own")) == set()
    file.write_text("\n".join([*lines, "9,1", "9,2", "9,3"]) + "\n")
    if older:  # as one that was copied with its date
        os.utime(file, (1_600_000_000, 1_600_000_000))
    done = jobs(project.make("data", "set=datasets=own", "name=own"))
    assert {"download own", "preprocess own"} <= done
    assert project.path("data/processed/own/digest.json").read_text() != digest


@pytest.mark.parametrize(
    "changes, new",
    [
        ({"seeds": [0, 1]}, trainings("popularity", "sasrec+", "sasrec+5", seed=1)),
        ({"negatives": [5, 6]}, trainings("sasrec+6")),
        (
            {"datasets": ["tiny", "other"]},
            {
                "download other",
                "preprocess other",
                *trainings("popularity", "sasrec+", "sasrec+5", dataset="other"),
            },
        ),
    ],
    ids=["seed", "model", "dataset"],
)
def test_an_addition_runs_only_what_is_new(project: Project, changes: dict, new: set[str]) -> None:
    project.write("config/datasets/other.yaml", DATASET)
    project.write("config/tiny.yaml", {**EXPERIMENT, **changes})
    assert project.plan() == {*new, "write_grid", *REPORT}


@pytest.mark.parametrize(
    "module, steps",
    [
        ("tables", {"final_tables"}),
        ("figures", {"final_figures"}),
        ("charts", {"final_figures"}),
        ("statistics", {"final_tables", "final_figures"}),
    ],
)
def test_edited_report_code_remakes_its_own_part_only(
    project: Project, module: str, steps: set[str]
) -> None:
    project.append(f"seqrec/{module}.py", "# A new thought.\n")
    assert project.plan() == {*steps, "all"}


def test_tables_and_figures_depend_on_every_module_that_they_import(project: Project) -> None:
    said = project.make("--detailed-summary")
    lines = [line.split("\t") for line in said.splitlines() if line.count("\t") > 5]
    inputs = {
        line["rule"]: set(line["input-file(s)"].split(","))
        for line in (dict(zip(lines[0], values, strict=True)) for values in lines[1:])
    }
    for module in ("tables", "figures"):
        code = f"import json, sys, seqrec.{module}; print(json.dumps([*sys.modules]))"
        loaded = json.loads(project.call(sys.executable, "-c", code).stdout)
        needed = {f"{name.replace('.', '/')}.py" for name in loaded if name.startswith("seqrec.")}
        assert f"seqrec/{module}.py" in needed
        assert needed <= inputs[f"final_{module}"]


def test_a_new_title_of_a_dataset_remakes_what_shows_it_and_nothing_else(project: Project) -> None:
    project.write("config/datasets/tiny.yaml", {**DATASET, "title": "A new name"})
    assert project.plan() == {"final_tables", "final_figures", "all"}


def test_stale_records_and_no_others_are_trained_again_when_asked(project: Project) -> None:
    before = project.records()
    stale = project.record("sasrec+5")
    record = json.loads(stale.read_text())
    record["seqrec"]["training_code"] = "0" * 64
    stale.write_text(json.dumps(record))
    found = project.seqrec("stale", "results/tiny").stdout.split()
    assert found == [str(stale.relative_to(project.folder).with_name(".success"))]

    said = project.make("runs", "--forcerun", *found, "retrain=stale")

    assert jobs(said) == {*trainings("sasrec+5"), "runs"}
    fingerprint = json.loads(stale.read_text())["seqrec"]["training_code"]
    assert fingerprint == training_code_fingerprint(project.path("seqrec"))
    after = project.records()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {str(stale.relative_to(project.folder))}
    assert project.seqrec("stale", "results/tiny").stdout == ""


# Beside the results


def test_a_tracker_gets_the_runs_and_is_no_reason_to_train(project: Project) -> None:
    assert project.plan("track=tensorboard") == set()
    record = project.record("sasrec+")
    for name in ("metrics.json", ".success"):
        (record.parent / name).unlink()
    assert jobs(project.make("runs", "track=tensorboard")) == {*trainings("sasrec+"), "runs"}
    assert list(record.parent.glob("events.out.tfevents.*"))
    done = project.snakemake("runs", "track=tensorbord")
    assert done.returncode != 0
    assert "track" in done.stdout + done.stderr


def test_the_status_of_the_runs_is_shown_while_they_are_made(project: Project) -> None:
    shutil.rmtree(project.results)
    quiet = ["--quiet", "rules", "host", "progress", "reason"]
    snakemake = [sys.executable, "-m", "snakemake", "runs", "--cores", "2", *quiet]
    done = project.seqrec("status", "results/tiny", "--", *snakemake, "--config", "experiment=tiny")
    assert done.returncode == 0, done.stdout + done.stderr
    ended = re.findall(r"^(\d of 3 done)\. tiny (\S+) seed 0: test NDCG@10", done.stdout, re.M)
    assert sorted(model for _, model in ended) == ["popularity", "sasrec+", "sasrec+5"]
    assert ended[-1][0] == "3 of 3 done"
    assert "3 of 3 runs done" in project.seqrec("status", "results/tiny").stdout


def test_the_readmes_grid_of_learning_rates_is_planned(project: Project) -> None:
    project.path("config/rates.yaml").write_text(readme_files()["config/rates.yaml"])
    rates = ("sasrec+1e-4", "sasrec+3e-4", "sasrec+", "sasrec+3e-3")
    expected = [trainings(*rates, dataset="ml-1m", seed=seed) for seed in range(3)]
    plan = project.plan("runs", experiment="rates")
    assert {job for job in plan if job.startswith("train ")} == set().union(*expected)


# What fails


def test_what_cannot_be_had_or_fails_does_not_stop_the_rest(project: Project) -> None:
    source = {"title": "Lost", "max_length": 10, "sources": [{"file": "lost.txt"}]}
    project.write("config/datasets/lost.yaml", source)
    changes = {"datasets": ["tiny", "lost"], "models": ["popularity", "sasrec+N"]}
    project.write("config/broken.yaml", {**EXPERIMENT, **changes, "negatives": [5000]})

    done = project.snakemake("runs", experiment="broken")

    assert done.returncode != 0
    assert project.record("popularity", "broken").is_file()
    assert not project.record("sasrec+5000", "broken").exists()

    project.make("tables", "figures", experiment="broken")
    tables = project.path("results/broken/tables")
    missing = (tables / "missing.md").read_text()
    assert "lost.txt" in missing
    assert re.search(r"5,?000", missing)
    dashes = [line for line in (tables / "tiny.md").read_text().splitlines() if "5000" in line]
    assert dashes and all("–" in line or "—" in line for line in dashes)
    listed = project.seqrec("missing", "results/broken")
    assert listed.returncode == 1
    assert "3 runs are missing" in listed.stderr

    lines = (f"{user} {user % 7 + step}\n" for user in range(9) for step in range(1, 5))
    project.path("data/raw/lost.txt").write_text("".join(lines))
    assert project.plan("runs", experiment="broken") == {
        "download lost",
        "preprocess lost",
        *trainings("popularity", "sasrec+5000", dataset="lost"),
        *trainings("sasrec+5000"),
        "runs",
    }


def test_a_dataset_that_was_had_by_other_means_has_not_failed(project: Project) -> None:
    project.record("sasrec+").unlink()
    failures = project.results / "data-failures"
    failures.mkdir(exist_ok=True)
    failure = failures / "tiny.json"
    failure.write_text('{"dataset": "tiny", "error": "no network", "remedy": "Mend it."}')
    project.plan("tables")
    assert failure.exists(), "younger than the log"
    assert project.seqrec("preprocess", "tiny").returncode == 0
    project.plan("tables")
    missing = project.seqrec("missing", "results/tiny").stderr
    assert "not run" in missing
    assert "no network" not in missing


def test_a_mistake_in_make_is_told_and_a_first_run_has_nothing_stale(tmp_path: Path) -> None:
    project = Project.new(tmp_path / "project").with_make()
    done = project.call("make", "runs", "EXPERIMENT=tiny", "PROFILE=gpus")
    assert done.returncode != 0
    assert "PROFILE=gpus: no such folder of profiles/; there are: default gpu slurm" in done.stderr
    done = project.call("make", "runs", "EXPERIMENT=tiny", "RETRAIN=stale", "SET=models=popularity")
    assert done.returncode != 0
    assert "NAME" in done.stderr or "name" in done.stderr
    assert not project.path("results").exists()
    words = ("EXPERIMENT=tiny", "RETRAIN=stale", "NAME=first", "SET=models=popularity")
    done = project.call("make", "runs", *words)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_a_failed_retraining_leaves_the_old_record(project: Project) -> None:
    before = project.records()
    loss = {"kind": "sampled-cross-entropy", "negatives": 5000}
    overrides = [*EXPERIMENT["overrides"], {"models": ["sasrec+"], "loss": loss}]
    project.write("config/tiny.yaml", {**EXPERIMENT, "overrides": overrides})

    done = project.snakemake("runs")

    assert done.returncode != 0
    assert project.records() == before
    assert (project.record("sasrec+").parent / "failure.json").is_file()
    assert "2 of 3 runs done, 1 failed" in project.seqrec("status", "results/tiny").stdout
    assert project.plan("runs") == {*trainings("sasrec+"), "runs"}
    project.write("config/tiny.yaml", EXPERIMENT)
    project.make("runs")
    assert project.records() == before
    assert "3 of 3 runs done" in project.seqrec("status", "results/tiny").stdout


# From records alone


def test_tables_and_figures_start_no_training(project: Project) -> None:
    shutil.rmtree(project.path("data/processed"))
    project.record("sasrec+").unlink()
    project.write("config/tiny.yaml", {**EXPERIMENT, "seeds": [0, 1, 2]})
    assert project.plan("tables", "figures") == {
        "write_grid",
        *("write_tables", "draw_figures"),
        *("tables", "figures"),
    }


def test_tables_of_a_changed_experiment_start_no_training(project: Project) -> None:
    changes = {"training": {"max_epochs": 2}, "models": ["sasrec+", "sasrec+N"]}
    project.write("config/tiny.yaml", {**EXPERIMENT, **changes})
    assert jobs(project.make("tables")) == {"write_grid", "write_tables", "tables"}
    table = (project.results / "tables/tiny.md").read_text()
    assert "Popularity" in table
    assert "SASRec+" in table


def test_tables_and_figures_can_be_had_before_any_run(tmp_path: Path) -> None:
    project = Project.new(tmp_path / "fresh")
    steps = {"write_grid", "write_tables", "draw_figures", "tables", "figures"}
    assert jobs(project.make("tables", "figures")) == steps
    assert (project.results / "tables/tiny.md").is_file()
    assert (project.results / "tables/missing.md").read_text().count("not run") == 3


def test_promoted_records_are_shown_and_never_trained(project: Project) -> None:
    assert project.seqrec("promote", "results/tiny").returncode == 0
    shutil.rmtree(project.results)
    shutil.rmtree(project.path("data/processed"))
    before = project.records()

    said = project.make("evidence", experiment="reference")

    assert jobs(said) == {"write_tables", "draw_figures", "evidence"}
    assert project.path("results/reference/tables/tiny.md").is_file()
    assert project.records() == before
    assert "train" not in project.make("--list-rules", experiment="reference").split()
    # To be committed are the records, and what the README shows of what is made from them.
    changed = project.call("git", "status", "--porcelain", "--untracked-files=all").stdout
    kept = (
        r"results/reference/"
        r"(grid\.json|runs/tiny/[^/]+/seed-0/[^/]+|figures/(num_negatives|convergence)\.png)"
    )
    assert all(re.fullmatch(rf"\?\? {kept}", line) for line in changed.splitlines()), changed
    assert changed.count("/metrics.json") == len(EVERY_TRAINING)
    assert "safetensors" not in changed
    refused = project.snakemake("runs", "name=reference", "set=seeds=[0]")
    assert refused.returncode != 0
    assert "kept for promoted records" in refused.stdout + refused.stderr


# Configuration


@pytest.mark.parametrize(
    "changes, settings, message",
    [
        (
            {"training": {"max_epoch": 1}},
            [],
            r"config/tiny\.yaml: training: unknown key 'max_epoch'; did you mean 'max_epochs'\?",
        ),
        ({"models": ["sasrek+"]}, [], r"'sasrek\+'.* did you mean '.*sasrec\+.*'\?"),
        ({}, ["devise=cpu"], r"--config: top level: unknown key 'devise'; did you mean 'device'\?"),
        ({}, ["set=training.max_epochs=1"], r"config/tiny\.yaml: .*name=<new name>"),
        ({}, ["name=new", "set=seeds='0"], r"--config set: seeds='0: No closing quotation"),
    ],
    ids=["key", "model", "option", "settings without a name", "quotation"],
)
def test_a_mistake_in_the_configuration_is_one_clear_message(
    finished: Project, tmp_path: Path, changes: dict, settings: list[str], message: str
) -> None:
    project = Project.new(tmp_path / "mistaken")
    project.write("config/tiny.yaml", {**EXPERIMENT, **changes})
    done = project.snakemake("runs", *settings)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert re.search(message, said), said
    assert "Traceback" not in said
    assert not project.path("results").exists()


def test_a_path_with_braces_is_one_clear_message(tmp_path: Path) -> None:
    done = Project.new(tmp_path / "{mine}").snakemake("runs")
    assert done.returncode != 0
    assert "{mine}: Snakemake takes braces" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_named_experiment_is_not_widened_by_leaving_its_settings_out(project: Project) -> None:
    settings = ("name=narrow", "set=models=popularity")
    project.make("runs", *settings)
    grid = project.path("results/narrow/grid.json").read_text()
    refused = project.snakemake("tables", "name=narrow")
    assert refused.returncode != 0
    assert "was begun with SET='models=popularity'" in refused.stdout + refused.stderr
    assert project.path("results/narrow/grid.json").read_text() == grid
    project.make("tables", *settings)
    refused = project.snakemake("tables", experiment="narrow")
    assert "seqrec tables results/narrow" in refused.stdout + refused.stderr


def test_settings_write_into_the_results_of_their_new_name_only(project: Project) -> None:
    before = project.records()
    said = project.make("runs", "name=quick", "set=training.max_epochs=2 models=[sasrec+]")
    assert jobs(said) == {"write_grid", *trainings("sasrec+"), "runs"}
    record = project.record("sasrec+", "quick")
    assert json.loads(record.read_text())["epochs"] == 2
    after = project.records()
    assert after.pop(str(record.relative_to(project.folder)))
    assert after == before


@pytest.mark.slow
def test_three_thousand_runs_are_planned(tmp_path: Path) -> None:
    project = Project.new(tmp_path / "large")
    names = [f"tiny{number}" for number in range(5)]
    for name in names:
        project.write(f"config/datasets/{name}.yaml", DATASET)
    models = ["popularity", "bpr-mf", "gru4rec", "bert4rec", "sasrec", "sasrec+", "sasrec+N"]
    grid = {"datasets": names, "models": models, "negatives": [1, 2, 3, 4, 5, 6]}
    project.write("config/tiny.yaml", {**EXPERIMENT, **grid, "seeds": list(range(50))})
    start = time.perf_counter()
    plan = project.plan()
    print(f"3,000 runs planned in {time.perf_counter() - start:.1f} s")
    assert sum(job.startswith("train ") for job in plan) == 3000


# The rules


def rules() -> dict[str, str]:
    """Each rule's text by its name."""
    found = {}
    for path in [ROOT / "Snakefile", *(ROOT / "workflow").rglob("*.smk")]:
        parts = re.split(r"^ *(?:use )?rule (\w+)(.*):\n", path.read_text(), flags=re.MULTILINE)
        for name, text in zip(parts[1::3], parts[3::3], strict=True):
            found.setdefault(name, text)
    return found


def test_every_rule_but_collections_has_a_log_and_a_shell_command() -> None:
    found = rules()
    assert {"download", "preprocess", "train", "write_tables", "draw_figures"} <= set(found)
    for name, text in found.items():
        if name in ("all", "data", "runs", "tables", "figures", "evidence"):
            assert re.findall(r"^ *(\w+):$", text, re.MULTILINE)[0] in ("input", "default_target")
        else:
            assert "log:" in text, name
        assert not re.search(r"^ *(run|script|checkpoint)\b.*:", text, re.MULTILINE), name


def test_training_declares_what_it_needs() -> None:
    train = rules()["train"]
    for word in ("benchmark:", "threads:", "gpu=", "mem_mb=", "runtime="):
        assert word in train


def test_snakemakes_linter_has_no_complaint(finished: Project) -> None:
    finished.make("--lint")


def test_snakemake_files_are_formatted() -> None:
    command = [sys.executable, "-m", "snakefmt", "--check", "Snakefile", "workflow"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("present", [True, False])
def test_the_default_profile_gives_one_gpu_to_one_training_and_cores_to_all_others(
    present: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if present:
        (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'GPU 0: Pretended (UUID: GPU-1)'\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    profile = yte.process_yaml((ROOT / "profiles/default/config.yaml").read_text())
    assert profile["cores"] == "all"
    assert profile.get("resources") == (["gpu=1"] if present else None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    profile = yte.process_yaml((ROOT / "profiles/default/config.yaml").read_text())
    assert "resources" not in profile

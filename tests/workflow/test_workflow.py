"""The workflow's promises, held against real Snakemake runs of a tiny experiment.

The experiment runs once; each test then works on its own copy of the finished project. Snakemake
takes seconds to start, so one start proves several things where they do not disturb each other.
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
import yte
from documentation import shown_files
from shipped import ROOT
from tiny_project import DATASET, EXPERIMENT, Project, jobs, trainings

from seqrec.records.fingerprint import training_code_fingerprint

REPORT = {"final_tables", "final_figures", "all"}
EVERY_TRAINING = trainings("popularity", "sasrec+", "sasrec+5")


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
    names += [
        f"tables/{name}.{form}" for name in ("results/tiny", "datasets") for form in ("md", "tex")
    ]
    names += ["tables/pairs/tiny.csv", "tables/claims.csv", "figures/convergence.pdf"]
    for name in names:
        assert (finished.results / name).stat().st_size > 0
    assert "SASRec+" in (finished.results / "tables/results/tiny.md").read_text()


def test_a_second_call_does_nothing_and_empty_settings_are_none(finished: Project) -> None:
    assert "Nothing to be done" in finished.make("name=", "set=", "retrain=")
    assert finished.prepare() == []


def test_the_checkout_stays_clean(finished: Project) -> None:
    assert finished.call("git", "status", "--porcelain").stdout == ""


def test_each_job_leaves_a_log_and_each_training_a_benchmark(finished: Project) -> None:
    assert "training" in (finished.results / "logs/tiny/sasrec+5/seed-0.log").read_text()
    benchmark = (finished.results / "benchmarks/tiny/sasrec+5/seed-0.tsv").read_text()
    assert benchmark.startswith("s\t")
    written = {path.name for path in finished.folder.rglob("*.log")}
    logs = {"download-tiny.log", "preprocess-tiny.log", "grid.log"}
    assert written >= {*logs, "final-tables.log", "final-figures.log"}


# Parsing


def every_file(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Size, time and inode of everything in a folder but what Snakemake keeps for itself."""
    return {
        str(path.relative_to(folder)): (found.st_size, found.st_mtime_ns, found.st_ino)
        for path in folder.rglob("*")
        if ".snakemake" not in path.relative_to(folder).parts and (found := path.lstat())
    }


def test_nothing_that_only_reads_changes_anything_and_what_prepare_repairs_is_told(
    project: Project,
) -> None:
    digest = project.path("data/processed/tiny/digest.json")
    manifest = project.path("data/raw/tiny.json")
    tomorrow = time.time() + 86_400
    os.utime(manifest, (tomorrow, tomorrow))
    success = project.record("sasrec+").with_name(".success")
    project.record("sasrec+").unlink()
    project.write("config/datasets/tiny.yaml", {**DATASET, "filter": {"duplicates": "first"}})
    before = every_file(project.folder)

    for words in (["--dry-run"], ["--summary"], ["--dag"], ["--lint"]):
        said = project.make(*words)
        assert "Run `seqrec prepare tiny`" in said, words
        assert every_file(project.folder) == before, words
    project.make("evidence", "--nolock", "--report", "../report.html")
    assert every_file(project.folder) == before
    run = "results/tiny/runs/tiny"
    for words in (
        ["status", "results/tiny"],
        ["check", "tiny"],
        ["compare", f"{run}/popularity", f"{run}/sasrec+5"],
        ["missing", "results/tiny"],
        ["metrics", "results/tiny", "5"],
        ["best", "results/tiny"],
    ):
        done = project.seqrec(*words)
        assert done.returncode == (words[0] == "missing"), done.stderr
        assert every_file(project.folder) == before, words

    repaired = sorted(line.split(":")[0] for line in project.prepare())
    changed = [manifest, digest, success]
    assert repaired == sorted(str(path.relative_to(project.folder)) for path in changed)
    assert project.prepare() == []
    expected = {"preprocess tiny", *EVERY_TRAINING, "runs"}
    said = project.make("runs", "--dry-run")
    assert jobs(said) == expected
    assert "seqrec prepare" not in said


# What does not train again


def test_touched_reordered_and_unrelated_files_and_trackers_make_nothing_again(
    project: Project,
) -> None:
    def reversed_keys(value: object) -> object:
        if isinstance(value, dict):
            return {key: reversed_keys(value[key]) for key in reversed(value)}
        return [reversed_keys(item) for item in value] if isinstance(value, list) else value

    project.write("config/tiny.yaml", reversed_keys(EXPERIMENT))
    project.write("config/datasets/tiny.yaml", reversed_keys(DATASET))
    project.append("seqrec/cli/main.py", "# A new thought.\n")
    project.append("seqrec/running/trackers/tracking.py", "# A new thought.\n")
    touched = ["data/raw/tiny.json", "data/processed/tiny/digest.json"]
    for name in [*touched, "seqrec/training/loop.py", *project.records()]:
        project.path(name).touch()
    assert project.plan("track=tensorboard") == set()


def test_a_tree_with_arbitrary_times_is_not_trained_again(project: Project) -> None:
    draw = random.Random(0)
    for path in sorted(project.folder.rglob("*")):
        if ".snakemake" not in path.parts:
            moment = 1_700_000_000 + draw.randrange(10**6)
            os.utime(path, (moment, moment))
    assert project.prepare() == []
    assert project.plan() == set()


def test_edited_training_code_trains_nothing_but_marks_tables(project: Project) -> None:
    project.append("seqrec/training/loop.py", "\n\nTHOUGHT = 'a new one'\n")
    assert project.plan() == REPORT
    stale = project.seqrec("stale", "results/tiny").stdout.split()
    successes = [str(Path(name).with_name(".success")) for name in project.records()]
    assert sorted(stale) == sorted(successes)
    assert jobs(project.make("tables")) >= {"write_tables"}
    assert "training code" in (project.results / "tables/results/tiny.md").read_text()


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


def test_a_run_without_its_record_or_its_success_and_missing_tables_are_made_again(
    project: Project,
) -> None:
    project.record("sasrec+").unlink()
    project.record("popularity").with_name(".success").unlink()
    shutil.rmtree(project.results / "tables")
    assert len(project.prepare()) == 1
    assert project.plan() == {*trainings("sasrec+", "popularity"), *REPORT}


@pytest.mark.slow
def test_a_record_that_somebody_put_in_its_place_is_looked_at_and_shown(project: Project) -> None:
    record = project.record("sasrec+")
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | {"training_seconds": 12345.0}))
    project.prepare()
    assert jobs(project.make()) == {*trainings("sasrec+"), *REPORT}
    assert json.loads(record.read_text())["training_seconds"] == 12345
    assert "12,345" in (project.results / "tables/results/tiny.md").read_text()
    record.write_text(json.dumps(content | {"config_hash": "another"}))
    project.prepare()
    project.make("runs")
    assert json.loads(record.read_text())["config_hash"] == content["config_hash"]


@pytest.mark.slow
def test_a_record_whose_process_was_killed_later_is_kept(project: Project) -> None:
    record = project.record("sasrec+")
    name = "seqrec/running/trackers/tracking.py"
    code = project.path(name).read_text()
    # As by a time limit, with a tracker that is slow to take the result.
    killed = "import os\n\nTracking.result = lambda *_: os.kill(os.getpid(), 9)\n"
    project.append(name, killed)
    shutil.rmtree(record.parent)
    assert project.snakemake("runs").returncode != 0
    project.path(name).write_text(code)
    made = record.read_bytes()
    assert jobs(project.make("runs")) == {*trainings("sasrec+"), "runs"}
    assert "finished before" in (project.results / "logs/tiny/sasrec+/seed-0.log").read_text()
    assert record.read_bytes() == made


def test_a_changed_hyperparameter_trains_the_runs_it_reaches(project: Project) -> None:
    change = {"models": ["sasrec+5"], "training": {"learning_rate": 0.01}}
    overrides = [*EXPERIMENT["overrides"], change]
    project.write("config/tiny.yaml", {**EXPERIMENT, "overrides": overrides})
    assert project.plan() == {"write_grid", *trainings("sasrec+5"), *REPORT}


def test_changed_data_train_every_run_on_them(project: Project) -> None:
    simulate = {**DATASET["simulate"], "seed": 7}
    project.write("config/datasets/tiny.yaml", {**DATASET, "simulate": simulate})
    assert project.plan() == {"download tiny", "preprocess tiny", *EVERY_TRAINING, *REPORT}


@pytest.mark.slow
def test_a_log_that_the_command_line_made_is_made_again_after_an_edit_and_its_reversal(
    project: Project,
) -> None:
    digest = project.path("data/processed/tiny/digest.json")
    before = digest.read_text()
    edited = {**DATASET, "filter": {"min_interactions_per_user": 8}}
    project.write("config/datasets/tiny.yaml", edited)
    assert project.seqrec("preprocess", "tiny").returncode == 0
    assert digest.read_text() != before
    project.write("config/datasets/tiny.yaml", DATASET)
    # Not prepared, it is refused rather than trained on.
    done = project.snakemake("runs")
    assert done.returncode != 0
    assert "was made with other settings" in done.stdout + done.stderr
    project.prepare()
    assert "preprocess tiny" in jobs(project.make("data"))
    assert digest.read_text() == before

    shutil.rmtree(project.path(".snakemake"))
    assert project.seqrec("preprocess", "tiny").returncode == 0
    assert project.prepare() == []
    project.write("config/datasets/tiny.yaml", edited)
    project.prepare()
    assert "preprocess tiny" in project.plan("data")


@pytest.mark.slow
def test_a_file_that_its_owner_replaces_is_taken_again(project: Project) -> None:
    file = project.path("data/raw/own.csv")
    own = {"title": "Own", "max_length": 10, "sources": [{"file": "own.csv"}]}
    own["format"] = {"kind": "csv", "header": False}
    project.write("config/datasets/own.yaml", own)
    lines = [f"{user},{item}" for user in range(9) for item in range(user % 3, 9)]

    def data() -> set[str]:
        project.prepare("datasets=own", "--name", "own")
        return jobs(project.make("data", "set=datasets=own", "name=own"))

    digests = []
    for number in range(3):
        file.write_text("\n".join([*lines, *(f"9,{item}" for item in range(1, 3 + number))]) + "\n")
        if number == 2:  # as one that was copied with its date
            os.utime(file, (1_600_000_000, 1_600_000_000))
        assert data() == {"download own", "preprocess own", "data"}
        digests.append(project.path("data/processed/own/digest.json").read_text())
    assert len(set(digests)) == 3
    assert data() == set()


def test_additions_run_only_what_is_new(project: Project) -> None:
    project.write("config/datasets/other.yaml", DATASET)
    more = {"seeds": [0, 1], "negatives": [5, 6], "datasets": ["tiny", "other"]}
    project.write("config/tiny.yaml", {**EXPERIMENT, **more})
    models = ("popularity", "sasrec+", "sasrec+5", "sasrec+6")
    wanted = [
        trainings(*models, dataset=dataset, seed=seed)
        for dataset in ("tiny", "other")
        for seed in (0, 1)
    ]
    new = set().union(*wanted) - EVERY_TRAINING
    assert project.plan() == {*new, "download other", "preprocess other", "write_grid", *REPORT}


def test_edited_report_code_or_a_new_title_remakes_tables_and_figures_alone(
    project: Project,
) -> None:
    project.append("seqrec/report/inference.py", "# A new thought.\n")
    assert project.plan() == REPORT
    shutil.copy2(ROOT / "seqrec/report/inference.py", project.path("seqrec/report/inference.py"))
    project.write("config/datasets/tiny.yaml", {**DATASET, "title": "A new name"})
    assert project.plan() == REPORT


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


def test_the_status_and_a_tracker_follow_the_runs_while_they_are_made(project: Project) -> None:
    shutil.rmtree(project.results)
    quiet = ["--quiet", "rules", "host", "progress", "reason"]
    snakemake = [sys.executable, "-m", "snakemake", "runs", "--cores", "2", *quiet]
    config = ["--config", "experiment=tiny", "track=tensorboard"]
    done = project.seqrec("status", "results/tiny", "--", *snakemake, *config)
    assert done.returncode == 0, done.stdout + done.stderr
    ended = re.findall(r"^(\d of 3 done)\. tiny (\S+) seed 0: test NDCG@10", done.stdout, re.M)
    assert sorted(model for _, model in ended) == ["popularity", "sasrec+", "sasrec+5"]
    assert ended[-1][0] == "3 of 3 done"
    assert "3 of 3 runs done" in project.seqrec("status", "results/tiny").stdout
    assert list(project.record("sasrec+").parent.glob("events.out.tfevents.*"))


def test_the_documented_grid_of_learning_rates_is_planned(finished: Project) -> None:
    finished.path("config/rates.yaml").write_text(shown_files()["config/rates.yaml"])
    values = ("0.0001", "0.0003", "0.001", "0.003")
    rates = [f"sasrec+_learning-rate-{value}" for value in values]
    expected = [trainings(*rates, dataset="ml-1m", seed=seed) for seed in range(3)]
    plan = finished.plan("runs", experiment="rates")
    finished.path("config/rates.yaml").unlink()
    assert {job for job in plan if job.startswith("train ")} == set().union(*expected)


def test_the_documented_experiment_with_two_splits_is_planned(finished: Project) -> None:
    finished.path("config/two-splits.yaml").write_text(shown_files()["config/two-splits.yaml"])
    expected = [
        trainings("sasrec+", "bert4rec", dataset=f"ml-100k@{split}", seed=seed)
        for split in ("leave-one-out", "temporal")
        for seed in range(3)
    ]
    plan = finished.plan("runs", experiment="two-splits")
    finished.path("config/two-splits.yaml").unlink()
    assert {job for job in plan if job.startswith("train ")} == set().union(*expected)
    assert {job for job in plan if job.startswith("preprocess ")} == {"preprocess ml-100k"}


# What fails


def test_what_cannot_be_obtained_or_fails_does_not_stop_the_rest(project: Project) -> None:
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
    lines = (tables / "results/tiny.md").read_text().splitlines()
    dashes = [line for line in lines if "5000" in line]
    assert dashes and all("–" in line or "—" in line for line in dashes)
    listed = project.seqrec("missing", "results/broken")
    assert listed.returncode == 1
    assert "1 of 4 runs done, 3 missing" in listed.stderr

    log = (f"{user} {user % 7 + step}\n" for user in range(9) for step in range(1, 5))
    project.path("data/raw/lost.txt").write_text("".join(log))
    assert project.plan("runs", experiment="broken") == {
        "download lost",
        "preprocess lost",
        *trainings("popularity", "sasrec+5000", dataset="lost"),
        *trainings("sasrec+5000"),
        "runs",
    }


def test_a_mistake_in_make_is_told_and_a_first_run_has_nothing_stale(tmp_path: Path) -> None:
    project = Project.new(tmp_path / "project").with_make()
    for profile in ("$(shell touch run)", "default'; touch run; '"):
        assert project.call("make", "runs", f"PROFILE={profile}").returncode != 0
    assert not project.path("run").exists()
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

    # make prepares: a run that lost its record is done again.
    record = project.record("popularity", "first")
    record.unlink()
    done = project.call("make", "runs", *words)
    assert done.returncode == 0, done.stderr
    assert "its record is gone" in done.stdout
    assert record.is_file()


def test_a_failed_retraining_leaves_the_old_record_and_the_log_of_every_attempt(
    project: Project,
) -> None:
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
    said = (project.results / "logs/tiny/sasrec+/seed-0.log").read_text()
    places = [said.index(text) for text in ("s of training on", "5000", "finished before")]
    assert places == sorted(places)


def test_make_stops_where_nothing_could_be_done_and_says_why_last(project: Project) -> None:
    project.with_make()
    words = ("EXPERIMENT=tiny", "CORES=none; touch run; $(touch run)")
    done = project.call("make", "experiment", *words)
    assert done.returncode != 0
    assert "SASRec+" not in done.stdout
    assert "missing" not in done.stdout + done.stderr
    assert "number of cores" in done.stdout.splitlines()[-1]
    assert not project.path("run").exists()


def test_make_ends_with_what_was_found_in_plain_text_and_says_it_again_when_asked(
    project: Project,
) -> None:
    project.with_make()
    done = project.call("make", "experiment", "EXPERIMENT=tiny")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Building DAG" not in done.stdout
    assert not re.search(r"\x1b|^\||[━│┃]|Markdown", done.stdout, re.MULTILINE)
    lines = done.stdout.splitlines()
    assert lines.index("Page     results/tiny/report.html") > [
        line.split()[:1] for line in lines
    ].index(["SASRec+"])
    assert (project.results / "report.html").is_file()
    again = project.call("make", "tables", "EXPERIMENT=tiny")
    assert again.stdout.strip() in done.stdout


def test_make_says_last_why_a_table_could_not_be_made(project: Project) -> None:
    project.with_make()
    project.append("seqrec/report/tables/__init__.py", "raise ValueError('no table today')\n")
    done = project.call("make", "tables", "EXPERIMENT=tiny")
    assert done.returncode != 0
    assert done.stdout == ""
    *_, error, frame, make = [line for line in done.stderr.splitlines() if line]
    assert (error, set(frame)) == ("ValueError: no table today", {"="})
    assert make.startswith("make: ***")


# From records alone


def test_tables_of_a_changed_experiment_without_its_data_start_no_training(
    project: Project,
) -> None:
    shutil.rmtree(project.path("data/processed"))
    project.record("sasrec+5").unlink()
    changes = {"training": {"max_epochs": 2}, "models": ["sasrec+", "sasrec+N"], "seeds": [0, 1]}
    project.write("config/tiny.yaml", {**EXPERIMENT, **changes})
    steps = {"write_grid", "write_tables", "draw_figures", "tables", "figures"}
    assert jobs(project.make("tables", "figures")) == steps
    table = (project.results / "tables/results/tiny.md").read_text()
    assert "Popularity" in table
    assert "SASRec+" in table


def test_tables_and_figures_can_be_made_before_any_run(tmp_path: Path) -> None:
    project = Project.new(tmp_path / "fresh")
    steps = {"write_grid", "write_tables", "draw_figures", "tables", "figures"}
    assert jobs(project.make("tables", "figures")) == steps
    assert (project.results / "tables/results/tiny.md").is_file()
    missing = (project.results / "tables/missing.md").read_text()
    assert "all 3 runs" in missing
    assert "not run" in missing


@pytest.mark.slow
def test_promoted_records_are_shown_and_never_trained(project: Project) -> None:
    assert project.seqrec("promote", "results/tiny").returncode == 0
    shutil.rmtree(project.results)
    shutil.rmtree(project.path("data/processed"))
    before = project.records()
    assert project.prepare(experiment="reference") == []

    said = project.make("evidence", experiment="reference")

    assert jobs(said) == {"write_tables", "draw_figures", "evidence"}
    assert project.path("results/reference/tables/results/tiny.md").is_file()
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


# Configuration


def test_a_mistake_in_the_configuration_is_one_clear_message(tmp_path: Path) -> None:
    project = Project.new(tmp_path / "mistaken")
    project.write("config/tiny.yaml", {**EXPERIMENT, "training": {"max_epoch": 1}})
    done = project.snakemake("runs")
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "config/tiny.yaml: training: unknown key 'max_epoch'; did you mean 'max_epochs'?" in said
    assert "Traceback" not in said
    assert not project.path("results").exists()


def test_settings_write_into_the_results_of_their_new_name_only(project: Project) -> None:
    before = project.records()
    settings = ("name=quick", "set=training.max_epochs=2 models=[sasrec+]")
    said = project.make("runs", *settings)
    assert jobs(said) == {"write_grid", *trainings("sasrec+"), "runs"}
    record = project.record("sasrec+", "quick")
    assert json.loads(record.read_text())["epochs"] == 2
    after = project.records()
    assert after.pop(str(record.relative_to(project.folder)))
    assert after == before

    # Left out, they would widen it.
    grid = project.path("results/quick/grid.json").read_text()
    refused = project.seqrec("prepare", "tiny", "--name", "quick")
    assert refused.returncode != 0
    assert "results/quick: was begun with SET=" in refused.stderr
    assert "training.max_epochs=2 'models=[sasrec+]'" in refused.stderr
    assert project.path("results/quick/grid.json").read_text() == grid
    project.make("tables", *settings)


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


def test_snakemakes_linter_has_no_complaint(finished: Project) -> None:
    """It asks every rule with a command for a log, and to lie apart from functions."""
    assert "Congratulations" in finished.make("--lint")


def test_snakemake_files_are_formatted() -> None:
    command = [sys.executable, "-m", "snakefmt", "--check", "Snakefile", "workflow"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_jobs_ask_for_memory_time_threads_and_a_gpu_where_they_can_use_one(
    project: Project,
) -> None:
    for model in ("popularity", "sasrec+"):
        project.record(model).with_name(".success").unlink()
    said = project.make("runs", "--dry-run", "threads=2", "--resources=gpu=1")
    asked = dict(
        re.findall(
            r"wildcards: task=tiny, model=([^,]+), seed=0\n(?:    .*\n)*?    resources: (.*)\n",
            said,
        )
    )
    assert asked.keys() == {"popularity", "sasrec+"}
    assert "gpu=0" in asked["popularity"]
    assert "gpu=1" in asked["sasrec+"]
    for resources in asked.values():
        assert int(re.search(r"mem_mb=(\d+)", resources)[1]) > 100
        assert int(re.search(r"runtime=(\d+)", resources)[1]) > 10
    assert said.count("threads: 2") == 2


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

"""`seqrec prepare` repairs what Snakemake would not notice, says so, and disturbs nobody."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny_project import DATASET, EXPERIMENT, Project

from seqrec.data.datasets import load_dataset
from seqrec.data.download import download
from seqrec.data.preprocessing import preprocess
from seqrec.errors import SeqrecError
from seqrec.files import write_text
from seqrec.layout import LogFiles, ResultFiles, RunFiles, manifest
from seqrec.running.making import begin, made_from
from seqrec.running.planning import Plan
from seqrec.running.preparation import prepare

OTHER = {**DATASET, "filter": {"duplicates": "first"}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The tiny project with its data and with runs that have succeeded."""
    project = Project.new(tmp_path / "project")
    monkeypatch.chdir(project.folder)
    make_log("tiny")
    for success in plan().successes:
        success.parent.mkdir(parents=True)
        for path in (success, RunFiles(success.parent).metrics):
            path.write_text("{}")
    return project


def make_log(dataset: str) -> None:
    entry = load_dataset(dataset)
    download(dataset, entry, mirror="")
    preprocess(dataset, entry, manifest(dataset), LogFiles.of(dataset).folder)


def plan(experiment: str = "tiny") -> Plan:
    return Plan.load(experiment, [])


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Another process that holds a folder."""
    code = (
        "import sys; from pathlib import Path; from seqrec.running.folder_lock import alone_in\n"
        "with alone_in(Path(sys.argv[1])): print(flush=True); input()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield
    process.communicate("\n")


def test_a_folder_in_order_is_left_as_it_is_without_a_word(project: Project) -> None:
    before = {path: path.stat().st_mtime_ns for path in project.folder.rglob("*")}
    assert prepare(plan()) == []
    assert {path: path.stat().st_mtime_ns for path in project.folder.rglob("*")} == before


def test_a_success_without_its_record_or_with_another_is_removed(project: Project) -> None:
    gone, changed, kept = plan().successes
    RunFiles(gone.parent).metrics.unlink()
    changed_record = RunFiles(changed.parent).metrics
    changed_record.write_text(changed_record.read_text()[::-1])
    os.utime(changed_record, (0, 0))  # as one that was copied with its date
    assert sorted(prepare(plan())) == sorted(
        [
            f"{gone}: removed: its record is gone.",
            f"{changed}: removed: its record was changed.",
        ]
    )
    assert [path.exists() for path in (gone, changed, kept)] == [False, False, True]
    assert changed_record.exists()
    assert prepare(plan()) == []
    kept.unlink()
    kept.symlink_to(kept.name)
    assert prepare(plan()) == [f"{kept}: removed: it is not a regular file."]


def test_a_log_by_other_settings_is_removed_and_one_with_another_title_is_not(
    project: Project,
) -> None:
    digest = LogFiles.of("tiny").digest
    project.write("config/datasets/tiny.yaml", {**DATASET, "title": "Another"})
    assert prepare(plan()) == []
    project.write("config/datasets/tiny.yaml", OTHER)
    assert len(prepare(plan())) == 1
    assert not digest.exists()


def test_files_of_the_future_are_dated_now(project: Project) -> None:
    record = RunFiles(plan().successes[0].parent).metrics
    paths = [manifest("tiny"), LogFiles.of("tiny").digest, record]
    paths.append(Path("seqrec/records/record.py"))
    for path in paths:
        os.utime(path, (time.time() + 86_400, time.time() + 86_400))
    assert len(project.prepare()) == len(paths)  # by the copy of the code that lies there
    assert all(path.stat().st_mtime <= time.time() for path in paths)
    assert project.prepare() == []


def test_a_dataset_that_was_obtained_by_other_means_has_not_failed(project: Project) -> None:
    failure = plan().results.data_failure("tiny")
    failure.parent.mkdir()
    failure.write_text('{"dataset": "tiny", "error": "no network", "remedy": "Plug it in."}')
    assert prepare(plan()) == []  # it is younger than the log
    digest = LogFiles.of("tiny").digest
    os.utime(failure, (digest.stat().st_mtime - 1, digest.stat().st_mtime - 1))
    assert prepare(plan()) == [f"{failure}: removed: the data could be obtained since."]


def test_a_manifest_of_a_file_since_replaced_is_older_than_the_new_one(project: Project) -> None:
    file = project.path("data/raw/own.csv")
    own = {"title": "Own", "max_length": 10, "sources": [{"file": "own.csv"}]}
    project.write("config/datasets/own.yaml", {**own, "format": {"kind": "csv", "header": False}})
    project.write("config/own.yaml", {**EXPERIMENT, "datasets": ["own"]})
    file.write_text("".join(f"{user},{item}\n" for user in range(9) for item in range(4)))
    make_log("own")
    assert prepare(plan("own")) == []
    file.write_text(file.read_text() + "9,1\n9,2\n9,3\n")
    os.utime(file, (1_600_000_000, 1_600_000_000))  # as one that was copied with its date
    assert len(prepare(plan("own"))) == 1
    assert manifest("own").stat().st_mtime < file.stat().st_mtime
    assert prepare(plan("own")) == []


def test_nothing_that_a_running_experiment_uses_is_touched(project: Project) -> None:
    digest, success = LogFiles.of("tiny").digest, plan().successes[0]
    project.write("config/datasets/tiny.yaml", OTHER)
    RunFiles(success.parent).metrics.unlink()
    with held(plan().results.folder):
        (line,) = prepare(plan())
        assert line.startswith("Nothing was repaired. results/tiny: another process is making")
    with held(digest.parent):
        said = prepare(plan())
        assert f"{success}: removed: its record is gone." in said
        assert any("another process is preprocessing this dataset" in line for line in said)
    assert digest.exists()
    other = ResultFiles.of("other")
    for dataset, used in (("another", False), ("tiny", True)):
        write_text(
            other.grid, json.dumps({"runs": [{"dataset": dataset, "model": "sasrec", "seed": 0}]})
        )
        with held(other.folder):
            assert made_from("tiny", plan().results.folder) == (other.folder if used else None)
    with held(other.folder):
        (line,) = prepare(plan())
        assert line.startswith(
            f"{digest}: left as it is, since results/other is being made from it"
        )
        with pytest.raises(SeqrecError, match=r"data/processed/tiny: results/other is being made"):
            begin(plan(), {"preprocess"})
    assert digest.exists()
    begin(plan(), {"preprocess"})
    assert len(prepare(plan())) == 1
    assert not digest.exists()

"""Before its first job, a workflow makes sure of the folders that it will write to."""

from pathlib import Path

import pytest
from tiny_project import Project

from seqrec.errors import SeqrecError
from seqrec.layout import ResultFiles
from seqrec.running.making import begin
from seqrec.running.planning import Plan


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ResultFiles:
    project = Project.new(tmp_path / "project")
    monkeypatch.chdir(project.folder)
    (tmp_path / "elsewhere").mkdir()
    return ResultFiles.of("tiny")


@pytest.mark.parametrize(
    "place",
    [
        *("logs", "logs/tiny", "logs/tables.log", "logs/tiny/sasrec+/seed-0.log"),
        *("benchmarks", "benchmarks/tiny/sasrec+/seed-0.tsv"),
        *("runs", "runs/tiny", "runs/tiny/sasrec+/seed-0", "data-failures"),
    ],
)
def test_no_job_writes_through_a_link_that_leads_out_of_the_results(
    results: ResultFiles, tmp_path: Path, place: str
) -> None:
    link = results.folder / place
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "elsewhere" / ("file" if link.suffix else ""))
    with pytest.raises(SeqrecError, match=r"leads through a link to .*elsewhere") as refused:
        begin(Plan.load("tiny", []), {"write_tables"})
    assert str(refused.value).startswith(f"{link}: ")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_results_may_be_a_link_and_have_links_within(results: ResultFiles, tmp_path: Path) -> None:
    results.folder.parent.mkdir(exist_ok=True)
    results.folder.symlink_to(tmp_path / "elsewhere")
    results.logs.mkdir()
    (results.folder / "newest").symlink_to("logs")
    begin(Plan.load("tiny", []), {"write_tables"})

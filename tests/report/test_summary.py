"""What an experiment found fits a terminal, and leads on by commands that can be pasted."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from record_factory import make_record, write_grid
from small_runs import ROOT, preprocessed_log

from seqrec.cli.main import main
from seqrec.layout import ResultFiles

RUNS = ("popularity", "gru4rec", "sasrec+", "sasrec+100")


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results on a dataset that the paper does not have, with one run that is missing."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "config", "config")
    results = Path("results/mine")
    write_grid(results, *(("small", model, 0) for model in RUNS))
    make_record(results, "small", "popularity", ndcg=0.05, epochs=None, best_epoch=None)
    make_record(results, "small", "gru4rec", ndcg=0.15)
    make_record(results, "small", "sasrec+", ndcg=0.35)
    return results


def shown(results: Path, *, columns: int = 80) -> list[str]:
    done = CliRunner().invoke(main, ["summary", str(results)], env={"COLUMNS": str(columns)})
    assert done.exit_code == 0, done.output
    return [line.rstrip() for line in done.output.splitlines()]


def test_the_summary_has_the_table_what_stands_out_the_places_and_the_next_commands(
    results: Path,
) -> None:
    files = ResultFiles(results)
    files.figures.mkdir()
    files.report.write_text("a page")
    lines = shown(results)
    assert [re.split(r"  +", line) for line in lines[1:6]] == [
        ["small, test", "HitRate@10", "NDCG@10", "Epoch"],
        ["Popularity", "0.0500", "0.0500"],
        ["GRU4Rec", "0.1500", "0.1500", "9"],
        ["SASRec+", "0.3500", "0.3500", "9"],
        ["SASRec+ 100", "—", "—", "—"],
    ]
    text = " ".join(lines)
    assert "SASRec+ has the highest test NDCG@10, 0.3500, 7.0 times that of Popularity" in text
    assert not re.search("claim|verdict|reproduced|published|paper's", text)
    assert "Page     results/mine/report.html" in lines
    assert "Figures  results/mine/figures/" in lines
    assert not any(line.startswith("Tables") for line in lines)  # there are none yet
    assert lines[-2:] == [
        "  seqrec compare results/mine/runs/small/sasrec+ results/mine/runs/small/gru4rec",
        "  seqrec metrics results/mine 1 5 20",
    ]
    make_record(results, "small", "sasrec+100", ndcg=0.3)
    assert shown(results)[-1] == "  seqrec check paper"  # nothing is missing any more


def test_the_best_network_is_the_one_to_recommend_by_with_items_of_its_log(
    results: Path, tmp_path: Path
) -> None:
    log = Path("data/processed/small")
    log.parent.mkdir(parents=True)
    preprocessed_log(tmp_path / "made").rename(log)
    (line,) = [line for line in shown(results) if "recommend" in line]
    words = shlex.split(line)
    assert words[:4] == [
        "seqrec",
        "recommend",
        "results/mine/runs/small/sasrec+/seed-0",
        "--history",
    ]
    assert len(words[4].split(",")) == 3


def test_verdicts_and_claims_are_there_where_the_papers_datasets_were_run() -> None:
    lines = shown(ROOT / "results/reference")
    text = " ".join(lines)
    assert "metrics of the paper's table" in text
    assert "Of the paper's claims about these models" in text
    commands = [line for line in lines if line.startswith("  seqrec")]
    assert all(len(line) <= 80 for line in lines if line not in commands)


def test_many_datasets_take_several_tables_below_each_other(tmp_path: Path) -> None:
    names = [f"a-dataset-{n}" for n in range(7)]
    write_grid(tmp_path, *((name, "sasrec", 0) for name in names))
    for name in names:
        make_record(tmp_path, name, "sasrec", ndcg=0.25)
    lines = shown(tmp_path)
    headings = [line.split()[2:] for line in lines if line.startswith("Test NDCG@10")]
    assert headings == [names[:5], names[5:]]
    assert [line.count("0.2500") for line in lines if line.startswith("SASRec ")] == [5, 2]


def test_titles_and_names_from_anybody_are_shown_as_they_are(tmp_path: Path) -> None:
    name = "[red]odd [x"
    make_record(tmp_path, name, "sasrec+[bold]", ndcg=0.25)
    text = " ".join(shown(tmp_path, columns=200))
    assert f"{name}, test" in text
    assert "sasrec+[bold]" in text
    done = CliRunner().invoke(main, ["status", str(tmp_path)], env={"COLUMNS": "200"})
    assert name in done.output
    assert "sasrec+[bold]" in done.output


def test_where_nothing_has_finished_only_that_is_shown(tmp_path: Path) -> None:
    write_grid(tmp_path, ("small", "sasrec", 0))
    assert [line for line in shown(tmp_path) if line] == [
        "small, test  HitRate@10  NDCG@10",
        "SASRec                —        —",
    ]


def test_the_splits_of_a_dataset_stand_beside_each_other(tmp_path: Path) -> None:
    splits = ("leave-one-out", "temporal-by-time", "temporal-last-item")
    tasks = [f"{dataset}@{split}" for dataset in ("my-shop", "books") for split in splits]
    write_grid(tmp_path, *((task, "sasrec", 0) for task in tasks))
    for task in tasks:
        make_record(tmp_path, task, "sasrec", ndcg=0.25)
    lines = shown(tmp_path)
    assert [line.split() for line in lines[1:4]] == [
        ["books", "temporal-by-", "temporal-"],
        ["Test", "NDCG@10", "leave-one-out", "time", "last-item"],
        ["SASRec", *["0.2500"] * 3],
    ]
    assert lines[5].startswith("my-shop ")

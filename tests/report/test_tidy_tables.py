"""Tables for programs have a line for every run, and settings are chosen by validation."""

import re
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from reading_tables import write
from record_factory import USERS, make_record

from seqrec.cli.main import main


def test_results_csv_has_a_line_a_run_in_full_precision(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+3000", 1, ranks=[2] * USERS)
    make_record(tmp_path, "ml-1m", "popularity", epochs=None, best_epoch=None)
    write(tmp_path)
    lines = (tmp_path / "results.csv").read_text().splitlines()
    assert lines[0] == (
        "dataset,model,negatives,seed,hit_rate@10,ndcg@10,mrr@10,hit_rate@100,ndcg@100,mrr@100,"
        "validation_ndcg@10,training_seconds,epochs,best_epoch,device"
    )
    assert lines[1].startswith("ml-1m,popularity,,0,")
    assert lines[1].endswith(",540.125,,,Some CPU")
    assert lines[2].startswith("ml-1m,sasrec+3000,3000,1,1.0,0.63092975357145")
    assert lines[2].endswith(",540.125,12,9,Some CPU")


def make_search(results: Path) -> None:
    """Three rates of one network, of which the test would choose another, and a second network."""
    for name, rate, validation, test in (
        ("slow", 0.0001, 0.10, 0.30),
        ("middle", 0.001, 0.15, 0.20),
        ("fast", 0.01, 0.05, 0.10),
    ):
        for seed, luck in ((0, -0.02), (1, 0.02)):
            make_record(
                results,
                "demo",
                name,
                seed,
                ndcg=test,
                config={
                    "implementation": "sasrec",
                    "loss": {"kind": "cross-entropy"},
                    "model": name,
                    "seed": seed,
                    "training": {"learning_rate": rate, "patience": 10, "max_epochs": 100},
                },
                validation={"ndcg@10": validation + luck},
            )
    config = {"implementation": "gru4rec", "loss": {"kind": "cross-entropy"}}
    make_record(results, "demo", "gru4rec", ndcg=0.05, config=config, validation={"ndcg@10": 0.01})


def test_results_csv_has_what_settings_are_chosen_by(tmp_path: Path) -> None:
    make_search(tmp_path)
    write(tmp_path)
    frame = pd.read_csv(tmp_path / "results.csv").set_index(["model", "seed"])
    assert frame["validation_ndcg@10"]["slow", 0] == pytest.approx(0.08)
    assert frame["training.learning_rate"]["slow", 0] == 0.0001
    assert frame["implementation"]["gru4rec", 0] == "gru4rec"
    assert "loss.kind" not in frame, "it is the same in all"


def test_metrics_at_any_cutoff_are_told_as_csv(tmp_path: Path) -> None:
    make_record(tmp_path, ranks=[1] * 100 + [3] * 300 + [15] * 600)
    result = CliRunner().invoke(main, ["metrics", str(tmp_path), "20", "1", "5", "5"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    names = [f"{name}@{k}" for k in (1, 5, 20) for name in ("hit_rate", "ndcg", "mrr")]
    assert lines[0].split(",") == ["dataset", "model", "seed", *names]
    assert lines[1].startswith("ml-1m,sasrec+,0,")
    values = dict(zip(names, map(float, lines[1].split(",")[3:]), strict=True))
    assert [values[f"hit_rate@{k}"] for k in (1, 5, 20)] == [0.1, 0.4, 1.0]
    assert values["ndcg@5"] == pytest.approx(0.1 + 0.3 / 2)
    assert values["mrr@20"] == pytest.approx(0.1 + 0.3 / 3 + 0.6 / 15)
    refused = CliRunner().invoke(main, ["metrics", str(tmp_path), "0"])
    assert refused.exit_code == 2
    assert "0 is not in the range" in refused.output


def test_the_best_is_chosen_by_validation_and_over_seeds(tmp_path: Path) -> None:
    make_search(tmp_path)
    result = CliRunner().invoke(main, ["best", str(tmp_path)])
    assert result.exit_code == 0, result.output
    lines = [line for line in result.output.splitlines() if line.startswith("Demo")]
    found = [re.split(r"  +", line) for line in lines]  # a blank cell leaves nothing
    assert [[*row[1:-2], row[-1]] for row in found] == [
        ["GRU4Rec", "1", "1", "0.0100", "0.0500"],
        [
            *("middle", "3", "2", "training.learning_rate=0.001"),
            *("0.1500 (0.1300, 0.1700)", "0.2000 (0.2000, 0.2000)"),
        ],
    ]


def test_a_cutoff_that_a_record_lacks_is_blank_and_one_it_adds_is_a_column(tmp_path: Path) -> None:
    make_record(tmp_path, test={"hit_rate@10": 0.31, "ndcg@10": 0.18, "ndcg@5": 0.18})
    write(tmp_path)
    (line,) = pd.read_csv(tmp_path / "results.csv").to_dict("records")
    assert pd.isna(line["ndcg@100"])
    assert line["ndcg@5"] == 0.18

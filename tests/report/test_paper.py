"""What counts as a model of the paper, and the numbers that it published."""

import os
from pathlib import Path

import pandas as pd
import pytest
from reading_tables import CONFIG, decided_claims, notes, ranks_with_hits, rows, write
from record_factory import make_record
from shipped import copied_config

from seqrec.errors import SeqrecError
from seqrec.experiment.grid import resolve_cell
from seqrec.layout import ConfigFiles
from seqrec.records import read_records
from seqrec.report.paper import curve_negatives, read_published
from seqrec.report.tables import write_tables


def configured(dataset: str, model: str, like: str = "", **changes: object) -> dict[str, object]:
    """The paper's configuration of a model, with some of its sections changed."""
    config = resolve_cell("paper", dataset, like or model, CONFIG.folder).model_dump(mode="json")
    for section, values in changes.items():
        config[section] = config[section] | values if isinstance(values, dict) else values
    return config | {"model": model}


def test_other_settings_than_the_papers_take_no_verdict_and_no_claim(tmp_path: Path) -> None:
    plus = configured("ml-1m", "sasrec+")
    quick = configured("ml-1m", "sasrec+", training={"max_epochs": 5})
    make_record(tmp_path / "paper", "ml-1m", "sasrec+", ranks=ranks_with_hits(0.31), config=plus)
    make_record(tmp_path / "quick", "ml-1m", "sasrec+", ranks=ranks_with_hits(0.31), config=quick)
    for name, said in (("paper", "reproduced"), ("quick", "other settings")):
        results = tmp_path / name
        bert = configured("ml-1m", "bert4rec")
        make_record(results, "ml-1m", "bert4rec", ranks=ranks_with_hits(0.2), config=bert)
        claimed = decided_claims(results)
        found = pd.read_csv(results / "tables/verdicts.csv").query("metric == 'hit_rate@10'")
        found = found.set_index("model")
        assert found.verdict["sasrec+"] == said
        assert found.ours["sasrec+"] == pytest.approx(0.31, abs=0.02), "the number is shown"
        assert found.verdict["bert4rec"] == "worse"
        assert claimed.verdict["quality"] == ("holds" if name == "paper" else "undecided")
    assert claimed.evidence["quality"] == "Trained with other settings than the paper's: SASRec+§."
    assert "SASRec+§" in rows(results, "results/ml-1m")
    assert "§ Trained with other settings" in notes(results, "results/ml-1m")
    note = "§ SASRec+ on MovieLens-1M: training.max_epochs 5 instead of 100."
    assert note in notes(results, "verdicts")
    assert "§" not in (tmp_path / "paper/tables/results/ml-1m.md").read_text()
    assert r"SASRec+\textsuperscript{\S}" in (results / "tables/results/ml-1m.tex").read_text()


def test_seeds_devices_and_evaluation_are_no_settings(tmp_path: Path) -> None:
    evaluation = {"batch_size": 7, "sampled_negatives": 100, "cutoffs": [5]}
    config = configured("ml-1m", "sasrec+", seed=7, evaluation=evaluation)
    other = {"precision": "bfloat16", "threads": 8, "device": "H100", "device_kind": "cuda"}
    make_record(
        tmp_path, "ml-1m", "sasrec+", 7, ranks=ranks_with_hits(0.31), config=config, **other
    )
    write(tmp_path)
    assert "reproduced" in set(pd.read_csv(tmp_path / "tables/verdicts.csv").verdict)
    assert "§" not in (tmp_path / "tables/verdicts.md").read_text()


def test_a_model_is_the_papers_by_its_network_and_loss_and_not_by_its_name(tmp_path: Path) -> None:
    for number in (10, 100):
        config = configured("demo", f"sasrec+{number}", training={"max_epochs": 5})
        make_record(
            tmp_path, "demo", f"sasrec+{number}", ranks=ranks_with_hits(number / 500), config=config
        )
    assert decided_claims(tmp_path).verdict["negatives"] == "holds", (
        "whose data are not the paper's"
    )
    named = {
        "sasrec+64": {"config": configured("demo", "sasrec+64", "sasrec+"), "negatives": None},
        "sasrec+65": {"config": configured("demo", "sasrec+65", "sasrec+10"), "negatives": 10},
        "sasrec+66": {"config": configured("demo", "sasrec+66", implementation="gru4rec")},
    }
    for model, changes in named.items():
        make_record(tmp_path, "demo", model, ranks=ranks_with_hits(0.3), **changes)
    found = decided_claims(tmp_path)
    assert found.verdict["negatives"] == "undecided"
    marked = "SASRec+ 64§, SASRec+ 65§, SASRec+ 66§"
    assert found.evidence["negatives"] == f"Trained with other settings than the paper's: {marked}."
    assert "loss.negatives 10 instead of 65" in notes(tmp_path, "verdicts")
    numbers = [curve_negatives(record) for record in read_records(tmp_path)]
    assert numbers == [10, None, None, None, 100]


def test_an_entry_that_is_no_longer_valid_stops_no_tables(tmp_path: Path) -> None:
    config = copied_config(tmp_path)
    (config / "models/sasrec.yaml").write_text("implementation: gone\n")
    make_record(tmp_path, "ml-1m", "sasrec", ranks=ranks_with_hits(0.25))
    write_tables(tmp_path, ConfigFiles(config))
    assert "sasrec.yaml" in notes(tmp_path, "verdicts")
    assert "SASRec§" in rows(tmp_path, "results/ml-1m")


# Published numbers


def test_published_numbers_cover_the_papers_grid() -> None:
    datasets = ["ml-1m", "ml-20m", "steam", "beauty", "yelp"]
    models = ["bert4rec", "sasrec", "sasrec+", "sasrec+3000"]
    results = read_published(CONFIG.published("results"), "dataset", "model")
    assert set(results) == {(dataset, model) for dataset in datasets for model in models}
    assert results["yelp", "sasrec+"] == {
        "hit_rate@10": 0.0482,
        "ndcg@10": 0.0246,
        "training_seconds": 2505,
        "best_epoch": 3,
    }
    curve = read_published(CONFIG.published("num_negatives"), "dataset", "negatives")
    assert len(curve) == 5 * 6
    for dataset in datasets:
        # The figure's last point is the table's row.
        theirs = results[dataset, "sasrec+3000"]["ndcg@10"]
        point = curve[dataset, "3000"]
        assert point["ndcg@10"] == pytest.approx(theirs, abs=point["tolerance"])


def test_a_published_file_that_is_missing_or_spoilt_is_named(tmp_path: Path) -> None:
    with pytest.raises(SeqrecError, match=r"none\.csv: no such file"):
        read_published(tmp_path / "none.csv", "dataset")
    for value in ("many", "nan", "-inf", "0", "-1"):
        (tmp_path / "bad.csv").write_text(f"dataset,users\nml-1m,{value}\n")
        with pytest.raises(SeqrecError, match=rf"bad\.csv: must hold.*{value}"):
            read_published(tmp_path / "bad.csv", "dataset")
    (tmp_path / "bad.csv").write_text("dataset,users\n,3\n")
    with pytest.raises(SeqrecError, match=r"bad\.csv: must hold.*\(a line without dataset\)"):
        read_published(tmp_path / "bad.csv", "dataset")
    text = "dataset,negatives,ndcg@10\nml-1m,10,0.1\nml-1m,{},{}\n"
    for negatives, quality, problem in (
        *(("x300", "0.1", "negatives is x300"), ("0", "0.1", "negatives is 0")),
        *(("30", "", "a line without ndcg@10"), ("30", "y" * 9999, "could not convert.*y .*y")),
    ):
        (tmp_path / "bad.csv").write_text(text.format(negatives, quality))
        with pytest.raises(SeqrecError, match=rf"bad\.csv: must hold.*{problem}") as caught:
            read_published(tmp_path / "bad.csv", "dataset", "negatives", needed=["ndcg@10"])
        assert len(str(caught.value)) < 700
    (tmp_path / "bad.csv").write_text("")
    with pytest.raises(SeqrecError, match=r"bad\.csv: must hold.*\(no dataset\)"):
        read_published(tmp_path / "bad.csv", "dataset")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "endless.csv").symlink_to("/dev/zero")
    for name in ("pipe", "endless"):
        with pytest.raises(SeqrecError, match=f"{name}.csv: is not a regular file"):
            read_published(tmp_path / f"{name}.csv", "dataset")

"""The tables of runs and times say what each model trained with, and no time that misleads."""

from pathlib import Path

import pandas as pd
import pytest
from reading_tables import notes, rows, write
from record_factory import make_metrics, make_record, make_timing

from seqrec.errors import SeqrecError
from seqrec.layout import ResultFiles


def test_the_table_of_runs_says_on_what_each_trained(tmp_path: Path) -> None:
    gpu = {"device": "H100", "device_kind": "cuda", "runs_sharing_device": 2}
    make_record(tmp_path, "ml-1m", "sasrec+", **gpu)
    statistics = make_metrics("x", "y")["data"]
    make_record(tmp_path, "ml-1m", "popularity", epochs=None, best_epoch=None, data=statistics)
    write(tmp_path)
    frame = pd.read_csv(tmp_path / "tables/runs.csv")
    assert frame.training_seconds.tolist() == [540.125, 540.125]
    text = (tmp_path / "tables/runs.md").read_text()
    assert "9 of 12" in text
    assert "H100, float32, shared by 2 runs" in text
    assert "Some CPU, 2 threads, float32" in text
    assert "2 finished runs, 0.3 hours" in text
    assert "540" not in text


def test_one_run_is_counted_as_one(tmp_path: Path) -> None:
    make_record(tmp_path)
    write(tmp_path)
    assert notes(tmp_path, "runs").strip().startswith("1 finished run, ")


def test_without_a_measurement_the_tables_show_epochs_alone(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "popularity", epochs=None, best_epoch=None)
    for seed, best in enumerate((7, 9)):
        make_record(tmp_path, "ml-1m", "sasrec+", seed, best_epoch=best)
    write(tmp_path)
    table = rows(tmp_path, "times")
    assert table == {
        "Dataset": ["Model", "Best epoch", "Epochs"],
        "MovieLens-1M": ["SASRec+", "8 (7, 9)", "12 (12, 12)"],
    }
    assert "No times" in notes(tmp_path, "times")


def test_measured_seconds_stand_beside_the_papers(tmp_path: Path) -> None:
    training = {"patience": 10, "max_epochs": 70}
    for model in ("sasrec+", "sasrec"):  # the paper's best epochs are the 63rd and the 53rd
        make_record(tmp_path, "ml-1m", model, config={"training": training})
    make_timing(tmp_path, {"ml-1m": {"sasrec+": 5.25}})
    write(tmp_path)
    frame = pd.read_csv(tmp_path / "tables/times.csv").set_index("model")
    assert frame.seconds_per_epoch_published["sasrec+"] == pytest.approx(540 / 70)
    assert frame.seconds_per_epoch_published["sasrec"] == pytest.approx(486 / 63)
    assert frame.seconds_to_best["sasrec+"] == 9 * 5.25
    assert pd.isna(frame.seconds_to_best["sasrec"])
    text = (tmp_path / "tables/times.md").read_text()
    shown = next(line.split("|")[5:8] for line in text.splitlines() if "SASRec+" in line)
    assert [cell.strip() for cell in shown] == ["5.2", "7.7", "47"]
    assert "measured on one quiet machine (a quiet machine)" in text


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        '{"machine": "m"}',
        '{"machine": "m", "seconds_per_epoch": {"ml-1m": {"sasrec": 0}}}',
        '{"machine": "", "seconds_per_epoch": {}}',
    ],
)
def test_a_damaged_measurement_is_one_message(tmp_path: Path, content: str) -> None:
    make_record(tmp_path)
    ResultFiles(tmp_path).timing.write_text(content)
    with pytest.raises(SeqrecError, match=r"timing\.json"):
        write(tmp_path)

"""The table of runs says how long each trained, and on what."""

from pathlib import Path

import pandas as pd
import pytest
from reading_tables import write
from record_factory import make_history, make_metrics, make_record


def test_seconds_an_epoch_stand_beside_the_papers(tmp_path: Path) -> None:
    training = {"patience": 10, "max_epochs": 70}
    for model in ("sasrec+", "sasrec"):  # their best epochs are the 63rd and the 53rd
        make_record(tmp_path, "ml-1m", model, config={"training": training})
    write(tmp_path)
    frame = pd.read_csv(tmp_path / "tables/runs.csv").set_index("model")
    assert frame.seconds_per_epoch_published["sasrec+"] == pytest.approx(540 / 70)
    assert frame.seconds_per_epoch_published["sasrec"] == pytest.approx(486 / 63)


def test_the_table_of_runs_says_how_long_and_on_what(tmp_path: Path) -> None:
    gpu = {"device": "H100", "device_kind": "cuda", "runs_sharing_device": 2}
    history = make_history(12, speed=10)
    make_record(tmp_path, "ml-1m", "sasrec+", history=history, best_epoch=9, **gpu)
    statistics = make_metrics("x", "y")["data"]
    make_record(tmp_path, "ml-1m", "popularity", epochs=None, best_epoch=None, data=statistics)
    write(tmp_path)
    frame = pd.read_csv(tmp_path / "tables/runs.csv")
    assert frame.seconds_to_best.tolist()[1] == pytest.approx(90.0)
    assert frame.seconds_per_epoch.tolist()[1] == pytest.approx(540.125 / 12)
    text = (tmp_path / "tables/runs.md").read_text()
    assert "H100, float32, shared by 2 runs" in text
    assert "Some CPU, 2 threads, float32" in text
    assert "2 finished runs, 0.3 hours" in text

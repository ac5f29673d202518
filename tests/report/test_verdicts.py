"""Verdicts on published values follow from records by a stated rule."""

from pathlib import Path

import pandas as pd
import pytest
from reading_tables import decided_claims, notes, ranks_with_hits, write, write_grid
from record_factory import make_record

from seqrec.report.inference import Interval
from seqrec.report.verdicts import verdict


@pytest.mark.parametrize(
    "ours, interval, published, said",
    [
        (0.20, (0.17, 0.23), 0.22, "reproduced"),  # 9% off, inside
        (0.21, (0.209, 0.211), 0.2, "reproduced"),  # outside, within 5%
        (0.1901, (0.189, 0.191), 0.2, "reproduced"),
        (0.2101, (0.209, 0.211), 0.2, "better"),
        (0.1899, (0.189, 0.191), 0.2, "worse"),
    ],
)
def test_a_value_is_reproduced_in_the_interval_or_within_five_percent(
    ours: float, interval: tuple[float, float], published: float, said: str
) -> None:
    assert verdict(ours, Interval(*interval), published) == said


def test_every_published_cell_has_a_verdict(tmp_path: Path) -> None:
    write_grid(tmp_path, ("ml-1m", "bert4rec", 0), ("ml-1m", "gru4rec", 0))
    make_record(tmp_path, "ml-1m", "sasrec+", ranks=ranks_with_hits(0.31))
    make_record(tmp_path, "ml-1m", "sasrec", ranks=ranks_with_hits(0.5))
    make_record(tmp_path, "ml-1m", "gru4rec", ranks=ranks_with_hits(0.3))
    write(tmp_path)
    found = pd.read_csv(tmp_path / "tables/verdicts.csv").query("metric == 'hit_rate@10'")
    assert found.set_index("model").verdict.to_dict() == {
        "bert4rec": "not run",
        "sasrec": "better",
        "sasrec+": "reproduced",
        "sasrec+3000": "not run",
    }
    assert "Of 8 published values: " in notes(tmp_path, "verdicts")
    text = (tmp_path / "tables/verdicts.md").read_text()
    assert "0.3152" in text


def test_models_on_different_data_are_judged_each_by_itself(tmp_path: Path) -> None:
    other = {"sha256": "e" * 64, "statistics": {}}
    make_record(tmp_path, "ml-1m", "sasrec+", ranks=ranks_with_hits(0.31))
    make_record(tmp_path, "ml-1m", "bert4rec", ranks=ranks_with_hits(0.29), data=other)
    make_record(tmp_path, "ml-1m", "sasrec", 0, ranks=ranks_with_hits(0.25))
    make_record(tmp_path, "ml-1m", "sasrec", 1, ranks=ranks_with_hits(0.25), data=other)
    write(tmp_path)
    found = pd.read_csv(tmp_path / "tables/verdicts.csv").query("metric == 'hit_rate@10'")
    assert found.set_index("model").verdict.to_dict() == {
        "bert4rec": "reproduced",
        "sasrec": "seeds differ in data",
        "sasrec+": "reproduced",
        "sasrec+3000": "not run",
    }
    said = decided_claims(tmp_path)
    assert said.verdict["quality"] == "undecided"
    assert said.evidence["quality"] == "The records were trained on different data."


def test_a_dataset_that_the_paper_lacks_has_no_verdicts(tmp_path: Path) -> None:
    make_record(tmp_path, "demo")
    write(tmp_path)
    assert "none of these datasets" in notes(tmp_path, "verdicts")
    assert len(pd.read_csv(tmp_path / "tables/verdicts.csv")) == 0

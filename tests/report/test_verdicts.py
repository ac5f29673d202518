"""Verdicts on published values follow from records by a stated rule."""

from pathlib import Path

import pandas as pd
import pytest
from reading_tables import decided_claims, notes, ranks_with_hits, write, write_grid
from record_factory import make_record

from seqrec.report.inference import Interval
from seqrec.report.verdicts import PublishedValue, ShownIn, verdict


def published(value: float, tolerance: float = 0.0, quantity: str = "ndcg@10") -> PublishedValue:
    return PublishedValue("ml-1m", "sasrec+", quantity, ShownIn.TABLE, value, tolerance)


@pytest.mark.parametrize(
    "ours, prediction, value, said",
    [
        (0.21, (0.209, 0.211), 0.2, "reproduced"),  # outside, within 5%
        (0.1901, (0.189, 0.191), 0.2, "reproduced"),
        (0.20, (0.17, 0.23), 0.22, "plausible"),  # 9% off, inside
        (0.20, (0.17, 0.23), 0.17, "plausible"),
        (0.2101, (0.209, 0.211), 0.2, "better"),
        (0.1899, (0.189, 0.191), 0.2, "worse"),
        (0.2101, None, 0.2, "better"),
        (0.2099, None, 0.2, "reproduced"),
    ],
)
def test_a_value_is_reproduced_within_five_percent_and_plausible_as_one_more_run(
    ours: float, prediction: tuple[float, float] | None, value: float, said: str
) -> None:
    assert verdict(ours, prediction and Interval(*prediction), published(value)) == said


def test_a_value_read_off_a_figure_may_be_off_by_its_tolerance() -> None:
    narrow = Interval(0.0186, 0.0190)
    assert verdict(0.0188, narrow, published(0.0178)) == "better"
    assert verdict(0.0188, narrow, published(0.0178, 0.0005)) == "reproduced"
    assert verdict(0.0200, Interval(0.0182, 0.0218), published(0.0178)) == "better"
    assert verdict(0.0200, Interval(0.0182, 0.0218), published(0.0178, 0.0005)) == "plausible"


def test_epochs_are_earlier_or_later_and_undecided_with_one_seed() -> None:
    theirs = published(50, quantity="best_epoch")
    assert verdict(60, Interval(55, 65), theirs) == "later"
    assert verdict(40, Interval(35, 45), theirs) == "earlier"
    assert verdict(40, Interval(30, 50), theirs) == "plausible"
    assert verdict(40, None, theirs) == "undecided"
    assert verdict(48, None, theirs) == "reproduced"


def test_epochs_and_points_of_the_figure_have_verdicts_and_times_have_none(tmp_path: Path) -> None:
    for seed, epoch in enumerate((9, 10)):
        make_record(tmp_path, "beauty", "sasrec+3000", seed, best_epoch=epoch)
    write_grid(tmp_path, *(("beauty", f"sasrec+{n}", 0) for n in (10, 3000)))
    write(tmp_path)
    found = pd.read_csv(tmp_path / "tables/verdicts.csv")
    assert set(found.metric) == {"hit_rate@10", "ndcg@10", "best_epoch"}
    assert (found.source == "figure").sum() == 6
    epoch = found.query("metric == 'best_epoch' and model == 'sasrec+3000'").iloc[0]
    assert (epoch.published, epoch.ours, epoch.verdict) == (8, 9.5, "plausible")
    point = found.query("source == 'figure' and model == 'sasrec+3000'").iloc[0]
    assert (point.published, point.tolerance, point.verdict) == (0.0297, 0.0005, "better")
    text = (tmp_path / "tables/verdicts.md").read_text()
    assert "| 0.0297 ± 0.0005 |" in text
    assert "Of 1 points of the paper's figure: 1 better." in text


def test_equal_best_epochs_are_not_taken_for_certain(tmp_path: Path) -> None:
    for seed in (0, 1):
        make_record(tmp_path, "beauty", "sasrec+", seed, best_epoch=7)
    write(tmp_path)
    found = pd.read_csv(tmp_path / "tables/verdicts.csv").set_index("metric")
    epoch = found[found.model == "sasrec+"].loc["best_epoch"]
    assert epoch.low < 6 < epoch.high
    assert epoch.verdict == "plausible"


def test_what_has_not_been_run_is_one_sentence(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+")
    write_grid(tmp_path, ("ml-1m", "bert4rec", 0), ("yelp", "sasrec", 0))
    write(tmp_path)
    text = (tmp_path / "tables/verdicts.md").read_text()
    assert "| not run " not in text
    assert "— Not run: MovieLens-1M (" in text
    assert text.count("Yelp") == 1
    assert (pd.read_csv(tmp_path / "tables/verdicts.csv").verdict == "not run").sum() > 20


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
    assert "Of 4 metrics of the paper's table: " in notes(tmp_path, "verdicts")
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

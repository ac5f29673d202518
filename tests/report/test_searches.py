"""Searches in tables and figures: a choice by validation, and no test of what was not chosen."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from reading_tables import CONFIG, rows, write
from record_factory import make_record
from small_searches import RESEEDED, TRIALS, config_of, hash_of, make_search

from seqrec.cli.main import main
from seqrec.errors import SeqrecError
from seqrec.layout import Run
from seqrec.records.choice import choose
from seqrec.report.evidence import read_evidence
from seqrec.report.figures import make_charts, write_figures
from seqrec.report.page import write_page


def not_chosen(results: Path) -> list[str]:
    """Test metrics of trials that were not chosen, as tables write them."""
    return ["0.3000", "0.1230", "0.4050", "0.0150"]


def best(results: Path) -> list[list[str]]:
    done = CliRunner().invoke(main, ["best", str(results)])
    assert done.exit_code == 0, done.output
    lines = [line for line in done.output.splitlines() if line.startswith("Demo")]
    return [re.split(r"  +", line) for line in lines]


def test_tables_of_models_show_the_chosen_trials_alone(tmp_path: Path) -> None:
    make_search(tmp_path)
    write(tmp_path)
    shown = rows(tmp_path, "results/demo")
    titles = ["sasrec+ t01 (learning rate 0.01)", "gru4rec t00 (learning rate 0.001)"]
    assert [*shown][1:] == ["Popularity", *titles]
    assert shown[titles[0]][1] == "**0.2000**"
    for path in (tmp_path / "tables").rglob("*.md"):
        text = path.read_text()
        assert not [value for value in not_chosen(tmp_path) if value in text], path


def test_models_that_run_with_new_seeds_are_shown_by_those(tmp_path: Path) -> None:
    make_search(tmp_path, reseed=True)
    write(tmp_path)
    shown = rows(tmp_path, "results/demo")
    assert [*shown][1:] == ["Popularity", "sasrec+ (tuned)", "gru4rec (tuned)"]
    assert "0.2000 (0.1900, 0.2100)" in shown["sasrec+ (tuned)"][2]
    assert "0.1100" not in " ".join(shown["gru4rec (tuned)"]), "they have not finished"


def test_a_page_of_trials_alone_is_refused_and_does_not_say_that_nothing_has_finished(
    tmp_path: Path,
) -> None:
    make_search(tmp_path, reseed=True)
    for model in ("popularity", "sasrec+.tuned"):
        shutil.rmtree(tmp_path / "runs/demo" / model)
    with pytest.raises(SeqrecError, match="only trials have finished, and none is chosen while"):
        write_page(tmp_path, CONFIG)


def test_the_table_of_tuned_models_says_what_was_chosen_and_how_optimistic_the_test_would_be(
    tmp_path: Path,
) -> None:
    make_search(tmp_path)
    write(tmp_path)
    frame = pd.read_csv(tmp_path / "tables/tuning.csv").set_index("model")
    assert frame.chosen.to_dict() == {"sasrec+": "sasrec+.t01", "gru4rec": "gru4rec.t00"}
    assert frame["training.learning_rate"].to_dict() == {"sasrec+": 0.01, "gru4rec": 0.001}
    assert frame.validation["sasrec+"] == 0.15
    assert frame.test_mean["sasrec+"] == pytest.approx(0.2)
    assert frame.optimism.to_dict() == pytest.approx(
        {"sasrec+": 0.3 / 0.2 - 1, "gru4rec": 0.405 / 0.11 - 1}
    )
    assert frame.training_seconds["gru4rec"] == 600
    text = (tmp_path / "tables/tuning.md").read_text()
    assert "+50.0%" in text
    assert "it is no result" in text


def test_trials_that_have_not_finished_are_missing_and_counted(tmp_path: Path) -> None:
    make_search(tmp_path, left_out="gru4rec.t00")
    write(tmp_path)
    assert "gru4rec t00" in (tmp_path / "tables/missing.md").read_text()
    frame = pd.read_csv(tmp_path / "tables/tuning.csv").set_index("model")
    assert (frame.trials["gru4rec"], frame.trials_wanted["gru4rec"]) == (2, 3)
    assert frame.chosen["gru4rec"] == "gru4rec.t01"
    assert "2/3" in (tmp_path / "tables/tuning.md").read_text()


def test_a_choice_that_has_changed_since_marks_the_runs_with_new_seeds(tmp_path: Path) -> None:
    make_search(tmp_path, reseed=True)
    assert not read_evidence(tmp_path, CONFIG).found.outdated
    config = config_of("sasrec+.t02", 0, 0.0003)
    record = make_record(
        *(tmp_path, "demo", "sasrec+.t02"),
        config=config,
        config_hash=hash_of(config),
        validation={"ndcg@10": 0.9},
    )
    outdated = read_evidence(tmp_path, CONFIG).found.outdated
    assert outdated == {Run("demo", "sasrec+.tuned", seed) for seed in RESEEDED}
    assert record


def test_best_names_the_trial_and_no_test_of_another(tmp_path: Path) -> None:
    make_search(tmp_path)
    found = {row[1]: row for row in best(tmp_path)}
    assert found["SASRec+ t01"][2:5] == ["3", "1", "training.learning_rate=0.01"]
    assert found["SASRec+ t01"][5] == "0.1500"
    assert found["SASRec+ t01"][-1] == "0.2000"
    assert "0.3000" not in str(found)


def test_best_shows_the_new_seeds_where_there_are_any(tmp_path: Path) -> None:
    make_search(tmp_path, reseed=True)
    found = {row[1]: row for row in best(tmp_path)}
    assert found["SASRec+ t01"][3] == "2"
    assert found["SASRec+ t01"][-1] == "0.2000 (0.1900, 0.2100)"
    assert found["GRU4Rec t00"][-1] == "—", "they have not finished"
    assert len(found) == 3


def test_figures_show_every_model_by_trials_and_by_time(tmp_path: Path) -> None:
    make_search(tmp_path)
    made = {item.name: chart for item, chart in make_charts(read_evidence(tmp_path, CONFIG))}
    panels = made["tries/demo"].panels
    assert len(panels) == 4
    for panel in panels:
        assert [one.label for one in panel.series] == ["SASRec+", "GRU4Rec"]
    validation, test = (panel.series[0].points for panel in panels[:2])
    assert [point.x for point in validation] == [1, 2, 3]
    assert validation[0].y == pytest.approx(0.10)
    assert validation[1].y == pytest.approx((0.15 + 0.15 + 0.10) / 3)
    assert validation[2].y == pytest.approx(0.15)
    assert test[1].y == pytest.approx((0.2 + 0.2 + 0.3) / 3), "the one that validation chooses"
    assert [point.x for point in panels[2].series[0].points] == [200, 400, 600]
    (settings,) = made["settings/demo"].panels
    assert settings.title == "learning rate"
    places = {tick.label: tick.place for tick in settings.x.ticks}
    assert [*places] == ["0.0003", "0.001", "0.002", "0.01"]
    for point, (rate, validation_of_trial, _) in zip(
        settings.series[0].points, TRIALS["sasrec+"], strict=True
    ):
        assert point.x == pytest.approx(places[str(rate)], abs=0.3)
        assert point.y == validation_of_trial
        assert f"learning rate {rate}" in point.name


def test_figures_and_page_are_made_and_only_of_searches(tmp_path: Path) -> None:
    make_search(tmp_path / "a", reseed=True)
    make_record(tmp_path / "b", "demo", "sasrec+")
    for name, is_search in (("a", True), ("b", False)):
        written = {path.name for path in write_figures(tmp_path / name, CONFIG)}
        folders = tmp_path / name / "figures"
        assert (folders / "tries/demo.svg").exists() == is_search
        assert (folders / "settings/demo.pdf").exists() == is_search
        assert "detectable.png" in written
        page = write_page(tmp_path / name, CONFIG).read_text()
        assert ("Tuned models" in page) == is_search


def test_a_chosen_setting_is_configured_once_all_trials_have_finished(tmp_path: Path) -> None:
    make_search(tmp_path / "a", reseed=True, left_out="sasrec+.t02")
    with pytest.raises(
        SeqrecError, match=r"1 trial of sasrec\+ on demo still to finish \(demo sas"
    ):
        choose(tmp_path / "a", Run("demo", "sasrec+.tuned", 1))
    results = make_search(tmp_path / "b", reseed=True)
    config = choose(results, Run("demo", "gru4rec.tuned", 2))
    assert config.model_dump(mode="json") == config_of("gru4rec.tuned", 2, 0.001)
    done = CliRunner().invoke(
        main, ["choose", str(results), "demo", "gru4rec.tuned", "--seed", "2"]
    )
    assert json.loads(done.output) == config_of("gru4rec.tuned", 2, 0.001)
    for run in (Run("demo", "popularity", 0), Run("demo", "sasrec+.tuned", 0)):
        with pytest.raises(SeqrecError, match="is no run of a setting that a search chooses"):
            choose(results, run)

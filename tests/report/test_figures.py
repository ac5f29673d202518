"""Figures as data: what each shows of an experiment's records, beside the paper's numbers."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reading_tables import CONFIG
from record_factory import make_history, make_record

from seqrec.report.evidence import Evidence, read_evidence
from seqrec.report.figures.chart import Chart, Panel, Series, Shape
from seqrec.report.figures.convergence import convergence_by_time_chart, convergence_chart
from seqrec.report.figures.learning import learning_chart
from seqrec.report.figures.negatives import negatives_chart
from seqrec.report.figures.quality import quality_by_time_chart
from seqrec.report.figures.shown import NO_RUN, NO_RUN_SHOWN_HERE, PAPER_ONLY
from seqrec.report.looks import look_of


def panels(chart: Chart) -> dict[str, Panel]:
    return {panel.title: panel for panel in chart.panels}


def series(panel: Panel, label: str, shape: Shape, published: bool = False) -> list[Series]:
    kind = (label, shape, published)
    return [one for one in panel.series if (one.label, one.shape, one.published) == kind]


def places(one: Series) -> list[tuple[float | None, float | None]]:
    return [(point.x, point.y) for point in one.points]


def negatives(results: Path) -> dict[str, Panel]:
    return panels(negatives_chart(read_evidence(results, CONFIG)))


def by_epoch(results: Path) -> dict[str, Panel]:
    return panels(convergence_chart(read_evidence(results, CONFIG)))


def test_the_negatives_panel_has_each_model_at_its_n_on_a_log_axis(tmp_path: Path) -> None:
    for n, ndcg in ((100, 0.17), (10, 0.14), (3000, 0.186)):
        make_record(tmp_path, "demo", f"sasrec+{n}", ndcg=ndcg)
    (panel,) = negatives(tmp_path).values()
    (line,) = panel.series
    assert (line.label, line.shape, line.look.marker) == ("SASRec+ N", Shape.CURVE, "circle")
    assert places(line) == [(10, 0.14), (100, 0.17), (3000, 0.186)]
    assert panel.x.log
    assert [tick.label for tick in panel.x.ticks] == ["10", "100", "3,000"]
    assert (panel.x.label, panel.y.label) == ("negatives, N", "test NDCG@10")


def test_every_point_of_ours_has_an_interval_that_more_seeds_may_widen(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+10", ndcg=0.15)
    for seed, ndcg in enumerate((0.1, 0.15, 0.2)):
        make_record(tmp_path, "demo", "sasrec+100", seed, ndcg=ndcg)
        make_record(tmp_path, "demo", "bert4rec", seed, ndcg=0.15)
    (panel,) = negatives(tmp_path).values()
    (curve,) = series(panel, "SASRec+ N", Shape.CURVE)
    (level,) = series(panel, "BERT4Rec", Shape.LEVEL)
    alone, scattering, steady = *curve.points, *level.points
    assert [point.y for point in (alone, scattering, steady)] == pytest.approx([0.15] * 3)
    widths = []
    for point in (alone, scattering, steady):
        assert point.y_interval and point.y in point.y_interval
        widths.append(point.y_interval.high - point.y_interval.low)
    assert widths[0] == pytest.approx(2 * 1.962 * math.sqrt(0.15 * 0.85 / 999), rel=1e-3) or (
        widths[0] > widths[2]
    ), "one seed borrows the scatter of its kind"
    assert widths[1] > 2 * widths[2]


def test_models_without_n_are_levels_in_their_own_look(tmp_path: Path) -> None:
    values = {"sasrec+": 0.18, "sasrec": 0.13, "bert4rec": 0.15, "gru4rec": 0.1}
    for model, ndcg in values.items():
        make_record(tmp_path, "demo", model, ndcg=ndcg)
    (panel,) = negatives(tmp_path).values()
    assert {one.label: places(one) for one in panel.series} == {
        "SASRec+": [(None, 0.18)],
        "BERT4Rec": [(None, 0.15)],
        "SASRec": [(None, 0.13)],
    }
    for one, model in zip(panel.series, ("sasrec+", "bert4rec", "sasrec"), strict=True):
        assert one.look == look_of(model)
        assert one.look.dash, "dashed, to be told from SASRec+ N"


def test_published_points_and_lines_are_in_every_panel_of_the_papers_datasets(
    tmp_path: Path,
) -> None:
    make_record(tmp_path, "beauty", "sasrec+10")
    make_record(tmp_path, "demo", "sasrec+10")
    grid = {
        "runs": [{"dataset": name, "model": "sasrec+10", "seed": 0} for name in ("yelp", "own")]
    }
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    drawn = negatives(tmp_path)
    assert list(drawn) == ["Amazon Beauty", "Yelp", "Demo (simulated)"], "own has nothing to show"
    (curve,) = series(drawn["Amazon Beauty"], "SASRec+ N", Shape.CURVE, published=True)
    assert places(curve) == [
        *((10, 0.0178), (30, 0.0211), (100, 0.0241), (300, 0.0270), (1000, 0.0297), (3000, 0.0297)),
    ]
    for title, sasrec in (("Amazon Beauty", 0.0126), ("Yelp", 0.0115)):
        (line,) = series(drawn[title], "SASRec", Shape.LEVEL, published=True)
        assert places(line) == [(None, sasrec)]
    assert [drawn[title].note for title in ("Amazon Beauty", "Yelp")] == ["", PAPER_ONLY]
    assert not any(one.published for one in drawn["Demo (simulated)"].series)


@pytest.mark.parametrize("chart", [negatives_chart, convergence_chart, convergence_by_time_chart])
def test_a_dataset_that_has_nothing_to_show_has_no_panel_unless_all_are_empty(
    tmp_path: Path, chart: Callable[[Evidence], Chart]
) -> None:
    grid = {"runs": [{"dataset": "own", "model": "sasrec+", "seed": 0}]}
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    (panel,) = chart(read_evidence(tmp_path, CONFIG)).panels
    assert panel.empty and panel.note == NO_RUN
    make_record(tmp_path, "demo")
    (panel,) = chart(read_evidence(tmp_path, CONFIG)).panels
    assert (panel.title, panel.empty, panel.note) == ("Demo (simulated)", False, "")


def test_a_panel_without_its_models_does_not_say_that_nothing_has_finished(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "mine")
    (panel,) = negatives(tmp_path).values()
    assert panel.note == NO_RUN_SHOWN_HERE


def test_convergence_shows_the_mean_of_the_seeds_within_their_range(tmp_path: Path) -> None:
    for seed, (epochs, best, peak) in enumerate(((6, 4, 0.1), (4, 2, 0.3))):
        history = make_history(epochs, peak)
        make_record(
            tmp_path, "demo", "sasrec+", seed, history=history, epochs=epochs, best_epoch=best
        )
    (panel,) = by_epoch(tmp_path).values()
    (line,) = series(panel, "SASRec+", Shape.LINE)
    expected = [1 - 0.7**epoch for epoch in (1, 2, 3, 4)]
    assert [point.x for point in line.points] == [1, 2, 3, 4], "up to where the first seed stopped"
    assert [point.y for point in line.points] == pytest.approx([0.2 * y for y in expected])
    assert [point.y_interval for point in line.points] == [
        pytest.approx((0.1 * y, 0.3 * y)) for y in expected
    ]
    (marker,) = series(panel, "SASRec+", Shape.POINTS)
    value = (0.1 * (1 - 0.7**4) + 0.3 * (1 - 0.7**2)) / 2
    assert places(marker) == [(3, pytest.approx(value))]
    assert marker.points[0].x_interval == (2, 4)
    assert panel.x.log


def test_one_seed_has_a_line_without_a_band(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "bert4rec", epochs=1, best_epoch=1)
    (panel,) = by_epoch(tmp_path).values()
    line, best = panel.series
    assert [(p.x, p.y_interval) for p in line.points] == [(1, None)]
    assert best.points[0].x_interval is None


def test_published_best_epochs_stand_on_the_axis_of_models_that_are_shown(tmp_path: Path) -> None:
    for model in ("sasrec+", "bert4rec", "gru4rec", "sasrec"):
        make_record(tmp_path, "beauty", model)
    feet = [one for one in by_epoch(tmp_path)["Amazon Beauty"].series if one.shape is Shape.FOOT]
    assert {one.label: one.points[0].x for one in feet} == {"SASRec+": 6, "BERT4Rec": 87}
    assert all(one.published for one in feet)


def test_convergence_by_time_shows_every_run_by_itself(tmp_path: Path) -> None:
    history = make_history(4, speed=2.5)
    for seed in (0, 1):
        make_record(tmp_path, "demo", "sasrec+", seed, history=history, epochs=4, best_epoch=3)
    chart = convergence_by_time_chart(read_evidence(tmp_path, CONFIG))
    (panel,) = chart.panels
    for seed, line in enumerate(series(panel, "SASRec+", Shape.LINE)):
        assert places(line) == [(row["seconds"], row["ndcg@10"]) for row in history]
        assert {point.name for point in line.points} == {f"sasrec+/seed-{seed}"}
    best = series(panel, "SASRec+", Shape.POINTS)
    assert [places(one) for one in best] == [[(7.5, history[2]["ndcg@10"])]] * 2
    assert list(chart.legend) == ["SASRec+"], "one entry for all seeds"


def test_convergence_shows_each_dataset_its_own_most_negatives(tmp_path: Path) -> None:
    for dataset, numbers in (("own", (10, 3000)), ("demo", (10, 100))):
        for n in numbers:
            make_record(tmp_path, dataset, f"sasrec+{n}")
    labels = {title: {s.label for s in p.series} for title, p in by_epoch(tmp_path).items()}
    assert labels == {"own": {"SASRec+ 3000"}, "Demo (simulated)": {"SASRec+ 100"}}


def test_own_models_are_shown_and_look_unlike_all_others(tmp_path: Path) -> None:
    for model in ("sasrec+", "bert4rec", "gru4rec", "gpt4rec", "sasrec+10", "mine", "yours"):
        make_record(tmp_path, "demo", model)
    evidence = read_evidence(tmp_path, CONFIG)
    (curves,) = convergence_chart(evidence).panels
    looks = {one.label: one.look for one in curves.series}
    assert list(looks)[-2:] == ["mine", "yours"]
    assert len({look.colour for look in looks.values()}) == len(looks) == 7
    (panel,) = quality_by_time_chart(evidence).panels
    for label in ("mine", "yours", "SASRec+"):
        (one,) = series(panel, label, Shape.POINTS)
        assert one.look == looks[label]


def test_quality_is_shown_against_the_time_of_each_training(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+", 0, ndcg=0.2, training_seconds=50.0)
    make_record(tmp_path, "demo", "sasrec+", 1, ndcg=0.21, training_seconds=70.0)
    fitted: dict[str, Any] = {"epochs": None, "best_epoch": None}
    make_record(tmp_path, "demo", "popularity", ndcg=0.1, training_seconds=0.1, **fitted)
    make_record(tmp_path, "demo", "bpr-mf", ndcg=0.15, training_seconds=9.0, **fitted)
    (panel,) = quality_by_time_chart(read_evidence(tmp_path, CONFIG)).panels
    runs = series(panel, "SASRec+", Shape.POINTS)
    assert [places(one) for one in runs] == [[(50.0, 0.2)], [(70.0, 0.21)]]
    assert [places(one) for one in series(panel, "BPR-MF", Shape.POINTS)] == [[(9.0, 0.15)]]
    (level,) = series(panel, "Popularity", Shape.LEVEL)
    assert places(level) == [(None, 0.1)], "it took no time"
    assert panel.x.log


def test_quality_has_a_panel_for_a_dataset_of_fitted_models_alone(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+")
    make_record(tmp_path, "steam", "bpr-mf", epochs=None, best_epoch=None)
    evidence = read_evidence(tmp_path, CONFIG)
    assert list(panels(quality_by_time_chart(evidence))) == ["MovieLens-1M", "Steam"]
    assert list(panels(convergence_chart(evidence))) == ["MovieLens-1M"]


def test_learning_curves_are_those_of_every_run(tmp_path: Path) -> None:
    history = make_history(4)
    for model in ("sasrec", "sasrec+10", "sasrec+100", "mine"):
        make_record(tmp_path, "demo", model, history=history, epochs=4, best_epoch=3)
    loss, quality = learning_chart(read_evidence(tmp_path, CONFIG), "demo").panels
    for panel, column in ((loss, "training_loss"), (quality, "ndcg@10")):
        drawn = [one for one in panel.series if one.shape is Shape.LINE]
        assert [one.label for one in drawn] == ["SASRec", "SASRec+ 10", "SASRec+ 100", "mine"]
        for one in drawn:
            assert places(one) == [(row["epoch"], row[column]) for row in history]
        few, many = (one.look.strength for one in drawn[1:3])
        assert few < many, "more negatives are drawn stronger"


def test_a_model_looks_the_same_whichever_others_a_dataset_has(tmp_path: Path) -> None:
    for dataset, models in (("ml-1m", ("mine", "yours", "sasrec+10")), ("demo", ("yours",))):
        for model in models:
            make_record(tmp_path, dataset, model)
    evidence = read_evidence(tmp_path, CONFIG)
    charts = [learning_chart(evidence, name) for name in ("ml-1m", "demo")]
    charts.append(convergence_chart(evidence))
    found = {s.look for c in charts for p in c.panels for s in p.series if s.label == "yours"}
    assert len(found) == 1


def test_the_alternative_text_names_axes_panels_and_what_stands_out(tmp_path: Path) -> None:
    for n, ndcg in ((10, 0.14), (100, 0.17), (1000, 0.186)):
        make_record(tmp_path, "demo", f"sasrec+{n}", ndcg=ndcg)
    make_record(tmp_path, "demo", "bert4rec", ndcg=0.15)
    text = negatives_chart(read_evidence(tmp_path, CONFIG)).alternative
    for part in (
        "Test NDCG@10",
        "number of negatives N",
        "Demo (simulated): SASRec+ N has 0.1400 at N = 10 and 0.1860 at N = 1000",
        "above BERT4Rec from N = 100 on",
    ):
        assert part in text

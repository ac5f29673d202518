"""Figures that compare models: against the paper, with each other, by target, cost and coverage."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading_tables import CONFIG, ranks_with_hits
from record_factory import make_history, make_record

from seqrec.report.differences import pairs
from seqrec.report.evidence import Evidence, read_evidence
from seqrec.report.figures import draw, make_charts
from seqrec.report.figures.against_paper import against_paper_chart
from seqrec.report.figures.chart import Chart, Panel, Shape
from seqrec.report.figures.convergence import convergence_by_time_chart, convergence_chart
from seqrec.report.figures.detectable import TOO_FEW, detectable_chart
from seqrec.report.figures.differences import MOST_ROWS, differences_chart
from seqrec.report.figures.negatives import negatives_chart
from seqrec.report.figures.quality import (
    NO_COUNTS,
    NOT_COUNTED,
    quality_by_cost_chart,
    quality_by_coverage_chart,
    quality_by_time_chart,
)
from seqrec.report.figures.shown import MOST_OTHERS, NO_PAIR
from seqrec.report.figures.targets import (
    NUM_GROUPS,
    groups_of,
    history_length_chart,
    popularity_chart,
)

FITTED: dict[str, Any] = {"epochs": None, "best_epoch": None}


def read(results: Path) -> Evidence:
    return read_evidence(results, CONFIG)


def points(panel: Panel) -> dict[str, list[tuple[float | None, float | None]]]:
    """The points of each model that are drawn as markers."""
    return {
        one.label: [(point.x, point.y) for point in one.points]
        for one in panel.series
        if one.shape is not Shape.LINE
    }


@pytest.mark.parametrize(
    "chart",
    [
        *(negatives_chart, differences_chart, popularity_chart, detectable_chart),
        *(quality_by_time_chart, quality_by_cost_chart, quality_by_coverage_chart),
    ],
)
def test_figures_show_the_metric_and_the_titles_that_the_experiment_asks_for(
    tmp_path: Path, chart: Callable[[Evidence], Chart]
) -> None:
    ranks = np.repeat([1, 4, 99], [100, 200, 700])
    for model in ("bert4rec", "sasrec+"):
        for seed in (0, 1):
            make_record(
                tmp_path, "demo", model, seed, ranks=np.roll(ranks, 3 * seed), config=counted(),
                recommended_counts=[1, 0],
            )  # fmt: skip
    grid = {"runs": [], "report": {"metrics": ["hit_rate@3"]}, "titles": {"sasrec+": "My SASRec"}}
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    made = chart(read(tmp_path))
    assert "HitRate@3" in made.title and "HitRate@3" in made.alternative
    (panel,) = made.panels
    values = {p.y for one in panel.series for p in one.points if one.shape is not Shape.LINE}
    if panel.y.label == "test HitRate@3" and chart is not popularity_chart:
        assert values == {0.1}
    labels = {one.label for one in panel.series} | {tick.label for tick in panel.y.ticks}
    if chart is not detectable_chart:
        assert "My SASRec" in labels | {tick.label for tick in panel.x.ticks}


def test_a_published_metric_has_a_row_with_ours_relative_to_it(tmp_path: Path) -> None:
    for seed, ndcg in enumerate((0.0300, 0.0310, 0.0320)):
        make_record(tmp_path, "beauty", "sasrec+", seed, ndcg=ndcg)
    make_record(tmp_path, "beauty", "sasrec+100", ndcg=0.024)
    (panel,) = against_paper_chart(read(tmp_path)).panels
    rows = {point.name: point for one in panel.series for point in one.points}
    assert [tick.label.partition(":")[0] for tick in panel.y.ticks] == [
        "SASRec+, HitRate@10",
        "SASRec+, NDCG@10",
        "SASRec+ 100, NDCG@10 (figure)",
    ]
    ours = rows["SASRec+, NDCG@10: plausible"]
    assert ours.x == pytest.approx(100 * (0.0310 / 0.0327 - 1))
    assert ours.x_interval and ours.x in ours.x_interval
    assert 0 in ours.x_interval, "a value is plausible if one more training might give it"
    (single,) = [point for name, point in rows.items() if "figure" in name]
    assert single.x == pytest.approx(100 * (0.024 / 0.0241 - 1))
    assert panel.shaded == (-5, 5)
    places = [tick.place for tick in panel.y.ticks]
    assert places == sorted(places, reverse=True), "the first row is on top"
    assert sorted(places) == sorted(point.y for point in rows.values() if point.y is not None)


def test_a_row_says_its_verdict_only_where_it_is_not_reproduced(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+", ndcg=0.182)
    make_record(tmp_path, "ml-1m", "sasrec", ndcg=0.2)
    (panel,) = against_paper_chart(read(tmp_path)).panels
    labels = [tick.label for tick in panel.y.ticks]
    assert "SASRec+, NDCG@10" in labels
    assert "SASRec, NDCG@10: better" in labels


def test_a_matrix_has_every_pair_once_and_fills_significant_ones(tmp_path: Path) -> None:
    for model, share in (("sasrec+", 0.31), ("bert4rec", 0.30), ("sasrec", 0.2), ("gru4rec", 0.1)):
        make_record(tmp_path, "demo", model, ranks=ranks_with_hits(share))
    evidence = read(tmp_path)
    (panel,) = differences_chart(evidence).panels
    tested = pairs(evidence.comparable["demo"], "ndcg@10")
    assert len(panel.tiles) == len({(tile.x, tile.y) for tile in panel.tiles}) == 6
    rows = {tick.place: tick.label for tick in panel.y.ticks}
    columns = {tick.place: tick.label for tick in panel.x.ticks}
    assert list(rows.values()) == ["SASRec+", "BERT4Rec", "SASRec"]
    assert list(columns.values()) == ["BERT4Rec", "SASRec", "GRU4Rec"]
    filled = {(rows[tile.y], columns[tile.x]): tile.strength > 0 for tile in panel.tiles}
    title = evidence.title
    assert filled == {
        (title("demo", p.one).text, title("demo", p.other).text): p.distinguishable for p in tested
    }
    for tile in panel.tiles:
        assert tile.text.startswith("(") == (tile.strength == 0)
        assert f"{rows[tile.y]} and {columns[tile.x]}: +" in tile.name


def test_a_matrix_shows_the_best_where_there_are_too_many(tmp_path: Path) -> None:
    for number in range(MOST_ROWS + 3):
        make_record(tmp_path, "demo", f"own-{number}", ndcg=0.1 + number / 1000)
    (panel,) = differences_chart(read(tmp_path)).panels
    shown = [tick.label for tick in panel.y.ticks]
    assert shown == [f"own-{number}" for number in range(MOST_ROWS + 2, 3, -1)]


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=300))
def test_every_user_is_in_one_group_of_targets_and_unseen_targets_are_apart(
    counts: list[int],
) -> None:
    groups = groups_of(np.array(counts))
    together = np.sum([group.targets for group in groups], axis=0)
    assert (together == 1).all()
    assert 1 <= len(groups) <= NUM_GROUPS + 1
    for group in groups:
        inside = np.array(counts)[group.targets]
        assert (inside.min(), inside.max()) == (group.least, group.most)
        assert group.least <= group.middle <= group.most
        assert (group.least == 0) == (group.most == 0)
    ends = [end for group in groups for end in (group.least, group.most)]
    assert ends == sorted(ends)


def test_quality_by_popularity_is_the_metric_of_each_group(tmp_path: Path) -> None:
    counts = np.repeat([0, 5, 50, 500], 250)
    ranks = np.where(counts == 500, 1, 99)
    ranks[250:300] = 1  # a fifth of the users whose target occurs five times
    make_record(tmp_path, "demo", "sasrec+", ranks=ranks, target_counts=counts)
    (panel,) = popularity_chart(read(tmp_path)).panels
    (found,) = points(panel).values()
    assert [y for _, y in found] == pytest.approx([0, 0.2, 0, 1])
    assert [x for x, _ in found][1:] == [5, 50, 500]
    unseen = found[0][0]
    assert unseen and 0 < unseen < 5
    assert (unseen, "0") in panel.x.ticks


def test_popularity_says_what_is_best_on_rare_and_frequent_targets(tmp_path: Path) -> None:
    counts = np.repeat([1, 1000], 500)
    for model, good in (("sasrec+", counts == 1), ("bert4rec", counts == 1000)):
        make_record(tmp_path, "demo", model, ranks=np.where(good, 2, 50), target_counts=counts)
    text = popularity_chart(read(tmp_path)).alternative
    assert (
        "rarest targets (1 occurrence in training, 500 targets): best is SASRec+ with 0.6309"
        in text
    )
    assert "1,000 occurrences in training, 500 targets): best is BERT4Rec with 0.6309" in text


def test_quality_by_length_of_the_history_is_the_metric_of_each_group(tmp_path: Path) -> None:
    """One record that tells the lengths is enough: all are of the same targets."""
    lengths = np.repeat([2, 20, 200], [400, 400, 200])
    ranks = {"sasrec+": np.where(lengths == 2, 1, 99), "bert4rec": np.where(lengths == 2, 99, 1)}
    make_record(tmp_path, "demo", "sasrec+", ranks=ranks["sasrec+"])
    make_record(tmp_path, "demo", "bert4rec", ranks=ranks["bert4rec"], history_lengths=lengths)
    chart = history_length_chart(read(tmp_path))
    (panel,) = chart.panels
    assert points(panel) == {
        "SASRec+": [(2, 1), (20, 0), (200, 0)],
        "BERT4Rec": [(2, 0), (20, 1), (200, 1)],
    }
    assert (
        "shortest histories (2 items before the target, 400 targets): best is SASRec+ with 1.0000"
        in chart.alternative
    )
    draw(chart)


def test_in_a_group_of_targets_a_single_seed_is_as_uncertain_as_models_of_its_kind(
    tmp_path: Path,
) -> None:
    """Which it is in tests and in other figures."""
    counts, hits = np.repeat([1, 1000], 500), {0: 0.2, 1: 0.3, 2: 0.4}
    for seed, share in hits.items():
        ranks = np.where(np.tile(np.arange(500), 2) < 500 * share, 1, 99)
        make_record(tmp_path, "demo", "sasrec+", seed, ranks=ranks, target_counts=counts)
    make_record(tmp_path, "demo", "bert4rec", ranks=ranks, target_counts=counts)
    (panel,) = popularity_chart(read(tmp_path)).panels
    lines = {one.label: one for one in panel.series if one.shape is Shape.LINE}
    for point in lines["BERT4Rec"].points:
        assert point.y == pytest.approx(0.4) and point.y_interval
        assert point.y_interval.low < 0.1, "as one of three seeds from 0.2 to 0.4"


def test_datasets_whose_records_do_not_tell_lengths_are_left_out_or_say_so(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m")
    (panel,) = history_length_chart(read(tmp_path)).panels
    assert panel.empty and "how long histories are" in panel.note_in_line
    make_record(tmp_path, "beauty", history_lengths=np.full(1000, 5))
    chart = history_length_chart(read(tmp_path))
    (panel,) = chart.panels
    assert panel.title == "Amazon Beauty"
    assert "5 items before the target, 1,000 targets" in chart.alternative


def counted(**hyperparameters: Any) -> dict[str, Any]:
    return {
        "implementation": "sasrec",
        "max_length": 200,
        "hyperparameters": {"hidden_size": 64, "blocks": 2, **hyperparameters},
    }


def test_quality_by_cost_joins_the_family_of_negatives_and_names_its_points(tmp_path: Path) -> None:
    for n, best in ((10, 9), (1000, 3)):
        make_record(
            tmp_path, "demo", f"sasrec+{n}", ndcg=0.1 + n / 10_000, config=counted(),
            history=make_history(12), best_epoch=best,
        )  # fmt: skip
    make_record(tmp_path, "demo", "sasrec+", ndcg=0.3, config=counted())
    make_record(tmp_path, "demo", "popularity", **FITTED)
    (panel,) = quality_by_cost_chart(read(tmp_path)).panels
    line, other = panel.series
    assert (line.label, line.named, other.label) == ("SASRec+ N", True, "SASRec+")
    assert [point.name for point in line.points] == ["10", "1000"]
    assert [point.y for point in line.points] == [pytest.approx(0.101), pytest.approx(0.2)]
    few, many, every = (point.x for one in panel.series for point in one.points)
    assert few and many and every and few > many, "nine epochs cost more than three"
    assert every > few
    assert panel.x.log


def test_a_dataset_whose_costs_are_unknown_says_so(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+")
    (panel,) = quality_by_cost_chart(read(tmp_path)).panels
    assert panel.empty and panel.note == NOT_COUNTED


def test_coverage_is_the_share_of_items_that_are_recommended(tmp_path: Path) -> None:
    for seed, used in enumerate((30, 50)):
        make_record(
            tmp_path, "demo", "sasrec+", seed, recommended_counts=[4] * used + [0] * (100 - used)
        )
    make_record(tmp_path, "demo", "bert4rec")
    (panel,) = quality_by_coverage_chart(read(tmp_path)).panels
    assert {label: [x for x, _ in found] for label, found in points(panel).items()} == {
        "SASRec+": [pytest.approx(40)]
    }, "an older record does not tell"


def test_older_records_alone_say_that_coverage_is_unknown(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+")
    (panel,) = quality_by_coverage_chart(read(tmp_path)).panels
    assert panel.empty and panel.note == NO_COUNTS


def test_more_seeds_detect_smaller_differences(tmp_path: Path) -> None:
    for model in ("sasrec+", "bert4rec", "gru4rec"):
        for seed in range(3):
            make_record(tmp_path, "demo", model, seed, ranks=ranks_with_hits(0.3, 3 * seed))
    make_record(tmp_path, "demo", "popularity", ranks=ranks_with_hits(0.1), **FITTED)
    (panel,) = detectable_chart(read(tmp_path)).panels
    line, _ = panel.series
    values = [point.y or math.nan for point in line.points]
    assert [point.x for point in line.points] == [1, 2, 3, 5, 10, 20]
    assert values == sorted(values, reverse=True)
    for point in line.points:
        assert point.y_interval and point.y in point.y_interval


def test_nothing_is_said_to_be_detectable_where_no_scatter_is_known(tmp_path: Path) -> None:
    for model in ("sasrec+", "bert4rec"):
        make_record(tmp_path, "demo", model)
    (panel,) = detectable_chart(read(tmp_path)).panels
    assert panel.empty and panel.note == TOO_FEW


@pytest.mark.parametrize("users", [1, 2, 5])
def test_data_of_few_users_has_all_figures_and_no_endless_interval(
    tmp_path: Path, users: int
) -> None:
    for model in ("sasrec+", "bert4rec", "sasrec+10"):
        for seed in (0, 1):
            make_record(
                tmp_path, "demo", model, seed, ranks=np.arange(1, users + 1) + seed,
                config=counted(), recommended_counts=[1, 0],
            )  # fmt: skip
    for _, chart in make_charts(read(tmp_path)):
        for panel in chart.panels:
            for point in (point for one in panel.series for point in one.points):
                ends = [*(point.x_interval or ()), *(point.y_interval or ())]
                assert all(map(math.isfinite, [point.x or 0.0, point.y or 0.0, *ends]))
        draw(chart)


def test_models_of_different_data_are_not_compared(tmp_path: Path) -> None:
    for model, digest in (("sasrec+", "a"), ("bert4rec", "b")):
        data = {"sha256": 64 * digest, "statistics": {"items": 9, "mean_length": 5.0}}
        make_record(tmp_path, "demo", model, data=data)
    for chart in (differences_chart, popularity_chart, history_length_chart):
        (panel,) = chart(read(tmp_path)).panels
        assert panel.empty and panel.note == NO_PAIR


@pytest.mark.parametrize(
    "chart", [convergence_chart, convergence_by_time_chart, quality_by_time_chart, popularity_chart]
)
def test_of_very_many_models_the_best_are_shown_and_the_others_counted(
    tmp_path: Path, chart: Callable[[Evidence], Chart]
) -> None:
    make_record(tmp_path, "demo", "bert4rec", ndcg=0.01)
    for number in range(MOST_OTHERS + 5):
        make_record(tmp_path, "demo", f"own-{number}", ndcg=0.1 + number / 1000)
    (panel,) = chart(read(tmp_path)).panels
    shown = {one.label for one in panel.series}
    assert shown == {"BERT4Rec", *(f"own-{number}" for number in range(5, MOST_OTHERS + 5))}
    assert panel.note == "without 5 lesser models"

"""Figures: the paper's two, drawn from what the records hold."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from reading_tables import CONFIG
from record_factory import make_history, make_record

from seqrec.layout import ConfigFiles
from seqrec.records.survey import survey
from seqrec.report.figures import (
    convergence_figure,
    learning_figure,
    negatives_figure,
    quality_figure,
    write_figures,
)
from seqrec.report.figures.panels import NO_RUN_SHOWN_HERE
from seqrec.report.looks import MODELS, display
from seqrec.report.paper import read_published

CURVE = read_published(CONFIG.published("num_negatives"), "dataset", "negatives")


def entitle(dataset: str, title: str) -> None:
    """Give a dataset a title in the configuration of the current folder."""
    path = ConfigFiles().dataset(dataset)
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {"title": title, "max_length": 9, "sources": [{"file": "shop.csv"}]}
    path.write_text(json.dumps(entry))


def panels(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title(): axes for axes in figure.axes}


def lines(axes: Axes) -> dict[str, list[Line2D]]:
    """The lines of a panel by label, without the unlabelled caps of error bars."""
    found: dict[str, list[Line2D]] = {}
    for line in axes.lines:
        if not str(line.get_label()).startswith("_"):
            found.setdefault(str(line.get_label()), []).append(line)
    return found


def points(line: Line2D) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in zip(*line.get_data(), strict=True)]


def negatives(results: Path) -> dict[str, Axes]:
    return panels(negatives_figure(survey(results), CURVE))


def test_the_negatives_panel_draws_each_record_at_its_n_on_a_log_axis(tmp_path: Path) -> None:
    for n, ndcg in ((100, 0.17), (10, 0.14), (3000, 0.186)):
        make_record(tmp_path, "ml-1m", f"sasrec+{n}", ndcg=ndcg)
    axes = negatives(tmp_path)["MovieLens-1M"]
    (line,) = lines(axes)["SASRec+ N"]
    assert points(line) == [(10, 0.14), (100, 0.17), (3000, 0.186)]
    assert line.get_marker() == "o"
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "negatives per sequence, N"
    assert axes.get_ylabel() == "test NDCG@10"


def test_ticks_are_the_numbers_that_exist(tmp_path: Path) -> None:
    for n in (10, 30):
        make_record(tmp_path, "demo", f"sasrec+{n}")
    (axes,) = negatives(tmp_path).values()
    assert list(axes.get_xticks()) == [10, 30]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["10", "30"]
    assert list(axes.get_xticks(minor=True)) == []


def test_models_without_n_are_dashed_lines_across_in_their_own_colours(tmp_path: Path) -> None:
    for model, ndcg in (("sasrec+", 0.18), ("sasrec", 0.13), ("bert4rec", 0.15), ("gru4rec", 0.1)):
        make_record(tmp_path, "demo", model, ndcg=ndcg)
    (axes,) = negatives(tmp_path).values()
    drawn = lines(axes)
    assert set(drawn) == {"SASRec+", "SASRec", "BERT4Rec"}
    for label, model, ndcg in (
        ("SASRec+", "sasrec+", 0.18),
        ("SASRec", "sasrec", 0.13),
        ("BERT4Rec", "bert4rec", 0.15),
    ):
        (line,) = drawn[label]
        assert points(line) == [(0, ndcg), (1, ndcg)]
        assert to_hex(line.get_color()).upper() == display(model).colour
        assert line.is_dashed()


def test_seeds_are_drawn_as_their_mean_with_error_bars(tmp_path: Path) -> None:
    for seed, ndcg in enumerate((0.1, 0.2)):
        make_record(tmp_path, "demo", "sasrec+10", seed, ndcg=ndcg)
    (axes,) = negatives(tmp_path).values()
    (line,) = lines(axes)["SASRec+ N"]
    assert points(line) == [(10, pytest.approx(0.15))]
    (bars,) = axes.collections
    low, high = (float(y) for _, y in bars.get_segments()[0])  # type: ignore[attr-defined]
    assert (low, high) == pytest.approx((0.15 - 0.0707107, 0.15 + 0.0707107), abs=1e-6)


def test_published_points_are_hollow_and_only_where_the_paper_has_them(tmp_path: Path) -> None:
    make_record(tmp_path, "beauty", "sasrec+10")
    make_record(tmp_path, "demo", "sasrec+10")
    drawn = negatives(tmp_path)
    (line,) = lines(drawn["Amazon Beauty"])["SASRec+ N, published"]
    assert points(line) == [
        *((10, 0.0178), (30, 0.0211), (100, 0.0241), (300, 0.0270), (1000, 0.0297), (3000, 0.0297)),
    ]
    assert line.get_markerfacecolor() == "none"
    assert line.get_linestyle() == "None"
    assert "SASRec+ N, published" not in lines(drawn["Demo (simulated)"])


def test_a_dataset_without_finished_runs_has_no_panel_unless_all_are_empty(tmp_path: Path) -> None:
    grid = {"runs": [{"dataset": "yelp", "model": "sasrec+", "seed": 0}]}
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    found = survey(tmp_path)
    for figure in (negatives_figure(found, CURVE), convergence_figure(found, "epoch")):
        axes = panels(figure)["Yelp"]
        assert list(axes.lines) == []
        assert [text.get_text() for text in axes.texts] == ["no finished run"]
    make_record(tmp_path, "ml-1m")
    found = survey(tmp_path)
    for figure in (negatives_figure(found, CURVE), convergence_figure(found, "epoch")):
        assert list(panels(figure)) == ["MovieLens-1M"]
        assert not panels(figure)["MovieLens-1M"].texts


def test_convergence_draws_the_validation_curve_by_epoch_and_by_seconds(tmp_path: Path) -> None:
    history = make_history(4, speed=2.5)
    for model in ("sasrec+10", "sasrec+100", "sasrec+", "bert4rec", "gru4rec", "sasrec"):
        make_record(tmp_path, "demo", model, history=history, epochs=4, best_epoch=3)
    found = survey(tmp_path)
    for against, label in (("epoch", "epoch"), ("seconds", "training time, s")):
        (axes,) = panels(convergence_figure(found, against)).values()
        assert set(lines(axes)) == {"SASRec+ 100", "SASRec+", "BERT4Rec", "GRU4Rec"}
        for drawn in lines(axes).values():
            (line,) = drawn
            assert points(line) == [(row[against], row["ndcg@10"]) for row in history]
            assert line.get_markevery() == [2], "the best epoch is marked"
        assert axes.get_xlabel() == label
        assert axes.get_ylabel() == "validation NDCG@10"


def test_own_models_are_drawn_and_look_unlike_all_others(tmp_path: Path) -> None:
    for model in ("sasrec+", "bert4rec", "gru4rec", "gpt4rec", "sasrec+10", "mine", "yours"):
        make_record(tmp_path, "demo", model)
    found = survey(tmp_path)
    (curves,) = panels(convergence_figure(found, "epoch")).values()
    drawn = lines(curves)
    assert list(drawn)[-2:] == ["mine", "yours"]
    colours = {label: to_hex(group[0].get_color()) for label, group in drawn.items()}
    assert len(set(colours.values())) == len(colours) == 7
    (points_drawn,) = panels(quality_figure(found)).values()
    for label in ("mine", "yours", "SASRec+"):
        assert to_hex(lines(points_drawn)[label][0].get_color()) == colours[label]


def test_quality_is_drawn_against_the_time_of_each_training(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+", 0, ndcg=0.2, training_seconds=50.0)
    make_record(tmp_path, "demo", "sasrec+", 1, ndcg=0.21, training_seconds=70.0)
    fitted = {"epochs": None, "best_epoch": None}
    make_record(tmp_path, "demo", "popularity", ndcg=0.1, training_seconds=0.1, **fitted)
    make_record(tmp_path, "demo", "bpr-mf", ndcg=0.15, training_seconds=9.0, **fitted)
    (axes,) = panels(quality_figure(survey(tmp_path))).values()
    drawn = lines(axes)
    assert [points(line) for line in drawn["SASRec+"]] == [[(50.0, 0.2)], [(70.0, 0.21)]]
    assert points(drawn["BPR-MF"][0]) == [(9.0, 0.15)]
    assert points(drawn["Popularity"][0]) == [(0, 0.1), (1, 0.1)], "across: it took no time"
    assert axes.get_xscale() == "log"


def test_labels_of_training_times_stay_apart_with_five_datasets(tmp_path: Path) -> None:
    for dataset in ("ml-1m", "ml-20m", "steam", "beauty", "yelp"):
        for seed, seconds in enumerate((130.0, 400.0, 1900.0, 9000.0)):
            make_record(tmp_path, dataset, "sasrec+", seed, training_seconds=seconds)
    figure = quality_figure(survey(tmp_path))
    figure.draw_without_rendering()
    for axes in figure.axes:
        low, high = axes.get_xlim()
        shown = [
            text.get_window_extent()
            for text, place in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)
            if low <= place <= high
        ]
        assert len(shown) >= 2
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(shown))


def test_quality_has_a_panel_for_a_dataset_of_fitted_models_alone(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+")
    make_record(tmp_path, "steam", "bpr-mf", epochs=None, best_epoch=None)
    assert set(panels(quality_figure(survey(tmp_path)))) == {"MovieLens-1M", "Steam"}
    assert set(panels(convergence_figure(survey(tmp_path), "epoch"))) == {"MovieLens-1M"}


def test_a_panel_without_its_models_does_not_say_that_nothing_has_finished(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "mine")
    (axes,) = negatives(tmp_path).values()
    assert [text.get_text() for text in axes.texts] == [NO_RUN_SHOWN_HERE]


def test_one_epoch_is_an_epoch_on_the_axis(tmp_path: Path) -> None:
    make_record(tmp_path, epochs=1, best_epoch=1)
    (axes,) = convergence_figure(survey(tmp_path), "epoch").axes
    assert all(float(place).is_integer() for place in axes.get_xticks())


@pytest.mark.parametrize("column", ["training_loss", "ndcg@10"])
def test_learning_curves_are_those_of_every_run(tmp_path: Path, column: str) -> None:
    history = make_history(4)
    for model in ("sasrec", "sasrec+10", "sasrec+100", "mine"):
        make_record(tmp_path, "demo", model, history=history, epochs=4, best_epoch=3)
    (axes,) = panels(learning_figure(survey(tmp_path), column)).values()
    assert set(lines(axes)) == {"SASRec", "SASRec+ 10", "SASRec+ 100", "mine"}
    for (line,) in lines(axes).values():
        assert points(line) == [(row["epoch"], row[column]) for row in history]
    few, many = (to_rgba(lines(axes)[f"SASRec+ {n}"][0].get_color())[3] for n in (10, 100))
    assert few < many, "more negatives are drawn stronger"


def test_convergence_draws_a_line_a_seed_under_one_legend_entry(tmp_path: Path) -> None:
    for seed in (0, 1):
        make_record(tmp_path, "demo", "sasrec+", seed)
    figure = convergence_figure(survey(tmp_path), "epoch")
    (axes,) = panels(figure).values()
    assert len(lines(axes)["SASRec+"]) == 2
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["SASRec+"]


def test_a_model_looks_the_same_in_every_figure(tmp_path: Path) -> None:
    for model in ("sasrec+", "bert4rec", "sasrec+10"):
        make_record(tmp_path, "demo", model)
    found = survey(tmp_path)
    (flat,) = panels(negatives_figure(found, CURVE)).values()
    (curves,) = panels(convergence_figure(found, "epoch")).values()
    for one, other in (
        ("SASRec+", "SASRec+"),
        ("BERT4Rec", "BERT4Rec"),
        ("SASRec+ N", "SASRec+ 10"),
    ):
        assert to_rgba(lines(flat)[one][0].get_color()) == to_rgba(
            lines(curves)[other][0].get_color()
        )


def test_lines_differ_by_more_than_colour(tmp_path: Path) -> None:
    for model in ("sasrec+", "sasrec", "bert4rec", "gru4rec", "sasrec+10"):
        make_record(tmp_path, "demo", model)
    found = survey(tmp_path)
    for figure in (negatives_figure(found, CURVE), convergence_figure(found, "epoch")):
        (axes,) = panels(figure).values()
        drawn = [group[0] for group in lines(axes).values()]
        different = {
            (str(line._dash_pattern), line.get_marker())  # type: ignore[attr-defined]
            for line in drawn
        }
        assert len(different) == len(drawn) > 3


def test_a_model_looks_the_same_on_every_page_whichever_others_a_dataset_has(
    tmp_path: Path,
) -> None:
    for dataset, models in (("ml-1m", ("mine", "yours", "sasrec+10")), ("demo", ("yours",))):
        for model in models:
            make_record(tmp_path, dataset, model)
    found = survey(tmp_path)
    colours = {
        to_hex(lines(axes)["yours"][0].get_color())
        for only in (None, "ml-1m", "demo")
        for axes in learning_figure(found, "ndcg@10", only).axes
    }
    assert len(colours) == 1


def test_convergence_shows_each_dataset_its_own_most_negatives(tmp_path: Path) -> None:
    for dataset, negatives in (("ml-1m", (10, 3000)), ("demo", (10, 100))):
        for n in negatives:
            make_record(tmp_path, dataset, f"sasrec+{n}")
    drawn = panels(convergence_figure(survey(tmp_path), "epoch"))
    assert set(lines(drawn["MovieLens-1M"])) == {"SASRec+ 3000"}
    assert set(lines(drawn["Demo (simulated)"])) == {"SASRec+ 100"}


NUMBERED = [f"sasrec+{n}" for n in (10, 30, 100, 300, 1000, 3000)]
PAPER = [*MODELS.keys() - {"sasrec+N"}, *NUMBERED]
OWN = [f"model-{n}-of-somebodys-own" for n in range(20)]


@pytest.mark.parametrize("datasets", [1, 2, 5])
def test_many_models_and_long_titles_leave_the_plots_two_thirds_of_the_page(
    tmp_path: Path, datasets: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = "The reviews of an online shop, from September to October, without those of bots"
    monkeypatch.chdir(tmp_path)
    for number in range(datasets):
        entitle(f"shop-{number}", f"{title} {number}")
        for model in [*PAPER, *OWN]:
            make_record(tmp_path, f"shop-{number}", model)
    found = survey(tmp_path)
    for figure in (
        convergence_figure(found, "epoch"),
        quality_figure(found),
        learning_figure(found, "ndcg@10", "shop-0"),
    ):
        figure.draw_without_rendering()
        width, height = figure.get_size_inches() * figure.dpi
        boxes = [axes.get_tightbbox() for axes in figure.axes]
        assert max(box.y1 for box in boxes) - min(box.y0 for box in boxes) >= 2 / 3 * height
        titles = [axes.title.get_window_extent() for axes in figure.axes]
        assert not any(one.overlaps(other) for one, other in itertools.combinations(titles, 2))
        (legend,) = figure.legends
        for box in (*titles, *boxes, legend.get_window_extent()):
            assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
        assert not any(legend.get_window_extent().overlaps(box) for box in boxes)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_nothing_is_smaller_than_seven_points_or_outside_the_page(
    tmp_path: Path, count: int
) -> None:
    names = ["ml-1m", "ml-20m", "steam", "beauty", "yelp", "demo", "mine"][:count]
    for dataset in names:
        for model in [*MODELS, *NUMBERED]:
            make_record(tmp_path, dataset, model)
    found = survey(tmp_path)
    for figure in (
        negatives_figure(found, CURVE),
        convergence_figure(found, "seconds"),
        quality_figure(found),
    ):
        figure.draw_without_rendering()
        width, height = figure.get_size_inches() * figure.dpi
        texts = [text for axes in figure.axes for text in axes.get_xticklabels()]
        assert min(text.get_fontsize() for text in texts) >= 7
        assert figure.get_figwidth() <= 7.0 + 1e-9
        boxes = [figure.legends[0].get_window_extent()]
        boxes += [axes.get_tightbbox() for axes in figure.axes]
        assert figure._suptitle is not None  # type: ignore[attr-defined]
        boxes.append(figure._suptitle.get_window_extent())  # type: ignore[attr-defined]
        for box in boxes:
            assert box.x0 >= -1 and box.y0 >= -1
            assert box.x1 <= width + 1 and box.y1 <= height + 1
        for axes in figure.axes:
            assert not figure.legends[0].get_window_extent().overlaps(axes.get_tightbbox())


def test_a_title_with_dollars_is_drawn_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = r"Prices $5^ to $\foo"
    monkeypatch.chdir(tmp_path)
    entitle("shop", title)
    make_record(tmp_path, "shop", "sasrec+")
    (axes,) = convergence_figure(survey(tmp_path), "epoch").axes
    write_figures(tmp_path, CONFIG)
    assert axes.get_title() == title


def test_an_experiment_without_any_run_still_has_its_figures(tmp_path: Path) -> None:
    (tmp_path / "grid.json").write_text('{"runs": []}')
    written = write_figures(tmp_path, CONFIG)
    assert len(written) == 4 * 3 + 3
    assert all(path.stat().st_size > 0 for path in written)


def test_figures_are_the_same_bytes_in_every_process_and_carry_no_date(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/matplotlibrc").write_text("xtick.direction: in\naxes.facecolor: red\n")
    made = []
    for place, hash_seed, own in (("a", "1", {}), ("b", "2", {"MATPLOTLIBRC": f"{tmp_path}/own"})):
        results = tmp_path / place
        models = ["sasrec+", "sasrec+10", "sasrec+30", "gru4rec", "bert4rec", "sasrec"]
        for model in models if place == "a" else reversed(models):
            make_record(results, "ml-1m", model)
            make_record(results, "demo", model, 1)
        code = (
            "import sys, pathlib, seqrec.layout as layout, seqrec.report.figures as made; "
            "results, config = map(pathlib.Path, sys.argv[1:]); "
            "made.write_figures(results, layout.ConfigFiles(config))"
        )
        subprocess.run(
            [sys.executable, "-c", code, str(results), str(CONFIG.folder)],
            check=True,
            env=os.environ | {"PYTHONHASHSEED": hash_seed} | own,
        )
        drawn = results / "figures"
        made.append({str(p.relative_to(drawn)): p.read_bytes() for p in drawn.rglob("*.*")})
    names = ["num_negatives", "convergence", "convergence_seconds", "quality_by_time"]
    assert set(made[0]) == {
        *(f"{name}.{form}" for name in names for form in ("png", "pdf", "svg")),
        *(f"{name}.html" for name in names if name != "convergence_seconds"),
        *(f"learning/{dataset}.html" for dataset in ("ml-1m", "demo")),
    }
    for name, content in made[0].items():
        assert content == made[1][name], name
        assert b"CreationDate" not in content
        assert b"dc:date" not in content

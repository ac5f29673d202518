"""Figures in print: readable at their size, and the same bytes wherever they are drawn."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import BboxBase
from PIL import Image
from reading_tables import CONFIG, write_in_new_process
from record_factory import make_record

from seqrec.layout import ConfigFiles
from seqrec.report import contents
from seqrec.report.evidence import Evidence, read_evidence
from seqrec.report.figures import draw, make_charts, write_figures
from seqrec.report.figures.chart import Axis, Chart, Panel, Point, Series, Shape, Tick
from seqrec.report.inference import Interval
from seqrec.report.looks import MODELS, Look

NUMBERED = [f"sasrec+{n}" for n in (10, 30, 100, 300, 1000, 3000)]
PAPER = [*MODELS.keys() - {"sasrec+N"}, *NUMBERED]
OWN = [f"model-{n}-of-somebodys-own" for n in range(12)]
DATASETS = ["ml-1m", "ml-20m", "steam", "beauty", "yelp", "demo", "mine"]


def entitle(dataset: str, title: str) -> None:
    """Give a dataset a title in the configuration of the current folder."""
    path = ConfigFiles().dataset(dataset)
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {"title": title, "max_length": 9, "sources": [{"file": "shop.csv"}]}
    path.write_text(json.dumps(entry))


def printed(evidence: Evidence) -> Iterator[tuple[str, Figure]]:
    """Draw all figures that are printed."""
    for item, chart in make_charts(evidence):
        if "png" in item.entry.forms:
            figure = draw(chart)
            figure.draw_without_rendering()
            yield item.name, figure


def texts(axes: Axes) -> list[BboxBase]:
    """Where the texts lie that are seen in and around a panel."""
    low, high = sorted(axes.get_xlim())
    ticks = [
        label
        for label, place in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)
        if low <= place <= high and label.get_text()
    ]
    return [text.get_window_extent() for text in (*ticks, axes.title, axes.xaxis.label)]


def places(figure: Figure) -> list[BboxBase]:
    """Where the panels lie, with all around them."""
    return [box for axes in figure.axes if (box := axes.get_tightbbox())]


def assert_readable(name: str, figure: Figure) -> None:
    """Check the size of text, and that nothing is cut off or covers anything else."""
    width, height = figure.get_size_inches() * figure.dpi
    assert figure.get_figwidth() <= 7.0 + 1e-9, name
    found = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    assert min(float(text.get_fontsize()) for text in found) >= 7, name
    boxes, legends = places(figure), [one.get_window_extent() for one in figure.legends]
    for box in (*boxes, *legends, figure._suptitle.get_window_extent()):  # type: ignore[attr-defined]
        assert box.x0 >= -1 and box.y0 >= -1, name
        assert box.x1 <= width + 1 and box.y1 <= height + 1, name
    assert not any(legend.overlaps(box) for legend in legends for box in boxes), name
    for one, other in itertools.combinations(boxes, 2):
        across = min(one.x1, other.x1) - max(one.x0, other.x0)
        up = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert across < 2 or up < 2, name
    for axes in figure.axes:
        for one, other in itertools.combinations(texts(axes), 2):
            assert not one.overlaps(other), name


@pytest.mark.parametrize("count", [1, 2, 7])
def test_all_figures_are_readable_whatever_the_number_of_datasets(
    tmp_path: Path, count: int
) -> None:
    for dataset in DATASETS[:count]:
        for model in [*MODELS.keys() - {"sasrec+N"}, *NUMBERED]:
            make_record(tmp_path, dataset, model)
        for seed in (1, 2):
            make_record(tmp_path, dataset, "sasrec+", seed)
    for name, figure in printed(read_evidence(tmp_path, CONFIG)):
        assert_readable(name, figure)


@pytest.mark.parametrize("datasets", [1, 3])
def test_many_models_and_long_titles_leave_the_plots_most_of_the_page(
    tmp_path: Path, datasets: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = "The reviews of an online shop, from September to October, without those of bots"
    monkeypatch.chdir(tmp_path)
    for number in range(datasets):
        entitle(f"shop-{number}", f"{title} {number}")
        for model in [*PAPER, *OWN]:
            make_record(tmp_path, f"shop-{number}", model)
    for name, figure in printed(read_evidence(tmp_path, CONFIG)):
        height = figure.bbox.height
        boxes = places(figure)
        share = (max(box.y1 for box in boxes) - min(box.y0 for box in boxes)) / height
        assert share >= 0.6, name
        assert_readable(name, figure)


def test_one_panel_writes_its_values_with_as_many_decimals_as_the_others() -> None:
    def panel(high: float) -> Panel:
        points = [Point(1, 0.0), Point(2, high)]
        one = Series("", Look(), Shape.LINE, points)
        return Panel("", Axis("x"), Axis("y", low=0.0, high=high), [one])

    figure = draw(Chart("", [panel(0.2), panel(0.05), panel(1.0)], ""))
    figure.draw_without_rendering()
    labels = [text.get_text() for axes in figure.axes for text in axes.get_yticklabels()]
    assert {len(label.partition(".")[2]) for label in labels if label} == {2}


def test_a_logarithmic_axis_keeps_the_labels_that_fit() -> None:
    numbers = (10, 30, 100, 300, 1000, 3000)
    ticks = [Tick(number, f"{number:,}") for number in numbers]
    one = Series("", Look(), Shape.CURVE, [Point(number, 1) for number in numbers])
    panel = Panel("", Axis("N", log=True, ticks=ticks), Axis("y"), [one])
    for columns, expected in (
        (2, [f"{number:,}" for number in numbers]),
        (5, ["10", "100", "1,000"]),
    ):
        axes = draw(Chart("", [panel] * columns, "", columns=columns)).axes[0]
        labels = [text.get_text() for text in axes.get_xticklabels()]
        assert labels == expected
        assert len(axes.get_xticks()) + len(axes.get_xticks(minor=True)) == len(ticks)


def test_what_is_published_is_thin_and_hollow() -> None:
    look = Look("#123456", (5.0, 2.0))
    points = [Point(1, 1), Point(2, 2)]
    both = [Series("a", look, Shape.CURVE, points, published) for published in (False, True)]
    (axes,) = draw(Chart("", [Panel("", Axis("x"), Axis("y"), both)], "")).axes
    ours, theirs = axes.lines
    assert theirs.get_linewidth() < ours.get_linewidth()
    assert theirs.get_markerfacecolor() == "none" != ours.get_markerfacecolor()
    assert ours.is_dashed() and theirs.is_dashed()


def test_intervals_are_drawn_from_end_to_end() -> None:
    point = Point(2.0, 5.0, Interval(1.0, 4.0), Interval(4.5, 6.5))
    series = [Series("", Look(), Shape.POINTS, [point])]
    (axes,) = draw(Chart("", [Panel("", Axis("x"), Axis("y"), series)], "")).axes
    across, up = (bars.get_segments()[0].tolist() for bars in axes.collections)  # type: ignore[attr-defined]
    assert across == [[1.0, 5.0], [4.0, 5.0]]
    assert up == [[2.0, 4.5], [2.0, 6.5]]


def test_a_title_with_dollars_is_drawn_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = r"Prices $5^ to $\foo"
    monkeypatch.chdir(tmp_path)
    entitle("shop", title)
    make_record(tmp_path, "shop", "sasrec+")
    for _, figure in printed(read_evidence(tmp_path, CONFIG)):
        assert {axes.get_title() for axes in figure.axes} == {title}


def test_an_experiment_without_any_run_still_has_its_figures(tmp_path: Path) -> None:
    (tmp_path / "grid.json").write_text('{"runs": []}')
    written = write_figures(tmp_path, CONFIG)
    paths = [path for item in contents.items(contents.FIGURES, []) for path in item.files]
    assert [path.relative_to(tmp_path / "figures").as_posix() for path in written] == paths
    assert all(path.stat().st_size > 0 for path in written)


def test_the_files_say_what_they_show(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+10", ndcg=0.14)
    write_figures(tmp_path, CONFIG)
    said = "SASRec+ N has 0.1400 at N = 10"
    folder = tmp_path / "figures"
    with Image.open(folder / "num_negatives.png") as image:
        assert said in image.info["Description"]
        assert image.info["Title"] == "Test NDCG@10 by number of negatives"
    assert said in (folder / "num_negatives.svg").read_text()
    assert b"/Subject" in (folder / "num_negatives.pdf").read_bytes()


def test_figures_are_the_same_bytes_in_every_process_and_carry_no_date(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/matplotlibrc").write_text("xtick.direction: in\naxes.facecolor: red\n")
    made = []
    for place, hash_seed, own in (("a", "1", {}), ("b", "2", {"MATPLOTLIBRC": f"{tmp_path}/own"})):
        results = tmp_path / place
        models = ["sasrec+", "sasrec+10", "sasrec+30", "gru4rec", "bert4rec", "sasrec"]
        for model in models if place == "a" else reversed(models):
            make_record(results, "ml-1m", model)
        environment = {"PYTHONHASHSEED": hash_seed} | own
        write_in_new_process(results, "figures", environment)
        drawn = results / "figures"
        made.append({str(p.relative_to(drawn)): p.read_bytes() for p in drawn.rglob("*.*")})
    listed = contents.items(contents.FIGURES, ["ml-1m"])
    assert set(made[0]) == {path for item in listed for path in item.files}
    for name, content in made[0].items():
        assert content == made[1][name], name
        assert b"CreationDate" not in content
        assert b"dc:date" not in content


def test_a_title_beside_long_names_stays_on_the_page() -> None:
    names = [Tick(row, f"temporal-last-item-{row}") for row in range(3)]
    axis = Axis("", ticks=names, low=-0.7, high=2.7)
    series = [Series("one", Look(), Shape.POINTS, [Point(1.0, row) for row in range(3)])]
    title = "Beauty 5-core: SASRec+ 3000 minus BERT4Rec"
    panels = [Panel(title, Axis("difference, %"), axis, series) for _ in range(2)]
    figure = draw(Chart("Two", panels, "", columns=2))
    figure.draw_without_rendering()
    assert_readable("two", figure)


def test_a_long_note_stays_above_its_panel_and_titles_at_one_height() -> None:
    series = [Series("one", Look(), Shape.POINTS, [Point(1.0, 1.0)])]
    note = "not drawn: " + ", ".join(f"Model {n} (gBCE) 0.0{n}" for n in range(180, 187))
    panels = [
        Panel(name, Axis("x"), Axis("y"), series, note=n) for name, n in (("A", note), ("B", ""))
    ]
    figure = draw(Chart("Two", panels, "", columns=2))
    figure.draw_without_rendering()
    assert_readable("two", figure)
    first, second = (axes.get_title() for axes in figure.axes)
    assert " ".join(first.split("\n")[1:]) == note, "no name is lost"
    assert first.count("\n") == second.count("\n")

"""Pages of charts: complete in themselves, in the reader's colours, and true under the pointer."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from reading_tables import CONFIG
from record_factory import make_history, make_record

from seqrec.report.figures import write_figures
from seqrec.report.figures.style import FAINT
from seqrec.report.looks import INK

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("results")
    for model in ("sasrec+", "sasrec+10", "sasrec+100", "bert4rec", "my & own"):
        for seed in (0, 1):
            history = make_history(7, speed=2.5 + seed)
            make_record(results, "demo", model, seed, history=history, epochs=7, best_epoch=5)
    make_record(results, "demo", "popularity", epochs=None, best_epoch=None)
    write_figures(results, CONFIG)
    return results


def page(results: Path, name: str) -> str:
    return (results / f"figures/{name}.html").read_text(encoding="utf-8")


def figures(text: str) -> list[tuple[ElementTree.Element, list[dict]]]:
    found = re.findall(
        r'<figure>(<svg.*?</svg>)\s*<script type="application/json">(.*?)</script>', text, re.DOTALL
    )
    return [(ElementTree.fromstring(svg), json.loads(lines)) for svg, lines in found]


NAMES = ["num_negatives", "convergence", "quality_by_time", "learning/demo"]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_needs_nothing_from_elsewhere(results: Path, name: str) -> None:
    text = page(results, name)
    assert not re.search(r'(src|href)="(?!#)', text)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


@pytest.mark.parametrize("name", NAMES)
def test_text_and_grid_take_the_readers_colours(results: Path, name: str) -> None:
    text = page(results, name)
    for fixed in (INK, FAINT, "#000000", "#ffffff"):
        assert fixed not in text
    assert "currentColor" in text
    assert "color-scheme: light dark" in text


def test_points_that_answer_lie_where_the_markers_are_drawn(results: Path) -> None:
    for svg, lines in figures(page(results, "convergence_seconds")):
        groups = {group.get("id"): group for group in svg.iter(f"{SVG}g")}
        best = [line for line in lines if len(line["points"]) == 1]
        assert len(best) == 8
        for line in best:
            (marker,) = groups[line["run"]].iter(f"{SVG}use")
            (x, y, *_) = line["points"][0]
            assert x == pytest.approx(float(marker.attrib["x"]), abs=0.06)
            assert y == pytest.approx(float(marker.attrib["y"]), abs=0.06)


def test_points_say_their_run_and_values(results: Path) -> None:
    ((_, lines),) = figures(page(results, "convergence_seconds"))
    assert {line["run"] for line in lines} == {
        f"{model}/seed-{seed}"
        for model in ("sasrec+", "sasrec+100", "bert4rec", "my & own")
        for seed in (0, 1)
    }
    line = next(line for line in lines if line["run"] == "sasrec+/seed-1")
    assert line["label"] == "SASRec+"
    assert (line["x"], line["y"]) == ("training time, s", "validation NDCG@10")
    history = make_history(7, speed=3.5)
    assert [point[2:] for point in line["points"]] == [
        [row["seconds"], round(row["ndcg@10"], 4)] for row in history
    ]


def test_a_line_across_answers_along_its_whole_length(results: Path) -> None:
    ((_, lines),) = figures(page(results, "num_negatives"))
    (flat,) = [line for line in lines if line["label"] == "SASRec+"]
    assert len(flat["points"]) > 20
    assert {tuple(point[2:]) for point in flat["points"]} == {(None, 0.18)}


def test_learning_curves_show_every_run_that_was_trained(results: Path) -> None:
    loss, quality = figures(page(results, "learning/demo"))
    for _, lines in (loss, quality):
        assert len({line["run"] for line in lines}) == 10
    assert loss[1][0]["y"] == "training loss"


def test_pages_are_small(results: Path) -> None:
    # A browser shows no page of more than two million characters inside another.
    assert all(len(page(results, name)) < 100_000 for name in NAMES)

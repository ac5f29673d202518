"""Charts of the page: Vega-Lite can draw every one, and shows what the chart holds."""

import json
import math
import re
from html import unescape

import pytest
import vl_convert
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec.report.figures.chart import (
    Axis,
    Chart,
    LegendKey,
    Panel,
    Point,
    Series,
    Shape,
    Tick,
    Tile,
)
from seqrec.report.inference import Interval
from seqrec.report.looks import INK, Look
from seqrec.report.page.charts import chart_html
from seqrec.report.page.specs import panel_spec

LINEAR, LOG = Axis("epoch"), Axis("N", log=True, ticks=[Tick(10, "10"), Tick(3000, "3,000")])

CURVE = Series(
    "SASRec+ N",
    Look(INK, (), "circle"),
    Shape.CURVE,
    [Point(10, 0.12, None, Interval(0.11, 0.13)), Point(3000, 0.19, name="N = 3000")],
)
PAPERS = Series("SASRec+ N", CURVE.look, Shape.CURVE, [Point(10, 0.125), Point(30, 0.13)], True)
LEVEL = Series("BERT4Rec", Look("#B8860B", (5, 2), "square"), Shape.LEVEL, [Point(None, 0.15)])
FOOT = Series("BERT4Rec", LEVEL.look, Shape.FOOT, [Point(70, None, name="published best epoch")])


def drawn(panel: Panel, hidden: tuple[int, ...] = ()) -> str:
    """The panel as Vega-Lite draws it, with some series switched off."""
    spec = panel_spec(panel)
    spec["params"] = [{"name": "hidden", "value": list(hidden)}]
    return vl_convert.vegalite_to_svg(json.dumps({**spec, "width": 300}, allow_nan=False))


def markers(svg: str) -> list[str]:
    """The elements of all visible markers."""
    groups = re.findall(r'<g[^>]*class="mark-symbol role-mark[^"]*"[^>]*>(.*?)</g>', svg, re.DOTALL)
    return [
        one
        for group in groups
        for one in re.findall(r"<path[^>]*>", group)
        if 'opacity="0"' not in one
    ]


def rows(panel: Panel) -> list[dict]:
    return [row for rows in panel_spec(panel)["datasets"].values() for row in rows]


numbers = st.floats(allow_nan=True, allow_infinity=True, width=32) | st.none()
intervals = st.none() | st.tuples(numbers, numbers).filter(lambda ends: None not in ends).map(
    lambda ends: Interval(*ends)
)
looks = st.builds(
    Look,
    st.sampled_from([INK, "#1F45B8"]),
    st.sampled_from([(), (5.0, 2.0)]),
    st.sampled_from(["circle", "square", "triangle-up"]),
    st.floats(0, 1),
)
series = st.builds(
    Series,
    st.sampled_from(["", "SASRec+", "</script> & \"own\" 'one'"]),
    looks,
    st.sampled_from(Shape),
    st.lists(
        st.builds(Point, numbers, numbers, intervals, intervals, st.text(max_size=5)), max_size=4
    ),
    st.booleans(),
)


@given(x=st.sampled_from([LINEAR, LOG]), shown=st.lists(series, max_size=3))
@settings(max_examples=25)
def test_whatever_a_chart_holds_can_be_drawn(x: Axis, shown: list[Series]) -> None:
    panel = Panel("Demo", x, Axis("NDCG@10"), shown)
    if not panel.empty:
        assert drawn(panel).startswith("<svg")
    text = chart_html(Chart("Quality", [panel], "It rises."), "c")
    assert text.count("</script>") == text.count("<script")


def test_every_point_is_drawn_with_its_name_and_interval() -> None:
    panel = Panel("Demo", LOG, Axis("NDCG@10"), [CURVE, PAPERS, LEVEL])
    assert len(markers(drawn(panel))) == 4
    first, second, *_ = rows(panel)
    assert first == {"line": 0, "x": 10, "y": 0.12, "y0": 0.11, "y1": 0.13}
    assert second == {"line": 0, "x": 3000, "y": 0.19, "name": "N = 3000"}


def test_a_series_that_is_switched_off_is_not_drawn() -> None:
    panel = Panel("Demo", LOG, Axis("NDCG@10"), [CURVE, PAPERS, LEVEL, FOOT])
    assert len(markers(drawn(panel, (2, 3)))) == 4
    assert "#B8860B" not in drawn(panel, (2, 3))
    assert len(markers(drawn(panel, (0, 1)))) == 1


def test_the_papers_markers_are_hollow_and_its_lines_thin() -> None:
    svg = drawn(Panel("Demo", LOG, Axis("NDCG@10"), [CURVE, PAPERS]))
    filled = ['fill="currentColor"' in marker for marker in markers(svg)]
    assert filled == [True, True, False, False]
    assert re.findall(r'stroke-width="([\d.]+)" stroke-dasharray', svg) == ["1.8", "0.9"]


def test_text_and_axes_take_the_pages_colour() -> None:
    svg = drawn(Panel("Demo", LOG, Axis("NDCG@10"), [CURVE]))
    assert set(re.findall(r'<text[^>]*fill="([^"]*)"', svg)) == {"currentColor"}
    assert INK not in svg


def test_an_axis_of_names_says_the_names() -> None:
    names = Axis("", ticks=[Tick(0, "GRU4Rec"), Tick(1, "my & own")], low=-0.5, high=1.5)
    points = Series("NDCG@10", Look("#1F45B8"), Shape.POINTS, [Point(-2.5, 1)])
    panel = Panel("Demo", Axis("difference, %"), names, [points])
    assert "my &amp; own" in drawn(panel)
    assert panel_spec(panel)["usermeta"]["y"]["names"] == {0: "GRU4Rec", 1: "my & own"}


def test_every_name_and_tick_is_said() -> None:
    names = Axis("", ticks=[Tick(n, f"model {n}") for n in range(12)])
    tiles = [Tile(n, 11 - n, "", 0.5, "") for n in range(12)]
    svg = drawn(Panel("Demo", names, names, tiles=tiles))
    assert svg.count(">model 7<") == 2


def test_a_curve_joins_its_points_in_their_order() -> None:
    back = Series(
        "SASRec+ N", Look(), Shape.CURVE, [Point(20, 0.1), Point(10, 0.2), Point(30, 0.3)]
    )
    svg = drawn(Panel("Demo", Axis("cost", low=0, high=40), Axis("NDCG@10"), [back]))
    (path,) = re.findall(r'mark-line[^>]*>.*?<path d="M([^"]*)"', svg, re.DOTALL)
    places = [float(point.split(",")[0]) for point in path.split("L")]
    assert places[1] < places[0] < places[2]


def test_a_matrix_shows_its_texts() -> None:
    ticks = Axis("", ticks=[Tick(0, "A"), Tick(1, "B")], low=-0.5, high=1.5)
    panel = Panel("Demo", ticks, ticks, tiles=[Tile(0, 1, "+0.01", 0.5, "A minus B: +0.01")])
    svg = drawn(panel)
    assert ">+0.01</text>" in svg
    assert 'fill-opacity="0.3"' in svg


def test_a_panel_without_points_is_its_note_and_is_not_drawn() -> None:
    text = chart_html(
        Chart("Quality", [Panel("Yelp", LOG, LINEAR, note="not run")], "Nothing."), "c"
    )
    assert "not run" in text and "<script" not in text


def test_a_chart_has_a_text_for_those_who_do_not_see_it_and_a_button_for_each_label() -> None:
    own = Series('my "own" <model>', Look("#1F45B8"), Shape.LINE, [Point(1, 0.1), Point(2, 0.2)])
    panel = Panel("Demo", LINEAR, Axis("NDCG@10"), [CURVE, PAPERS, own])
    keys = [LegendKey("published", Shape.POINTS, published=True)]
    text = chart_html(Chart("Quality", [panel], "It rises.", keys), "c")
    labels = [unescape(label) for label in re.findall(r'<button[^>]*data-label="([^"]*)"', text)]
    assert labels == ["SASRec+ N", 'my "own" <model>']
    assert text.count('aria-pressed="true"') == 2
    assert re.search(r'role="application"[^>]*aria-label="Quality, Demo;', text)
    assert 'aria-describedby="c-words"' in text and '<p id="c-words">It rises.</p>' in text
    assert "published</span>" in text


@pytest.mark.parametrize("damage", [math.nan, math.inf])
def test_what_is_no_number_is_left_out(damage: float) -> None:
    broken = Series("SASRec+", Look(), Shape.LINE, [Point(1, 0.1), Point(2, damage), Point(3, 0.3)])
    panel = Panel("Demo", LINEAR, Axis("NDCG@10"), [broken])
    assert [row["x"] for row in rows(panel)] == [1, 3]

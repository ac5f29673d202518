"""Panels as Vega-Lite specifications: data and encodings, from which a browser draws.

Vega-Lite draws a panel as wide as its column, with text of one size on every screen, and shows the
values under the pointer. Nothing here has a colour of the page: text and axes are `currentColor`,
which follows light, dark and print. The signal `hidden` lists the series that are switched off, by
their numbers.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from seqrec.report.figures.chart import Axis, Panel, Series, Shape
from seqrec.report.looks import BAND, FAINTEST, INK, TILE, Look
from seqrec.report.page.markers import marker_path
from seqrec.report.page.rows import point_rows, tile_rows

Spec = dict[str, Any]

HEIGHT, HEIGHT_OF_NAME = 230, 22
"""Height of a panel, and of each name along its y axis, in pixels."""

WIDTH_OF_NAMES, WIDTH_OF_TILE = 240, 38
"""Width of the names along a y axis, and of each cell of a matrix, in pixels."""

WIDTH, WIDTH_PUBLISHED = 1.8, 0.9
"""Width of our lines and of the paper's, in pixels."""

MARGIN = 0.04
"""Space beyond the outermost points, as a share of what they span."""

MOST_POINTS = 4000
"""A panel of more points tells which line is under the pointer, not which point."""

PAGE_INK = "currentColor"
"""The page's colour of text, which is another in the dark and in print."""

JOINED = {Shape.CURVE, Shape.LINE}
"""Shapes whose points are joined by a line."""

MARKED = {Shape.CURVE, Shape.POINTS, Shape.FOOT}
"""Shapes whose points have markers."""

VEGA_CONFIG: Spec = {
    "font": "system-ui, sans-serif",
    "background": None,
    "aria": False,  # the panel has a text for those who do not see it
    "view": {"stroke": None},
    "axis": {
        **{f"{part}Color": PAGE_INK for part in ("label", "title", "tick", "domain", "grid")},
        "gridOpacity": 0.13,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
}


def panel_spec(panel: Panel) -> Spec:
    """Describe a panel to Vega-Lite; `usermeta` has what a script tells of its points."""
    shown = [one for one in panel.series if one.points]
    rows, tiles = point_rows(panel, shown), tile_rows(panel)
    answers = sum(map(len, rows.values())) <= MOST_POINTS
    looks = _channels(shown)
    layers = [*_shade(panel), *(_tile_layers() if tiles else [])]
    for shape, made in rows.items():
        layers += _layers(panel, shape, made, looks, answers)
    every = [*tiles, *(row for made in rows.values() for row in made)]
    names = len(panel.y.ticks) if panel.y.names else 0
    slanted = {"labelAngle": -40, "labelAlign": "right"} if panel.x.names else {}
    return {
        "datasets": {str(shape): made for shape, made in rows.items()} | {"tiles": tiles},
        "width": "container",
        "height": max(names * HEIGHT_OF_NAME, 120) if names else HEIGHT,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "params": [{"name": "hidden", "value": []}],
        "encoding": {
            "x": _number("x", scale=_scale(panel.x, every, "x"), axis=_axis(panel.x, **slanted)),
            "y": _number("y", scale=_scale(panel.y, every, "y"), axis=_axis(panel.y)),
        },
        "layer": layers,
        "config": VEGA_CONFIG,
        "usermeta": {
            "labels": [one.label for one in shown],
            "x": _told(panel.x),
            "y": _told(panel.y),
        },
    }


def least_width(panel: Panel) -> int:
    """Return how many pixels a panel needs; on a narrower screen it scrolls."""
    if not panel.y.names:
        return 0
    return WIDTH_OF_NAMES + max(len(panel.x.ticks) * WIDTH_OF_TILE, HEIGHT)


def colour(look: Look) -> str:
    """Return a colour as the page has it: black is the colour of text."""
    return PAGE_INK if look.colour == INK else look.colour


def dashes(look: Look) -> list[float]:
    """Return strokes and gaps in pixels."""
    return [length * WIDTH for length in look.dash] or [1, 0]


def _number(field: str, **more: Any) -> Spec:
    return {"field": field, "type": "quantitative", **more}


def _scale(axis: Axis, rows: Iterable[Spec], name: str) -> Spec:
    """Choose what an axis spans: what it asks for, or else the values with a margin."""
    values = [row[end] for row in rows for end in (name, f"{name}0", f"{name}1") if end in row]
    values = [value for value in values if value > 0 or not axis.log] or [1.0]
    low, high = min(values), max(values)
    if axis.log:
        reach = (high / low) ** MARGIN if high > low else 2.0
        low, high = low / reach, high * reach
    elif not axis.names:
        reach = (high - low or abs(high) or 1) * MARGIN
        low, high = low - reach, high + reach
    domain = [low if axis.low is None else axis.low, high if axis.high is None else axis.high]
    kind = {"type": "log"} if axis.log else {"type": "linear", "zero": False}
    return {**kind, "domain": domain, "nice": False}


def _axis(axis: Axis, **more: Any) -> Spec:
    shown: Spec = {"title": axis.label or None, **more}
    if not axis.ticks:
        return shown | {"tickCount": 5}
    places, labels = zip(*axis.ticks, strict=True)
    said = f"{json.dumps(labels)}[indexof({json.dumps(places)}, datum.value)]"
    shown |= {"values": places, "labelExpr": said, "labelOverlap": not axis.names}
    if axis.names:
        shown |= {"grid": False, "ticks": False, "domain": False, "labelLimit": WIDTH_OF_NAMES}
    return shown


def _told(axis: Axis) -> Spec:
    """Return what a script calls an axis and the places on it."""
    return {"label": axis.label, "names": dict(axis.ticks) if axis.names else {}}


def _channels(shown: Sequence[Series]) -> dict[str, Spec]:
    """Map the series to the looks of their intervals, lines and markers."""

    def each(values: Iterable[Any], kind: str = "ordinal") -> Spec:
        scale = {"type": "ordinal", "domain": [*range(len(shown))], "range": [*values]}
        return {"field": "line", "type": kind, "scale": scale, "legend": None}

    looks = [one.look for one in shown]
    colours = each(map(colour, looks))
    return {
        "interval": {"color": colours, "detail": {"field": "line"}},
        "line": {
            "color": colours,
            "strokeDash": each(map(dashes, looks)),
            "strokeWidth": each(WIDTH_PUBLISHED if one.published else WIDTH for one in shown),
            "opacity": each(FAINTEST + (1 - FAINTEST) * look.strength for look in looks),
        },
        "marker": {
            "stroke": colours,
            "fill": each("transparent" if one.published else colour(one.look) for one in shown),
            "fillOpacity": each(look.strength for look in looks),
            "shape": each((marker_path(look.marker) for look in looks), "nominal"),
        },
    }


def _layers(
    panel: Panel, shape: Shape, rows: Sequence[Spec], looks: Mapping[str, Spec], answers: bool
) -> Iterator[Spec]:
    """Draw the series of one shape: intervals, lines, markers, and what answers the pointer."""
    source = {
        "data": {"name": str(shape)},
        "transform": [{"filter": "indexof(hidden, datum.line) < 0"}],
    }
    place: Spec = {}
    if shape is Shape.LEVEL:
        place = {"x": {"value": 0}, "x2": {"value": "width"}}
    if shape is Shape.FOOT:
        place = {"y": {"value": "height"}}
    told = {"tooltip": _tooltip(panel, rows)}

    for name in "xy":
        if any(f"{name}0" in row for row in rows):
            ends = {name: _number(f"{name}0"), f"{name}2": {"field": f"{name}1"}}
            yield {**source, "mark": INTERVALS[shape], "encoding": place | ends | looks["interval"]}
    if shape in JOINED:
        joined = {"order": {"value": None}, "detail": {"field": "line"}}  # as the rows come
        named = {} if answers else {"tooltip": {"field": "name"}}
        mark = {"type": "line", "clip": True}
        yield {**source, "mark": mark, "encoding": looks["line"] | joined | named}
    if shape is Shape.LEVEL:
        mark = {"type": "rule", "clip": True}
        yield {**source, "mark": mark, "encoding": place | looks["line"]}
        mark = {"type": "rule", "strokeWidth": 12, "opacity": 0}
        yield {**source, "mark": mark, "encoding": place | told}
        return
    if shape in MARKED:
        mark = {"type": "point", "size": 42, "strokeWidth": 1.4, "opacity": 1}
        yield {**source, "mark": mark, "encoding": place | looks["marker"]}
    if any("beside" in row for row in rows):
        mark = {"type": "text", "align": "right", "dx": -7, "dy": -3, "color": PAGE_INK}
        yield {**source, "mark": mark, "encoding": {"text": {"field": "beside"}}}
    if answers:
        pointed = {"type": "point", "on": "pointerover", "clear": "pointerout"}
        at = {"param": f"at_{shape}", "empty": False, "value": 0.3}
        yield {
            **source,
            "params": [{"name": f"at_{shape}", "select": pointed}],
            "mark": {"type": "point", "size": 160, "filled": True, "color": PAGE_INK},
            "encoding": {**place, **told, "opacity": {"condition": at, "value": 0}},
        }


BAR = {"type": "rule", "strokeWidth": 1.2, "clip": True}

INTERVALS: dict[Shape, Spec] = {
    Shape.CURVE: BAR,
    Shape.POINTS: BAR,
    Shape.FOOT: BAR,
    Shape.LINE: {"type": "area", "opacity": BAND, "clip": True},
    Shape.LEVEL: {"type": "rect", "opacity": BAND, "clip": True},
}
"""How the intervals of each shape are drawn."""


def _tooltip(panel: Panel, rows: Sequence[Spec]) -> list[Spec]:
    """List what the pointer is told; the texts are added to the rows when the page is read."""
    values = [
        {"field": f"{name}_said", "title": axis.label or " "}
        for name, axis in (("x", panel.x), ("y", panel.y))
        if any(name in row for row in rows)
    ]
    return [{"field": "name", "title": "title"}, *values]


def _shade(panel: Panel) -> list[Spec]:
    if panel.shaded is None:
        return []
    low, high = panel.shaded
    ends = {"x": _number("low"), "x2": {"field": "high"}}
    return [
        {
            "data": {"values": [{"low": low, "high": high}]},
            "mark": {"type": "rect", "color": PAGE_INK, "opacity": 0.06, "clip": True},
            "encoding": {**ends, "y": {"value": 0}, "y2": {"value": "height"}},
        }
    ]


def _tile_layers() -> list[Spec]:
    """Draw the cells of a matrix, with their texts."""
    edges = {
        "x": _number("x0"),
        "x2": {"field": "x1"},
        "y": _number("y0"),
        "y2": {"field": "y1"},
        "fillOpacity": _number("opacity", scale=None, legend=None),
    }
    told = {"tooltip": {"field": "name"}}
    cell = {"type": "rect", "color": TILE, "stroke": PAGE_INK, "strokeOpacity": 0.15}
    text = {"type": "text", "fontSize": 11, "color": PAGE_INK}
    return [
        {"data": {"name": "tiles"}, "mark": cell, "encoding": edges | told},
        {"data": {"name": "tiles"}, "mark": text, "encoding": {"text": {"field": "text"}} | told},
    ]

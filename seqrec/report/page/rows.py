"""The points and cells of a panel as rows of data sets."""

import math
from collections.abc import Sequence
from typing import Any

from seqrec.report.figures.chart import Panel, Point, Series, Shape
from seqrec.report.looks import MOST_FILLED

Row = dict[str, Any]


def point_rows(panel: Panel, shown: Sequence[Series]) -> dict[Shape, list[Row]]:
    """List the points of series that can be drawn, by the shapes of the series.

    `line` is the number of a point's series, `x0` to `y1` are the ends of its intervals.
    """
    rows: dict[Shape, list[Row]] = {}
    for line, one in enumerate(shown):
        for point in one.points:
            if row := _row(panel, one, point):
                rows.setdefault(one.shape, []).append({"line": line, **row})
    return {shape: rows[shape] for shape in Shape if shape in rows}


def _row(panel: Panel, series: Series, point: Point) -> Row:
    """Describe a point by what is drawn and told of it; empty if it cannot be drawn."""
    row: Row = {}
    for name, axis, value, ends in (
        ("x", panel.x, point.x, point.x_interval),
        ("y", panel.y, point.y, point.y_interval),
    ):
        if value is None:
            continue
        if not math.isfinite(value) or (axis.log and value <= 0):
            return {}
        row[name] = _short(value)
        if ends and all(map(math.isfinite, ends)):
            row |= {f"{name}0": _short(ends[0]), f"{name}1": _short(ends[1])}
    if row and point.name:
        row |= {"name": point.name} | ({"beside": point.name} if series.named else {})
    return row


def _short(value: float) -> float:
    """Round to what can be seen."""
    return float(f"{value:.5g}")


def tile_rows(panel: Panel) -> list[Row]:
    """List the cells of a matrix by their edges, their texts, and what they say in words."""
    return [
        {
            "x": tile.x,
            "x0": tile.x - 0.5,
            "x1": tile.x + 0.5,
            "y": tile.y,
            "y0": tile.y - 0.5,
            "y1": tile.y + 0.5,
            "line": 0,
            "name": tile.name,
            "text": tile.text,
            "opacity": MOST_FILLED * tile.strength,
        }
        for tile in panel.tiles
    ]

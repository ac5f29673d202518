"""Draw the series and tiles of a panel with matplotlib, and their signs in the legend."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.textpath import TextPath

from seqrec.report.figures.chart import LegendKey, Point, Series, Shape, Tile
from seqrec.report.looks import BAND, FAINTEST, INK, MOST_FILLED, TILE, Look

LEAST_POINTS = 7
"""Size of the smallest text."""

MARKERS: dict[str, Any] = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "thin-diamond": "d",
    "cross": "X",
    "plus": "P",
    "pentagon": "p",
    "hexagon": "h",
    "octagon": "8",
    "star": "*",
    "triangle-up": "^",
    "triangle-down": "v",
    "triangle-left": "<",
    "triangle-right": ">",
    "star-of-four": (4, 1, 0),
    "star-of-six": (6, 1, 0),
}
"""What matplotlib calls the markers of looks."""


def draw_series(axes: Axes, one: Series) -> None:
    """Draw the points of a series, with their intervals and names."""
    if one.shape is Shape.LEVEL:
        _draw_levels(axes, one)
        return
    if one.shape is Shape.FOOT:
        x = [_or_nan(point.x) for point in one.points]
        style = _line(one) | _marker(one) | {"linestyle": "none", "zorder": 4}
        axes.plot(x, [0.0] * len(x), transform=axes.get_xaxis_transform(), **style)
        return
    x, y = ([_or_nan(value) for value in values] for values in _places(one.points))
    style = _line(one) | ({} if one.shape is Shape.LINE else _marker(one))
    if one.shape is Shape.POINTS:
        style["linestyle"] = "none"
    axes.plot(x, y, **style)
    if one.shape is Shape.LINE:
        _draw_band(axes, one)
    else:
        _draw_bars(axes, one)


def name_points(axes: Axes, one: Series, width: float, height: float) -> None:
    """Write the names of points beside them, the first and last and those that have room.

    `width` and `height` of the panel are in inches; its limits must be final.
    """
    points = [(p.name, (p.x, p.y)) for p in one.points if p.x is not None and p.y is not None]
    taken: list[tuple[float, float, float]] = []
    for name, place in (*points[:1], *points[:0:-1]):
        across, up = (axes.transScale + axes.transLimits).transform(place)
        size = text_inches(name)
        right = width * across > size + 0.1  # room on the left
        start = width * across - size if right else width * across
        if any(abs(start - a) < max(size, b) and abs(height * up - y) < 0.1 for a, b, y in taken):
            continue
        taken.append((start, size, height * up))
        axes.annotate(
            name, place, (-4 if right else 4, 1), fontsize=LEAST_POINTS,
            textcoords="offset points", ha="right" if right else "left",
        )  # fmt: skip


@cache
def text_inches(text: str) -> float:
    """Measure the width of a text of the smallest size."""
    return float(TextPath((0, 0), text, size=LEAST_POINTS).get_extents().width) / 72


def draw_tile(axes: Axes, tile: Tile) -> None:
    """Draw a cell of a matrix with its text."""
    filled = (*to_rgb(TILE), MOST_FILLED * tile.strength)
    corner = (tile.x - 0.5, tile.y - 0.5)
    axes.add_patch(Rectangle(corner, 1, 1, facecolor=filled, edgecolor="white", linewidth=1.0))
    axes.text(tile.x, tile.y, tile.text, ha="center", va="center", fontsize=LEAST_POINTS)


def legend_sign(group: Sequence[Series]) -> Artist:
    """Draw the sign of some series of one label: their line, their marker, or both."""
    lines = [one for one in group if one.shape in (Shape.LINE, Shape.LEVEL, Shape.CURVE)]
    marked = [one for one in group if one.shape not in (Shape.LINE, Shape.LEVEL)]
    style = _line((lines or marked)[0]) | (_marker(marked[0]) if marked else {})
    if not lines:
        style["linestyle"] = "none"
    return Line2D([], [], **style)


def key_sign(key: LegendKey) -> Artist:
    """Draw a sign that is explained for all models, in no model's colour."""
    if key.shape is Shape.LINE and key.interval:
        return Patch(color=INK, alpha=BAND, linewidth=0)
    return legend_sign([Series(key.label, Look(INK), key.shape, (), key.published)])


def _draw_levels(axes: Axes, one: Series) -> None:
    for point in one.points:
        axes.axhline(_or_nan(point.y), **_line(one))
        if point.y_interval:
            axes.axhspan(*point.y_interval, color=one.look.colour, alpha=BAND, linewidth=0)


def _draw_band(axes: Axes, one: Series) -> None:
    ends = [(_or_nan(p.x), *p.y_interval) for p in one.points if p.y_interval]
    if ends:
        x, low, high = zip(*ends, strict=True)
        axes.fill_between(x, low, high, color=one.look.colour, alpha=BAND, linewidth=0)


def _draw_bars(axes: Axes, one: Series) -> None:
    style = {"color": one.look.colour, "fmt": "none", "elinewidth": 1.0, "capsize": 1.8}
    for point in one.points:
        x, y = _or_nan(point.x), _or_nan(point.y)
        for middle, ends, along in ((x, point.x_interval, "xerr"), (y, point.y_interval, "yerr")):
            if ends:
                bar: dict[str, Any] = style | {along: [[middle - ends.low], [ends.high - middle]]}
                axes.errorbar([x], [y], **bar)


def _places(points: Sequence[Point]) -> tuple[list[float | None], list[float | None]]:
    return [point.x for point in points], [point.y for point in points]


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _line(one: Series) -> dict[str, Any]:
    look = one.look
    return {
        "color": (*to_rgb(look.colour), FAINTEST + (1 - FAINTEST) * look.strength),
        "linestyle": (0, look.dash) if look.dash else "-",  # scaled by the width of the line
        "linewidth": 0.8 if one.published else 1.3,
        "dash_capstyle": "butt",
        "label": one.label,
    }


def _marker(one: Series) -> dict[str, Any]:
    look = one.look
    return {
        "marker": MARKERS[look.marker],
        "markersize": 5.0 if one.published else 4.0,
        "markeredgecolor": look.colour,
        "markeredgewidth": 0.9,
        "clip_on": False,
        "markerfacecolor": "none" if one.published else (*to_rgb(look.colour), look.strength),
    }

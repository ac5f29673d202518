"""Draw charts for print: panels, axes and a legend."""

import math
import textwrap
from collections.abc import Sequence
from itertools import count, pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis as DrawnAxis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from seqrec.report.figures.chart import Axis, Chart, Panel, Tick
from seqrec.report.figures.strokes import (
    draw_series,
    draw_tile,
    key_sign,
    legend_sign,
    name_points,
    text_inches,
)
from seqrec.report.figures.style import own_style
from seqrec.report.looks import INK
from seqrec.report.numbers import number

WIDTH_INCHES = 7.0
"""The width of a page of text in two columns."""

PLOTS_SHARE = 2 / 3
"""Least share of a figure's height that its panels have, however many models the legend names."""

TITLE_CHARACTERS = 12
"""Characters of a title that fit into an inch."""

ROW_INCHES = 0.19
"""Height of a row of names."""

MARGIN_INCHES = 0.55
"""Width of what stands beside a panel."""

GAP_INCHES = 0.05
"""Least space between two labels."""

SIGN_INCHES = 0.5
"""Width of an entry's sign in the legend, with the space around it."""


@own_style()
def draw(chart: Chart) -> Figure:
    """Draw a chart: its panels side by side, and one legend for all of them below."""
    columns = max(1, min(chart.columns, len(chart.panels)))
    rows = max(1, math.ceil(len(chart.panels) / columns))
    # One panel or two are drawn larger than three in a row; without names they do not fill a page.
    few = 1 if any(panel.y.names for panel in chart.panels) else 2
    width = WIDTH_INCHES / (columns if columns == chart.columns else max(few, columns))
    height = max((_height(panel, width) for panel in chart.panels), default=2.0)
    figure = Figure(figsize=(width * columns, rows * height + 0.5), layout="constrained")
    figure.suptitle(_wrapped(chart.title, int(TITLE_CHARACTERS * width * columns)))
    drawn = []
    notes = ["" if panel.empty else _note(panel, width) for panel in chart.panels]
    lines = max((note.count("\n") for note in notes), default=0)
    for place, (panel, note) in enumerate(zip(chart.panels, notes, strict=True)):
        axes = figure.add_subplot(rows, columns, place + 1)
        # Titles of panels side by side stand at one height.
        _draw_panel(axes, panel, width, note + "\n" * (lines - note.count("\n")))
        drawn.append(axes)
    _label(chart.panels, drawn, columns)
    _same_decimals([a for a, p in zip(drawn, chart.panels, strict=True) if not p.empty])
    _add_legend(figure, chart)
    return figure


def _height(panel: Panel, width: float) -> float:
    """Choose the height of a panel: a row for each name, or what suits a curve."""
    if panel.y.names:
        return ROW_INCHES * len(panel.y.ticks) + 0.7
    return 0.8 * width if width > 2 else width + 0.35


def _note(panel: Panel, width: float) -> str:
    """Return the lines below a panel's title, each after a line break."""
    characters = int(TITLE_CHARACTERS * width)
    lines = [textwrap.fill(line, characters) for line in panel.note.splitlines()]
    return "".join("\n" + line for line in lines)


def _draw_panel(axes: Axes, panel: Panel, width: float, note: str) -> None:
    """Draw a panel with its title and the lines of a note below it."""
    # A title stands above the plot alone, not above the names beside it.
    names = [text_inches(tick.label) for tick in panel.y.ticks] if panel.y.names else []
    title = _wrapped(panel.title, int(TITLE_CHARACTERS * (width - max(names, default=0.0))))
    axes.set_title(title + note)
    if panel.empty:
        axes.grid(False)
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, panel.note, transform=axes.transAxes, ha="center", va="center")
        return
    if panel.x.log:
        axes.set_xscale("log")
    if panel.y.log:
        axes.set_yscale("log")
    places = {p.x for one in panel.series for p in one.points if p.x is not None}
    if panel.x.log and len(places) == 1:
        axes.set_xlim(min(places) / 3, max(places) * 3)
    if panel.shaded:
        axes.axvspan(*panel.shaded, color=INK, alpha=0.08, linewidth=0)
    for one in panel.series:
        draw_series(axes, one)
    for tile in panel.tiles:
        draw_tile(axes, tile)
    if panel.tiles:
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_xlim(min(t.x for t in panel.tiles) - 0.5, max(t.x for t in panel.tiles) + 0.5)
        axes.set_ylim(min(t.y for t in panel.tiles) - 0.5, max(t.y for t in panel.tiles) + 0.5)
    if panel.x.low is not None or panel.x.high is not None:
        axes.set_xlim(panel.x.low, panel.x.high)
    if panel.y.low is not None or panel.y.high is not None:
        axes.set_ylim(panel.y.low, panel.y.high)
    if panel.x.names:
        _set_names(axes, panel.x, width - 1.2)
    else:
        _set_ticks(axes.xaxis, panel.x, axes.get_xlim(), width - MARGIN_INCHES)
    _set_ticks(axes.yaxis, panel.y, axes.get_ylim(), math.inf)
    for one in panel.series:
        if one.named:
            name_points(axes, one, width - MARGIN_INCHES, _height(panel, width) - 0.6)


def _set_ticks(axis: DrawnAxis, shown: Axis, limits: tuple[float, float], room: float) -> None:
    """Label an axis that is `room` inches long."""
    if not shown.ticks:
        if not shown.log:
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], min_n_ticks=3))
        return
    kept = [tick for tick in shown.ticks if limits[0] <= tick.place <= limits[1]] or shown.ticks
    labels = {tick.place: tick.label for tick in _that_fit(kept, shown, limits, room)}
    axis.set_major_locator(FixedLocator(list(labels)))
    axis.set_major_formatter(FixedFormatter(list(labels.values())))
    others = [tick.place for tick in kept if tick.place not in labels]
    axis.set_minor_locator(FixedLocator(others) if others else NullLocator())
    axis.set_minor_formatter(FixedFormatter([""] * len(others)))


def _set_names(axes: Axes, shown: Axis, room: float) -> None:
    """Write names along an x axis that is `room` inches long: in lines, or upright if too long."""
    places, labels = [tick.place for tick in shown.ticks], [tick.label for tick in shown.ticks]
    lines = ["\n".join(label.rsplit(" ", 1)) for label in labels]
    widest = max(text_inches(part) for label in lines for part in label.splitlines())
    if widest < room / len(places) - 0.02:
        axes.set_xticks(places, lines)
    else:
        axes.set_xticks(places, labels, rotation=90)


def _that_fit(
    ticks: Sequence[Tick], shown: Axis, limits: tuple[float, float], room: float
) -> Sequence[Tick]:
    """Choose the ticks whose labels do not touch: all, else powers of ten, else every nth."""

    def place(tick: Tick) -> float:
        low, high, at = (*limits, tick.place)
        if shown.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return room * (at - low) / (high - low)

    def apart(chosen: Sequence[Tick]) -> bool:
        return all(
            place(b) - place(a) > (text_inches(a.label) + text_inches(b.label)) / 2 + GAP_INCHES
            for a, b in pairwise(chosen)
        )

    if math.isinf(room) or apart(ticks):
        return ticks
    powers = [tick for tick in ticks if set(tick.label.lstrip("1")) <= {"0", ","}]
    if len(powers) > 1 and apart(powers):
        return powers
    return next(ticks[::step] for step in count(2) if apart(ticks[::step]))


def _label(panels: Sequence[Panel], drawn: Sequence[Axes], columns: int) -> None:
    """Label the x axis of every panel with none below it, and the y axis at the left of a row."""
    for place, (panel, axes) in enumerate(zip(panels, drawn, strict=True)):
        if panel.empty:
            continue
        if place + columns >= len(panels):
            axes.set_xlabel(panel.x.label)
        if place % columns == 0 or panel.y.label != panels[place - 1].y.label:
            axes.set_ylabel(panel.y.label)


def _same_decimals(drawn: Sequence[Axes]) -> None:
    """Write the values of all panels with the same number of decimals."""
    for axes in ([one.xaxis for one in drawn], [one.yaxis for one in drawn]):
        numbers = [axis for axis in axes if isinstance(axis.get_major_locator(), MaxNLocator)]
        steps = [b - a for axis in numbers for a, b in pairwise(axis.get_majorticklocs())]
        decimals = max((_decimals(step) for step in steps), default=0)
        for axis in numbers:
            axis.set_major_formatter(
                FuncFormatter(lambda value, _, d=decimals: number(value, d).replace("-", "−"))
            )


def _decimals(step: float) -> int:
    """Count the decimals that a number has."""
    return next((d for d in range(6) if math.isclose(step, round(step, d), rel_tol=1e-6)), 6)


def _add_legend(figure: Figure, chart: Chart) -> None:
    """Add one legend for all panels, each model once, in as few rows as fit.

    The figure grows by the height of the legend.
    """
    entries = [(label, legend_sign(group)) for label, group in chart.legend.items()]
    entries += [(key.label, key_sign(key)) for key in chart.keys]
    if not entries:
        return
    labels = [_wrapped(label, 56) for label, _ in entries]
    widths = [max(map(text_inches, label.splitlines())) + SIGN_INCHES for label in labels]
    # Matplotlib fills columns one after the other.
    rows = (math.ceil(len(entries) / rows) for rows in count(1))
    fitting = (n for n in rows if n == 1 or _columns_inches(widths, n) <= figure.get_figwidth())
    handles = [handle for _, handle in entries]
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=next(fitting))
    height = legend.get_window_extent().height / figure.dpi
    others = height + 0.5  # with the title and the space between them
    figure.set_figheight(max(figure.get_figheight() + height, others / (1 - PLOTS_SHARE)))


def _columns_inches(widths: Sequence[float], columns: int) -> float:
    """Add up how wide the columns of a legend are that has entries of these widths."""
    return sum(float(column.max()) for column in np.array_split(widths, columns))


def _wrapped(text: str, characters: int) -> str:
    return textwrap.fill(text, characters, max_lines=3, placeholder="…")

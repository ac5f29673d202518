"""Logarithmic axes that say their numbers in short: 0.01, 50, 30k, 10M."""

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from typing import Any

from matplotlib.axis import Axis
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

Lines = Mapping[str, Mapping[int, float]]
"""What is drawn up, by name and by what is drawn across."""
MOST_LABELS = 7


def short(value: float) -> str:
    """Write a number with a letter for thousands, millions or thousands of millions."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def log_axis(axis: Axis, values: Sequence[float]) -> None:
    """Label an axis that spans the values, by their powers of ten or, if those are few, more."""
    low, high = min(values), max(values)
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    ticks: list[float] = []
    for digits in ((1,), (1, 3), (1, 2, 5)):
        finer = [digit * 10.0**decade for decade in decades for digit in digits]
        inside = [tick for tick in finer if low / 1.3 <= tick <= high * 1.3]
        if not ticks or len(inside) <= MOST_LABELS:
            ticks = inside
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([short(tick) for tick in ticks]))
    axis.set_minor_locator(NullLocator())


def draw_lines(panel: Any, lines: Lines, title: str, across: str, up: str) -> None:
    """Draw lines on logarithmic axes; dotted where the name is in brackets."""
    for name, line in lines.items():
        style: dict[str, Any] = {"marker": "o"}
        if name.startswith("("):
            style, name = {"linestyle": ":", "color": "grey"}, name.strip("()")
        panel.loglog([*line], [*line.values()], label=name, **style)
    log_axis(panel.xaxis, [x for line in lines.values() for x in line])
    log_axis(panel.yaxis, [y for line in lines.values() for y in line.values()])
    panel.set(title=title, xlabel=across, ylabel=up)

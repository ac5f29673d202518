"""Figures as data: what is drawn where, in plain numbers, before it takes a form.

`drawing` turns a chart into a printed figure, and a page draws the same chart in a browser, so both
show the same numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from seqrec.report.inference import Interval
from seqrec.report.looks import Look


class Shape(StrEnum):
    """How the points of a series are drawn."""

    CURVE = "curve"
    """Markers joined by a line; intervals are bars."""
    LINE = "line"
    """A line without markers; intervals form a band."""
    POINTS = "points"
    """Markers alone; intervals are bars."""
    LEVEL = "level"
    """One value of y as a line across the panel, its interval as a band; the point has no x."""
    FOOT = "foot"
    """Markers that stand on the x axis; the points have no y."""


class Point(NamedTuple):
    """A point with its intervals."""

    x: float | None
    y: float | None
    x_interval: Interval | None = None
    y_interval: Interval | None = None
    name: str = ""
    """What it is, if it is not what its series says: a run, or a number of negatives."""


@dataclass(frozen=True)
class Series:
    """Points of one model or kind."""

    label: str
    """Its entry in the legend; series with the same label share one. Empty: none."""
    look: Look
    shape: Shape
    points: Sequence[Point]
    published: bool = False
    """The paper's numbers have thin lines and hollow markers."""
    named: bool = False
    """Whether the names of its points stand beside them."""


class Tile(NamedTuple):
    """A cell of a matrix, at whole numbers of x and y."""

    x: int
    y: int
    text: str
    strength: float
    """From 0, blank, to 1: how strongly it is filled."""
    name: str
    """What it says, in words."""


class Tick(NamedTuple):
    """A labelled place on an axis."""

    place: float
    label: str


@dataclass(frozen=True)
class Axis:
    """What an axis shows."""

    label: str
    log: bool = False
    ticks: Sequence[Tick] = ()
    """Where there are labels; by default at round numbers."""
    low: float | None = None
    """Where it begins, and ends; by default at the outermost points, with a margin."""
    high: float | None = None

    @property
    def names(self) -> bool:
        """Whether its places are names and no numbers."""
        return bool(self.ticks) and not self.log


@dataclass(frozen=True)
class Panel:
    """One pair of axes, as a rule that of a dataset."""

    title: str
    x: Axis
    y: Axis
    series: Sequence[Series] = ()
    tiles: Sequence[Tile] = ()
    shaded: Interval | None = None
    """Values of x behind which the panel is shaded."""
    note: str = ""
    """Said below the title; in the middle of the panel if it shows nothing."""

    @property
    def empty(self) -> bool:
        """Whether it shows nothing."""
        return not (self.tiles or any(one.points for one in self.series))

    @property
    def note_in_line(self) -> str:
        """The note without its line breaks, to stand within a sentence."""
        return " ".join(self.note.split())


class LegendKey(NamedTuple):
    """An entry of the legend that explains a sign of all models."""

    label: str
    shape: Shape
    published: bool = False
    interval: bool = False


@dataclass(frozen=True)
class Chart:
    """A figure."""

    title: str
    panels: Sequence[Panel]
    alternative: str
    """What it shows, in words, for those who do not see it."""
    keys: Sequence[LegendKey] = ()
    columns: int = 3
    """Panels side by side."""

    @property
    def legend(self) -> dict[str, list[Series]]:
        """The series of each label, ours if there are any, and otherwise the paper's."""
        every = [one for panel in self.panels for one in panel.series if one.label]
        found: dict[str, list[Series]] = {one.label: [] for one in every}
        for one in every:
            found[one.label].append(one)
        return {
            label: [one for one in group if not one.published] or group
            for label, group in found.items()
        }

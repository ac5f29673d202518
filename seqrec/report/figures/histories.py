"""Histories of trainings as series of a chart."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np

from seqrec.records.record import Record
from seqrec.report.figures.chart import Point, Series, Shape
from seqrec.report.inference import Interval
from seqrec.report.looks import Look


class Curve(NamedTuple):
    """A column of a run's history against another."""

    x: list[float]
    y: list[float]
    best: tuple[float, float]
    """The point of the best epoch."""


def curve(record: Record, against: str, column: str) -> Curve | None:
    """Read a column of a run's history against another; None for a run without such a history."""
    history = record.history()
    if column not in history or history.empty:
        return None
    x, y = history[against].tolist(), history[column].tolist()
    best = history["epoch"].tolist().index(record.best_epoch)
    return Curve(x, y, (x[best], y[best]))


def run_series(label: str, look: Look, record: Record, found: Curve) -> list[Series]:
    """Show the curve of one run, with a marker at its best epoch."""
    name = f"{record.model}/seed-{record.seed}"
    line = [Point(x, y, name=name) for x, y in zip(found.x, found.y, strict=True)]
    best = Point(found.best[0], found.best[1], name=name)
    return [
        Series(label, look, Shape.LINE, line),
        Series(label, look, Shape.POINTS, [best]),
    ]


def mean_series(label: str, look: Look, found: Sequence[Curve]) -> list[Series]:
    """Show the mean of some seeds' curves over the same epochs, within their range.

    It ends where the first seed stopped: a mean over fewer and fewer seeds would jump. The marker
    stands at the mean of the best epochs and of their values, with the range of the epochs.
    """
    length = min(len(one.y) for one in found)
    values = np.array([one.y[:length] for one in found])
    line = [
        Point(x, float(column.mean()), None, _range(column) if len(found) > 1 else None)
        for x, column in zip(found[0].x, values.T, strict=False)
    ]
    epochs, best = [one.best[0] for one in found], fmean(one.best[1] for one in found)
    spread = _range(epochs) if len(found) > 1 else None
    return [
        Series(label, look, Shape.LINE, line),
        Series(label, look, Shape.POINTS, [Point(fmean(epochs), best, spread)]),
    ]


def _range(values: Sequence[float] | np.ndarray) -> Interval:
    return Interval(float(np.min(values)), float(np.max(values)))

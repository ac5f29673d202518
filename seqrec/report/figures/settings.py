"""The validation of every trial against each of its settings."""

from collections.abc import Sequence
from typing import Any

from seqrec.experiment.naming import dataset_title
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.report.evidence import Evidence
from seqrec.report.figures.chart import Axis, Chart, Panel, Point, Series, Shape, Tick
from seqrec.report.figures.shown import log_axis, number_ticks
from seqrec.report.looks import looks
from seqrec.report.metrics import metric_title
from seqrec.report.searches import ModelSearch, Trial

NOTHING_VARIES = "fewer than two finished trials"
WIDE = 8
"""Ratio of the ends from which a range has a logarithmic axis."""
FEW = 6
"""Up to so many different values, each has a label."""


def settings_chart(evidence: Evidence, dataset: str) -> Chart:
    """Show the trials of all models, with a panel for each setting that was tried."""
    made = evidence.searches_of(dataset)
    keys = dict.fromkeys(
        key for one in made for setting in one.settings.values() for key in setting
    )
    title = metric_title(STOPPING_METRIC)
    panels = [_panel(evidence, made, key) for key in keys]
    return Chart(
        f"{dataset_title(dataset)}: which settings matter",
        panels or [Panel(dataset_title(dataset), Axis(""), Axis(""), note=NOTHING_VARIES)],
        f"Validation {title} of every trial on {dataset_title(dataset)} against its value of "
        f"{', '.join(keys) or 'no setting'}, a panel for each.",
    )


def _panel(evidence: Evidence, made: Sequence[ModelSearch], key: str) -> Panel:
    drawn = looks(one.base for one in made)
    values = [setting[key] for one in made for setting in one.settings.values() if key in setting]
    axis = _axis(key, values)
    series = [
        Series(
            evidence.found.title(one.base),
            drawn[one.base],
            Shape.POINTS,
            [_point(trial, one.settings[trial.name][key], axis) for trial in one.trials],
        )
        for one in made
        if any(key in setting for setting in one.settings.values())
    ]
    y = Axis(f"validation {metric_title(STOPPING_METRIC)}")
    return Panel(key, axis, y, series)


def _axis(key: str, values: Sequence[Any]) -> Axis:
    """Make an axis for the values of a setting: of numbers, or of names."""
    different = list(dict.fromkeys(map(_text, values)))
    if not all(_is_number(value) for value in values):
        ticks = [Tick(place, text) for place, text in enumerate(different)]
        return Axis(key, ticks=ticks, low=-0.5, high=len(ticks) - 0.5)
    if min(values) > 0 and max(values) >= WIDE * min(values):
        axis = log_axis(key, values)
        few = len(different) <= FEW and all(float(value).is_integer() for value in values)
        return Axis(key, log=True, ticks=number_ticks(values)) if few else axis
    return Axis(key)


def _point(trial: Trial, value: Any, axis: Axis) -> Point:
    place = float(value) if _is_number(value) and not axis.names else None
    if place is None:
        place = next(tick.place for tick in axis.ticks if tick.label == _text(value))
    return Point(place, trial.validation, name=trial.number)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return str(value)

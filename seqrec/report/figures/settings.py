"""The validation of every trial against each of its settings."""

from collections.abc import Sequence
from typing import Any

from seqrec.experiment.naming import dataset_title
from seqrec.experiment.variants import setting_words
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.report.evidence import Evidence
from seqrec.report.figures.chart import Axis, Chart, Panel, Point, Series, Shape, Tick
from seqrec.report.figures.shown import log_axis
from seqrec.report.looks import looks
from seqrec.report.metrics import metric_title
from seqrec.report.searches import ModelSearch

NOTHING_VARIES = "fewer than two finished trials"
FEW = 6
"""Up to so many different values stand side by side; more are places on an axis of numbers."""
WIDE = 8
"""Ratio of its ends from which an axis of numbers is logarithmic."""
SIDE_BY_SIDE = 0.6
"""Width that the models take at one of few values, of the distance between two of these."""


def settings_chart(evidence: Evidence, dataset: str) -> Chart:
    """Show the trials of all models, with a panel for each setting that was tried."""
    made = evidence.searches_of(dataset)
    keys = dict.fromkeys(
        key for one in made for setting in one.settings.values() for key in setting
    )
    words = setting_words(keys)
    panels = [_panel(evidence, made, key, words[key]) for key in keys]
    return Chart(
        f"{dataset_title(dataset)}: which settings matter",
        panels or [Panel(dataset_title(dataset), Axis(""), Axis(""), note=NOTHING_VARIES)],
        f"Validation {metric_title(STOPPING_METRIC)} of every trial on {dataset_title(dataset)} "
        f"against its {', '.join(words.values()) or 'setting'}, a panel for each.",
    )


def _panel(evidence: Evidence, made: Sequence[ModelSearch], key: str, title: str) -> Panel:
    drawn = looks(one.base for one in made)
    having = [one for one in made if any(key in setting for setting in one.settings.values())]
    values = [setting[key] for one in having for setting in one.settings.values()]
    axis = _axis(title, values)
    series = []
    for number, one in enumerate(having):
        aside = SIDE_BY_SIDE * ((number + 0.5) / len(having) - 0.5)
        points = [
            Point(
                _place(one.settings[trial.name][key], axis, aside),
                trial.validation,
                name=f"{trial.number}, {title} {one.settings[trial.name][key]}",
            )
            for trial in one.trials
        ]
        name = evidence.found.title(one.base)
        series.append(Series(name, drawn[one.base], Shape.POINTS, points))
    return Panel(title, axis, Axis(f"validation {metric_title(STOPPING_METRIC)}"), series)


def _axis(title: str, values: Sequence[Any]) -> Axis:
    """Make an axis of few values side by side, or of numbers."""
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    are_numbers = len(numbers) == len(values)
    different = sorted(set(numbers)) if are_numbers else list(dict.fromkeys(map(str, values)))
    if not are_numbers or len(different) <= FEW:
        ticks = [Tick(place, str(value)) for place, value in enumerate(different)]
        return Axis(title, ticks=ticks, low=-0.5, high=len(ticks) - 0.5)
    if 0 < WIDE * min(numbers) <= max(numbers):
        return log_axis(title, numbers)
    return Axis(title)


def _place(value: Any, axis: Axis, aside: float) -> float:
    """Return where a value is on an axis; of few values, a little `aside` for each model."""
    if not axis.names:
        return float(value)
    return next(tick.place for tick in axis.ticks if tick.label == str(value)) + aside

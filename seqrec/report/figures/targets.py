"""Quality by what test targets are like: how popular they are, and how long their histories."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqrec.experiment.naming import dataset_title
from seqrec.records.record import Record
from seqrec.report.differences import scatters
from seqrec.report.evidence import Evidence
from seqrec.report.figures.chart import Axis, Chart, LegendKey, Panel, Point, Series, Shape, Tick
from seqrec.report.figures.shown import (
    NO_PAIR,
    compared_models,
    estimate,
    left_out,
    log_axis,
    looks_in,
    marked_line,
    panels_of,
)
from seqrec.report.levels import CONFIDENCE
from seqrec.report.measured import Measured
from seqrec.report.metrics import main_metric, metric_title
from seqrec.report.numbers import number, span
from seqrec.wording import counted

NUM_GROUPS = 5
"""Groups of about as many targets that have a number above 0, from small to large."""

ALSO_SHOWN = ("sasrec", "bpr-mf", "popularity")

Numbers = npt.NDArray[np.integer]


class Group(NamedTuple):
    """Test targets with about the same number."""

    targets: npt.NDArray[np.bool_]
    least: int
    most: int
    middle: float
    """Median of the numbers."""


def groups_of(numbers: Numbers) -> list[Group]:
    """Group test targets by their numbers `[targets]`, such as how often each occurs in training.

    Targets with 0 are a group of their own; the others form groups of about equal size.
    """
    above = numbers[numbers > 0]
    edges = [0]
    if len(above):
        edges += map(int, np.quantile(above, np.linspace(0, 1, NUM_GROUPS + 1)[1:]))
    groups, below = [], -1
    for edge in dict.fromkeys(edges):
        targets = (numbers > below) & (numbers <= edge)
        if targets.any():
            inside = numbers[targets]
            groups.append(
                Group(targets, int(inside.min()), int(inside.max()), float(np.median(inside)))
            )
        below = edge
    return groups


class Trait(NamedTuple):
    """What test targets are grouped by."""

    title: str
    label: str
    """Of the axis."""
    numbers: Callable[[Record], Numbers | None]
    """The number of each test target, `[targets]`, if the record tells."""
    said: Callable[[str, bool], str]
    """What the numbers of a group mean, in words; the flag tells whether it is a single one."""
    ends: tuple[str, str]
    """The targets of the first and of the last group."""
    unknown: str = ""
    """Why a panel is empty although there are models."""


POPULARITY = Trait(
    "popularity of the target",
    "target's occurrences in training",
    Record.target_counts,
    lambda times, single: f"{times} {'occurrence' if single else 'occurrences'} in training",
    ("rarest targets", "most frequent targets"),
)

HISTORY_LENGTH = Trait(
    "length of the history",
    "items in the history",
    Record.history_lengths,
    lambda items, single: f"{items} {'item' if single else 'items'} before the target",
    ("shortest histories", "longest histories"),
    "no finished run tells\nhow long histories are",
)


def popularity_chart(evidence: Evidence) -> Chart:
    """Show the test metric of models by how often the target occurs in training."""
    return _chart(evidence, POPULARITY)


def history_length_chart(evidence: Evidence) -> Chart:
    """Show the test metric of models by the length of the history before the target."""
    return _chart(evidence, HISTORY_LENGTH)


def _chart(evidence: Evidence, trait: Trait) -> Chart:
    title = metric_title(main_metric(evidence.metrics))
    panels = panels_of(evidence, lambda dataset: _panel(evidence, dataset, trait))
    return Chart(
        f"Test {title} by {trait.title}",
        panels,
        _in_words(title, trait, panels),
        [LegendKey(f"{CONFIDENCE:.0%} interval", Shape.LINE, interval=True)],
    )


def _panel(evidence: Evidence, dataset: str, trait: Trait) -> Panel:
    metric, models = main_metric(evidence.metrics), evidence.comparable[dataset]
    numbers = _known(models, trait)
    groups = groups_of(numbers) if numbers is not None else []
    places = {group.middle for group in groups if group.middle > 0}
    zero = min(places, default=1.0) / 3
    series: list[Series] = []
    if groups:
        chosen = compared_models(evidence, dataset)
        chosen |= {name: models[name] for name in ALSO_SHOWN if name in models}
        known = [scatters(chosen, metric, group.targets) for group in groups]
        drawn = looks_in(evidence)
        for name in chosen:
            points = [
                Point(group.middle or zero, found.value, None, found.interval, _name(group, trait))
                for group, one in zip(groups, known, strict=True)
                for found in [estimate(one.scores[name], one.of(name))]
            ]
            series += marked_line(evidence.title(dataset, name).text, drawn[name], points)
    axis = log_axis(trait.label, sorted(places))
    if any(group.middle == 0 for group in groups):
        further = [tick for tick in axis.ticks if tick.place > 1.5 * zero]
        axis = Axis(trait.label, log=True, ticks=[Tick(zero, "0"), *further])
    return Panel(
        dataset_title(dataset),
        axis,
        Axis(f"test {metric_title(metric)}", low=0.0),
        series,
        note=left_out(evidence, dataset) if series else trait.unknown if models else NO_PAIR,
    )


def _known(models: Mapping[str, Measured], trait: Trait) -> Numbers | None:
    """Return the numbers of the test targets, which all these models have in common."""
    records = (record for one in models.values() for record in one.records)
    return next((found for one in records if (found := trait.numbers(one)) is not None), None)


def _name(group: Group, trait: Trait) -> str:
    said = trait.said(span([group.least, group.most]), group.most == 1)
    return f"{said}, {counted(int(group.targets.sum()), 'target')}"


def _in_words(title: str, trait: Trait, panels: Sequence[Panel]) -> str:
    parts = [f"Test {title} by {trait.title}, on a logarithmic axis, a panel for each dataset."]
    for panel in panels:
        lines = [one for one in panel.series if one.shape is Shape.LINE]
        if not lines:
            parts.append(f"{panel.title}: {panel.note_in_line}.")
            continue
        for place, end in zip((0, -1), trait.ends, strict=True):
            best = max(lines, key=lambda one: one.points[place].y or 0)
            parts.append(
                f"{panel.title}, {end} ({best.points[place].name}): best is {best.label} "
                f"with {number(best.points[place].y or 0, 4)}."
            )
    return " ".join(parts)

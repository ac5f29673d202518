"""Quality by how often a test target occurs in training."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqrec.experiment.naming import dataset_title
from seqrec.report.evidence import Evidence
from seqrec.report.figures.chart import Axis, Chart, LegendKey, Panel, Point, Shape, Tick
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
from seqrec.report.inference import Scores, seed_scatter
from seqrec.report.levels import CONFIDENCE
from seqrec.report.looks import Look
from seqrec.report.metrics import main_metric, metric_title
from seqrec.report.numbers import number, span

NUM_GROUPS = 5
"""Groups of about as many targets that occur in training, from rare to frequent."""

ALSO_SHOWN = ("sasrec", "bpr-mf", "popularity")


class Group(NamedTuple):
    """Users whose test targets occur about as often in training."""

    users: npt.NDArray[np.bool_]
    least: int
    most: int
    middle: float
    """Median of the targets' counts."""

    @property
    def name(self) -> str:
        """Say how often the targets occur, and how many users there are."""
        times, users = span([self.least, self.most]), int(self.users.sum())
        return (
            f"{times} {'occurrence' if self.most == 1 else 'occurrences'} in training, "
            f"{number(users)} {'user' if users == 1 else 'users'}"
        )


def groups_of(counts: npt.NDArray[np.integer]) -> list[Group]:
    """Group users by how often their test target occurs in training, `counts` `[users]`.

    Targets that never do are a group of their own; the others form groups of about equal size.
    """
    seen = counts[counts > 0]
    edges = np.quantile(seen, np.linspace(0, 1, NUM_GROUPS + 1)[1:]) if len(seen) else []
    groups, below = [], -1
    for edge in [0, *np.unique(np.floor(edges)).astype(int)]:
        users = (counts > below) & (counts <= edge)
        if users.any():
            inside = counts[users]
            groups.append(
                Group(users, int(inside.min()), int(inside.max()), float(np.median(inside)))
            )
        below = edge
    return groups


def popularity_chart(evidence: Evidence) -> Chart:
    """Show the test metric of models by how often the target occurs in training."""
    drawn, metric = looks_in(evidence), main_metric(evidence.metrics)
    panels = panels_of(evidence, lambda dataset: _panel(evidence, dataset, metric, drawn))
    title = metric_title(metric)
    return Chart(
        f"Test {title} by popularity of the target",
        panels,
        _in_words(title, panels),
        [LegendKey(f"{CONFIDENCE:.0%} interval", Shape.LINE, interval=True)],
    )


def _panel(evidence: Evidence, dataset: str, metric: str, drawn: dict[str, Look]) -> Panel:
    models = evidence.comparable[dataset]
    chosen = compared_models(evidence, dataset) if models else {}
    names = [*chosen, *(name for name in ALSO_SHOWN if name in models)]
    counts = next(iter(models.values())).records[0].target_counts() if models else np.array([])
    groups = groups_of(counts)
    places = {group.middle for group in groups if group.middle > 0}
    never = min(places, default=1.0) / 3
    series = []
    for name in names:
        ranks = [record.ranks() for record in models[name].records]
        points = []
        for group in groups:
            scores = Scores.of([one[group.users] for one in ranks], metric)
            found = estimate(scores, seed_scatter([scores]))
            points.append(
                Point(group.middle or never, found.value, None, found.interval, group.name)
            )
        title = evidence.title(dataset, name).text
        series += marked_line(title, drawn[name], points)
    label = "target's occurrences in training"
    axis = log_axis(label, sorted(places))
    if any(group.middle == 0 for group in groups):
        axis = Axis(
            label,
            log=True,
            ticks=[Tick(never, "0"), *(t for t in axis.ticks if t.place > 1.5 * never)],
        )
    return Panel(
        dataset_title(dataset),
        axis,
        Axis(f"test {metric_title(metric)}", low=0.0),
        series,
        note=left_out(evidence, dataset) if series else NO_PAIR,
    )


def _in_words(title: str, panels: Sequence[Panel]) -> str:
    parts = [
        f"Test {title} over how often the test target occurs in training, on a logarithmic axis, a "
        "panel for each dataset."
    ]
    for panel in panels:
        lines = [one for one in panel.series if one.shape is Shape.LINE]
        if not lines:
            continue
        last = len(lines[0].points) - 1
        for place, group in ((0, "rarest"), (last, "most frequent")):
            best = max(lines, key=lambda one: one.points[place].y or 0)
            parts.append(
                f"{panel.title}, {group} targets ({best.points[place].name}): best is {best.label} "
                f"with {number(best.points[place].y or 0, 4)}."
            )
    return " ".join(parts)

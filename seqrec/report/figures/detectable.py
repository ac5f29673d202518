"""The smallest difference that a dataset's test can detect."""

from collections.abc import Sequence

import numpy as np

from seqrec.experiment.naming import dataset_title
from seqrec.report.detectable import POWER, detectable_shares, scored_models
from seqrec.report.evidence import Evidence
from seqrec.report.figures.chart import Axis, Chart, LegendKey, Panel, Point, Shape
from seqrec.report.figures.shown import marked_line, number_ticks, panels_of
from seqrec.report.inference import Interval
from seqrec.report.looks import INK, Look
from seqrec.report.metrics import main_metric, metric_title
from seqrec.report.numbers import number

SEEDS = (1, 2, 3, 5, 10, 20)
"""Seeds of each model for which the smallest difference is shown."""

TOO_FEW = "needs two trained models\nwith a scatter that is known"


def detectable_chart(evidence: Evidence) -> Chart:
    """Show by number of seeds which relative difference the test finds in four of five cases."""
    metric = main_metric(evidence.metrics)
    title = metric_title(metric)
    panels = panels_of(evidence, lambda dataset: _panel(evidence, dataset, metric))
    return Chart(
        f"Smallest difference in test {title} that the test detects",
        panels,
        _in_words(title, panels),
        [LegendKey("middle half of the pairs", Shape.LINE, interval=True)],
    )


def _panel(evidence: Evidence, dataset: str, metric: str) -> Panel:
    scored = scored_models(evidence.comparable[dataset], metric)
    points = []
    for seeds in SEEDS:
        shares = [100 * one for one in detectable_shares(scored, seeds)]
        if shares:
            low, middle, high = (float(q) for q in np.quantile(shares, (0.25, 0.5, 0.75)))
            points.append(Point(seeds, middle, None, Interval(low, high)))
    series = marked_line("median pair of models", Look(INK), points)
    return Panel(
        dataset_title(dataset),
        Axis("seeds of each model", log=True, ticks=number_ticks(SEEDS)),
        Axis("relative difference, %", low=0.0),
        series if points else [],
        note="" if points else TOO_FEW,
    )


def _in_words(title: str, panels: Sequence[Panel]) -> str:
    parts = [
        f"The smallest relative difference in test {title} that the test finds in {POWER:.0%} of "
        "cases, over the number of seeds of each model, a panel for each dataset."
    ]
    for panel in panels:
        if panel.empty:
            parts.append(f"{panel.title}: {panel.note_in_line}.")
            continue
        one, *_, most = panel.series[0].points
        parts.append(
            f"{panel.title}: for the median pair of models {number(one.y or 0.0, 1)}% with one "
            f"seed of each, and {number(most.y or 0.0, 1)}% with {number(most.x or 0.0)}."
        )
    return " ".join(parts)

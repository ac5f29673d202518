"""Quality by training time."""

from collections.abc import Mapping

from seqrec.experiment.naming import dataset_title, in_order
from seqrec.report.evidence import Evidence
from seqrec.report.figures.chart import Axis, Chart, Panel, Point, Series, Shape
from seqrec.report.figures.shown import (
    log_axis,
    looks_in,
    metric_shown,
    metric_title,
    nothing,
    panels_of,
)
from seqrec.report.looks import Look

LEAST_SECONDS = 1
"""Runs that train for less are drawn as lines across, not as points."""


def quality_by_time_chart(evidence: Evidence) -> Chart:
    """Show the test metric of each run against its training time on a logarithmic axis."""
    drawn, metric = looks_in(evidence), metric_shown(evidence)
    title = metric_title(metric)
    panels = panels_of(evidence, lambda dataset: _panel(evidence, dataset, metric, drawn))
    return Chart(
        f"Test {title} by training time",
        panels,
        f"Test {title} of each run over its training time on a logarithmic axis, a panel for each "
        "dataset.",
    )


def _panel(evidence: Evidence, dataset: str, metric: str, drawn: Mapping[str, Look]) -> Panel:
    records = evidence.records(dataset)
    order = in_order(record.model for record in records)
    series = []
    for record in sorted(records, key=lambda record: order.index(record.model)):
        name, quality = f"{record.model}/seed-{record.seed}", record.test[metric]
        seconds, shape = record.training_seconds, Shape.POINTS
        point = Point(seconds, quality, name=name)
        if seconds < LEAST_SECONDS:
            point, shape = point._replace(x=None), Shape.LEVEL
        title = evidence.title(dataset, record.model).text
        series.append(Series(title, drawn[record.model], shape, [point]))
    times = [point.x for one in series for point in one.points if point.x is not None]
    label = "training time, s"
    return Panel(
        dataset_title(dataset),
        log_axis(label, times) if times else Axis(label),
        Axis(f"test {metric_title(metric)}", low=0.0),
        series,
        note="" if series else nothing(records),
    )

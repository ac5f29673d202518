"""Quality by the number of negatives, as the paper shows it."""

from collections.abc import Mapping, Sequence

from seqrec.experiment.naming import dataset_title
from seqrec.report.evidence import Evidence
from seqrec.report.figures.chart import Axis, Chart, LegendKey, Panel, Point, Series, Shape
from seqrec.report.figures.shown import (
    CURVE,
    PAPER_ONLY,
    Estimate,
    estimates,
    nothing,
    number_ticks,
    panels_of,
)
from seqrec.report.levels import CONFIDENCE
from seqrec.report.looks import look_of
from seqrec.report.metrics import main_metric, metric_title
from seqrec.report.numbers import number
from seqrec.report.paper import curve_negatives

BASELINES = ("sasrec+", "bert4rec", "sasrec")
"""Models that do not depend on N, which the paper's figure has as lines across."""

IN_A_ROW = 5
"""The paper's figure has its five datasets side by side."""


def negatives_chart(evidence: Evidence) -> Chart:
    """Show a test metric of SASRec+ N against N, beside models that do not depend on N."""
    metric = main_metric(evidence.metrics)
    panels = panels_of(evidence, lambda dataset: _panel(evidence, dataset, metric))
    title = metric_title(metric)
    drawn = [one for panel in panels for one in panel.series]
    keys = []
    if any(one.published for one in drawn):
        keys.append(LegendKey("published", Shape.CURVE, published=True))
    if any(point.y_interval for one in drawn for point in one.points):
        keys.append(LegendKey(f"{CONFIDENCE:.0%} interval", Shape.LINE, interval=True))
    return Chart(
        f"Test {title} by number of negatives",
        panels,
        _in_words(title, panels),
        keys,
        columns=max(3, min(len(panels), IN_A_ROW)),
    )


def _panel(evidence: Evidence, dataset: str, metric: str) -> Panel:
    models = evidence.measured[dataset]
    found = estimates(evidence, dataset, metric)
    curve = {
        n: found[name] for name, one in models.items() if (n := curve_negatives(one.records[0]))
    }
    series = [
        *_published(evidence, dataset, metric),
        *(
            _level(evidence.title(dataset, model).text, model, found[model])
            for model in BASELINES
            if model in models
        ),
    ]
    if curve:
        points = [
            Point(n, one.value, None, one.interval, f"N = {n}") for n, one in sorted(curve.items())
        ]
        series.append(Series(CURVE, look_of("sasrec+1"), Shape.CURVE, points))
    ours = any(not one.published for one in series)
    numbers = {point.x for one in series for point in one.points if point.x}
    return Panel(
        dataset_title(dataset),
        Axis("negatives, N", log=True, ticks=number_ticks(numbers)),
        Axis(f"test {metric_title(metric)}"),
        series,
        note="" if ours else PAPER_ONLY if series else nothing(evidence.records(dataset)),
    )


def _level(title: str, model: str, found: Estimate, published: bool = False) -> Series:
    point = Point(None, found.value, None, found.interval)
    return Series(title, look_of(model), Shape.LEVEL, [point], published)


def _published(evidence: Evidence, dataset: str, metric: str) -> list[Series]:
    """The paper's values: lines of its table, and points of its figure."""
    paper = evidence.paper
    series = [
        _level(evidence.title(dataset, model).text, model, Estimate(row[metric], None), True)
        for model in BASELINES
        if metric in (row := paper.of(dataset, model))
    ]
    points = {
        int(n): row[metric]
        for (name, n), row in paper.curve.items()
        if name == dataset and metric in row
    }
    if points:
        found = [Point(n, points[n], name=f"N = {n}") for n in sorted(points)]
        series.append(Series(CURVE, look_of("sasrec+1"), Shape.CURVE, found, published=True))
    return series


def _in_words(metric: str, panels: Sequence[Panel]) -> str:
    parts = [
        f"Test {metric} over the number of negatives N on a logarithmic axis, a panel for each "
        "dataset."
    ]
    for panel in panels:
        ours = [one for one in panel.series if not one.published]
        curve = next((one for one in ours if one.shape is Shape.CURVE), None)
        levels = {one.label: one.points[0].y or 0.0 for one in ours if one.shape is Shape.LEVEL}
        said = []
        if curve:
            said.append(_rise(curve, levels))
        said += [f"{label} is at {number(value, 4)}" for label, value in levels.items()]
        parts.append(f"{panel.title}: {'; '.join(said) or panel.note_in_line}.")
    return " ".join(parts)


def _rise(curve: Series, levels: Mapping[str, float]) -> str:
    first, last = curve.points[0], curve.points[-1]
    text = f"{CURVE} has {number(first.y or 0, 4)} at {first.name}"
    if first != last:
        text += f" and {number(last.y or 0, 4)} at {last.name}"
    for label, value in levels.items():
        above = list(curve.points)
        while above and (above[-1].y or 0) > value:
            above.pop()
        if len(above) < len(curve.points):
            text += f", above {label} from {curve.points[len(above)].name} on"
    return text

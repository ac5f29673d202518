"""Quality by what a model costs, and by how much of the catalogue it recommends."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

from seqrec.experiment.naming import dataset_title
from seqrec.report.detectable import detectable_shares, scored_models
from seqrec.report.evidence import Evidence
from seqrec.report.figures.chart import Axis, Chart, Panel, Point, Series, Shape
from seqrec.report.figures.shown import (
    CURVE,
    left_out,
    log_axis,
    looks_in,
    nothing,
    panels_of,
    shown_models,
)
from seqrec.report.looks import DOTTED, INK, Look, look_of
from seqrec.report.measured import Measured
from seqrec.report.metrics import main_metric, metric_title
from seqrec.report.numbers import number
from seqrec.report.operations import millions_to_best
from seqrec.report.paper import curve_negatives
from seqrec.report.recommended import recommended

LEAST_SECONDS = 1
"""Runs that train for less are drawn as lines across, not as points."""

LEAST_SHARE = 0.5
"""Models below this share of the best are named in the figure of costs, and not drawn."""

TOLD = "below: usually told from the best"

RULE = Look(INK, DOTTED, strength=0.5)

NOT_COUNTED = "no finished run\nwhose operations can be counted"

NO_COUNTS = "no finished run tells\nwhat it recommends"


def quality_by_time_chart(evidence: Evidence) -> Chart:
    """Show the test metric of each run against its training time on a logarithmic axis."""
    metric = main_metric(evidence.metrics)
    title = metric_title(metric)
    panels = panels_of(evidence, lambda dataset: _by_time(evidence, dataset, metric))
    return Chart(
        f"Test {title} by training time",
        panels,
        f"Test {title} of each run over its training time on a logarithmic axis, a panel for each "
        f"dataset. {_extremes(panels, 'quickest', ' s')}",
    )


def quality_by_cost_chart(evidence: Evidence) -> Chart:
    """Show the test metric of each model against the operations of its training."""
    metric = main_metric(evidence.metrics)
    title = metric_title(metric)

    def panel(dataset: str) -> Panel:
        series = _models(evidence, dataset, metric, lambda one: millions_to_best(one.records))
        series, far_below = _near_the_best(series)
        costs = [point.x for one in series for point in one.points if point.x]
        axis = log_axis("million multiplications per interaction", costs)
        if series:
            series += _rule_below_best(evidence, dataset, series)
        made = _panel(evidence, dataset, axis, series, NOT_COUNTED)
        return replace(made, note="\n".join(filter(None, [made.note, far_below])))

    panels = panels_of(evidence, panel)
    return Chart(
        f"Test {title} by cost of training",
        panels,
        f"Test {title} over the multiplications for each interaction of the training up to the "
        "best epoch, in millions on a logarithmic axis, a panel for each dataset. "
        f"{_extremes(panels, 'cheapest', ' million')}",
    )


def quality_by_coverage_chart(evidence: Evidence) -> Chart:
    """Show the test metric of each model against how many of the items it recommends."""
    metric = main_metric(evidence.metrics)
    title = metric_title(metric)

    def panel(dataset: str) -> Panel:
        series = _models(evidence, dataset, metric, _coverage)
        axis = Axis("coverage@10, % of the items", low=0.0)
        return _panel(evidence, dataset, axis, series, NO_COUNTS)

    panels = panels_of(evidence, panel)
    return Chart(
        f"Test {title} by coverage of the catalogue",
        panels,
        f"Test {title} over the share of all items that are among the ten recommended to anyone, a "
        f"panel for each dataset. {_extremes(panels, 'narrowest', '%')}",
    )


def _by_time(evidence: Evidence, dataset: str, metric: str) -> Panel:
    drawn, series = looks_in(evidence), []
    for model, one in shown_models(evidence, dataset).items():
        title = evidence.title(dataset, model).text
        for record, quality in zip(one.records, one.scores[metric].seeds, strict=True):
            if record.predictions is not None:
                continue  # nobody knows how long its training took
            seconds, shape = record.training_seconds, Shape.POINTS
            point = Point(seconds, float(quality), name=f"{model}/seed-{record.seed}")
            if seconds < LEAST_SECONDS:
                point, shape = point._replace(x=None), Shape.LEVEL
            series.append(Series(title, drawn[model], shape, [point]))
    times = [point.x for one in series for point in one.points if point.x is not None]
    axis = log_axis("training time, s", times)
    otherwise = nothing(evidence.records(dataset))
    panel = _panel(evidence, dataset, axis, series, otherwise)
    return replace(panel, y=replace(panel.y, low=0.0))


def _models(
    evidence: Evidence, dataset: str, metric: str, place: Callable[[Measured], float | None]
) -> list[Series]:
    """Show the models for which there is a `place` along x; those of SASRec+ N form a line."""
    drawn = looks_in(evidence)
    curve, others = [], []
    for name, one in shown_models(evidence, dataset).items():
        x = place(one)
        if x is None:
            continue
        point = Point(x, one.mean(metric))
        if (n := curve_negatives(one.records[0])) is not None:
            curve.append((n, point._replace(name=str(n))))
        else:
            title = evidence.title(dataset, name).text
            others.append(Series(title, drawn[name], Shape.POINTS, [point]))
    if not curve:
        return others
    line = [point for _, point in sorted(curve)]
    return [Series(CURVE, look_of("sasrec+1"), Shape.CURVE, line, named=True), *others]


def _near_the_best(series: Sequence[Series]) -> tuple[list[Series], str]:
    """Leave out models so far below the best that the others could not be told apart, and say so.

    Such is a training that stopped before it had learned more than popularity.
    """
    best = max((point.y or 0.0 for one in series for point in one.points), default=0.0)
    far = [
        one
        for one in series
        if one.shape is Shape.POINTS and (one.points[0].y or 0.0) < LEAST_SHARE * best
    ]
    named = (f"{one.label} {number(one.points[0].y or 0.0, 4)}" for one in far)
    note = f"not drawn: {', '.join(named)}" if far else ""
    return [one for one in series if one not in far], note


def _rule_below_best(evidence: Evidence, dataset: str, shown: Sequence[Series]) -> list[Series]:
    """Draw the value below which the test usually tells a model from the best shown."""
    models, metric = evidence.comparable[dataset], main_metric(evidence.metrics)
    trained = [one for one in models.values() if one.best_epochs]
    if not trained:
        return []
    seeds = min(len(one.records) for one in trained)
    shares = detectable_shares(scored_models(models, metric), seeds)
    if not shares:
        return []
    best = max(point.y or 0.0 for one in shown for point in one.points)
    return [Series(TOLD, RULE, Shape.LEVEL, [Point(None, best / (1 + median(shares)))])]


def _coverage(measured: Measured) -> float | None:
    """Share of the items that a model recommends to anyone, in percent, if its records say so."""
    found = recommended(measured.records)
    return 100 * found.coverage if found else None


def _panel(
    evidence: Evidence, dataset: str, x: Axis, series: Sequence[Series], otherwise: str
) -> Panel:
    y = Axis(f"test {metric_title(main_metric(evidence.metrics))}")
    note = left_out(evidence, dataset) if series else otherwise
    return Panel(dataset_title(dataset), x, y, series, note=note)


def _extremes(panels: Sequence[Panel], least: str, unit: str) -> str:
    """Say in each panel which model is furthest left, and which is best."""
    parts = []
    for panel in panels:
        ends = [(p, one) for one in panel.series for p in one.points if p.x is not None]
        if ends:
            left = _end(*min(ends, key=lambda end: end[0].x or 0.0))
            best = _end(*max(ends, key=lambda end: end[0].y or 0.0))
            parts.append(f"{panel.title}: {least} is {left}{unit}, best is {best}{unit}.")
            rules = [one.points[0].y or 0.0 for one in panel.series if one.label == TOLD]
            parts += [f"The test usually tells what lies below {number(y, 4)}." for y in rules]
        else:
            parts.append(f"{panel.title}: {panel.note_in_line}.")
    return " ".join(parts)


def _end(point: Point, one: Series) -> str:
    name = one.label.replace(" N", f" {point.name}") if one.named else one.label
    return f"{name} with {number(point.y or 0.0, 4)} at {number(point.x or 0.0, 1)}"

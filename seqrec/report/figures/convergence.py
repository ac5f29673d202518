"""Convergence: validation quality during training."""

from collections.abc import Mapping, Sequence

from seqrec.experiment.naming import dataset_title
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.report.evidence import Evidence
from seqrec.report.figures.chart import Axis, Chart, LegendKey, Panel, Point, Series, Shape
from seqrec.report.figures.histories import curve, mean_series, run_series
from seqrec.report.figures.shown import (
    compared_models,
    left_out,
    log_axis,
    looks_in,
    nothing,
    panels_of,
)
from seqrec.report.looks import Look
from seqrec.report.metrics import metric_title
from seqrec.report.numbers import number

TITLE = metric_title(STOPPING_METRIC)


def convergence_chart(evidence: Evidence) -> Chart:
    """Show validation NDCG@10 by epoch: the mean over a model's seeds within their range."""
    drawn = looks_in(evidence)
    panels = panels_of(evidence, lambda dataset: _by_epoch(evidence, dataset, drawn))
    return Chart(
        f"Convergence: validation {TITLE} by epoch",
        panels,
        _in_words(panels),
        [
            LegendKey("range over seeds", Shape.LINE, interval=True),
            LegendKey("best epoch (mean and range)", Shape.POINTS),
            LegendKey("best epoch, published", Shape.FOOT, published=True),
        ],
    )


def convergence_by_time_chart(evidence: Evidence) -> Chart:
    """Show validation NDCG@10 by training time, run by run: times are not averaged."""
    drawn = looks_in(evidence)
    panels = panels_of(evidence, lambda dataset: _by_time(evidence, dataset, drawn))
    return Chart(
        f"Convergence: validation {TITLE} by training time",
        panels,
        f"Validation {TITLE} of each run over training time on a logarithmic axis, a panel for "
        "each dataset; a marker shows the best epoch.",
        [LegendKey("best epoch", Shape.POINTS)],
    )


def _by_epoch(evidence: Evidence, dataset: str, drawn: Mapping[str, Look]) -> Panel:
    series, published = [], []
    for model, measured in compared_models(evidence, dataset).items():
        found = [c for record in measured.records if (c := curve(record, "epoch", STOPPING_METRIC))]
        title = evidence.title(dataset, model).text
        if found:
            series += mean_series(title, drawn[model], found)
        best = evidence.paper.results.get((dataset, model), {}).get("best_epoch")
        if found and best:
            foot = Point(best, None, name="best epoch, published")
            published.append(Series(title, drawn[model], Shape.FOOT, [foot], published=True))
    return _panel(evidence, dataset, "epoch", [*series, *published])


def _by_time(evidence: Evidence, dataset: str, drawn: Mapping[str, Look]) -> Panel:
    series = []
    for model, measured in compared_models(evidence, dataset).items():
        title = evidence.title(dataset, model).text
        for record in measured.records:
            if found := curve(record, "seconds", STOPPING_METRIC):
                series += run_series(title, drawn[model], record, found)
    return _panel(evidence, dataset, "training time, s", series)


def _panel(evidence: Evidence, dataset: str, label: str, series: Sequence[Series]) -> Panel:
    places = [p.x for one in series for p in one.points if p.x is not None and p.x > 0]
    return Panel(
        dataset_title(dataset),
        log_axis(label, places),
        Axis(f"validation {TITLE}", low=0.0),
        series,
        note=left_out(evidence, dataset) if series else nothing(evidence.records(dataset)),
    )


def _in_words(panels: Sequence[Panel]) -> str:
    parts = [f"Validation {TITLE} over epochs on a logarithmic axis, a panel for each dataset."]
    for panel in panels:
        best = [
            f"{one.label} is best at epoch {number(p.x)} with {number(p.y, 4)}"
            for one in panel.series
            for p in one.points
            if one.shape is Shape.POINTS and p.x is not None and p.y is not None
        ]
        parts.append(f"{panel.title}: {'; '.join(best) or panel.note_in_line}.")
    return " ".join(parts)

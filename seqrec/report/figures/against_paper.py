"""Ours against the paper: how far each metric is from its published value."""

from collections.abc import Sequence

from seqrec.experiment.naming import dataset_title
from seqrec.report.evidence import Evidence
from seqrec.report.figures.chart import Axis, Chart, LegendKey, Panel, Point, Series, Shape, Tick
from seqrec.report.figures.shown import nothing, panels_of
from seqrec.report.inference import Interval
from seqrec.report.levels import CONFIDENCE, REPRODUCED_WITHIN
from seqrec.report.looks import look_of
from seqrec.report.metrics import metric_title
from seqrec.report.verdicts import (
    BEST_EPOCH,
    Outcome,
    ShownIn,
    Verdict,
    verdicts,
)


def against_paper_chart(evidence: Evidence) -> Chart:
    """Show our metrics relative to the published ones, and where one more training might lie."""
    judged = [
        one
        for one in verdicts(evidence)
        if one.outcome.decided and one.published.quantity != BEST_EPOCH
    ]
    panels = panels_of(evidence, lambda dataset: _panel(evidence, dataset, judged))
    return Chart(
        "Our metrics relative to the published ones",
        panels,
        _in_words(evidence, judged),
        [
            LegendKey(
                f"mean of our seeds; bar: one more training ({CONFIDENCE:.0%})", Shape.POINTS
            ),
            LegendKey(
                f"within {REPRODUCED_WITHIN:.0%} of the published value", Shape.LINE, interval=True
            ),
        ],
        columns=2,
    )


def _panel(evidence: Evidence, dataset: str, judged: Sequence[Verdict]) -> Panel:
    rows = [one for one in judged if one.published.dataset == dataset]
    series, ticks = [], []
    for row, one in enumerate(reversed(rows)):
        label = _name(evidence, one)
        beyond = one.outcome not in (Outcome.REPRODUCED, Outcome.PLAUSIBLE)
        ticks.append(Tick(row, f"{label}: {one.outcome}" if beyond else label))
        reach = one.prediction and Interval(*(_percent(end, one) for end in one.prediction))
        point = Point(_percent(one.ours or 0.0, one), row, reach, name=f"{label}: {one.outcome}")
        series.append(Series("", look_of(one.published.model), Shape.POINTS, [point]))
    within = 100 * REPRODUCED_WITHIN
    return Panel(
        dataset_title(dataset),
        Axis("difference, %"),
        Axis("", ticks=ticks[::-1], low=-0.7, high=len(rows) - 0.3),
        series,
        shaded=Interval(-within, within),
        note="" if rows else nothing(evidence.records(dataset)),
    )


def _name(evidence: Evidence, one: Verdict) -> str:
    published = one.published
    title = evidence.title(published.dataset, published.model).text
    metric = metric_title(published.quantity)
    return f"{title}, {metric}" + (" (figure)" if published.source is ShownIn.FIGURE else "")


def _percent(value: float, one: Verdict) -> float:
    """Return a value as a difference from the published one, in percent."""
    return 100 * (value / one.published.value - 1)


def _in_words(evidence: Evidence, judged: Sequence[Verdict]) -> str:
    parts = [
        "Our metrics relative to the published ones, a row for each value and a panel for each "
        "dataset."
    ]
    for dataset in evidence.datasets:
        rows = [one for one in judged if one.published.dataset == dataset]
        if not rows:
            continue
        near = sum(one.outcome is Outcome.REPRODUCED for one in rows)
        text = f"{dataset_title(dataset)}: {near} of {len(rows)} are within {REPRODUCED_WITHIN:.0%}"
        others = [
            f"{_name(evidence, one)} at {_percent(one.ours or 0.0, one):+.1f}% ({one.outcome})"
            for one in rows
            if one.outcome is not Outcome.REPRODUCED
        ]
        parts.append(f"{text}; beyond: {', '.join(others)}." if others else f"{text}.")
    return " ".join(parts)

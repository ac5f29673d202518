"""What the best of fewer trials would have been, for each model of a dataset."""

from collections.abc import Sequence
from statistics import fmean

from seqrec.experiment.naming import dataset_title
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.report.evidence import Evidence
from seqrec.report.expected import Expected, expected_of_best
from seqrec.report.figures.chart import Axis, Chart, LegendKey, Panel, Point, Series, Shape
from seqrec.report.figures.shown import log_axis, number_ticks
from seqrec.report.looks import looks
from seqrec.report.metrics import main_metric, metric_title
from seqrec.report.numbers import number
from seqrec.report.searches import ModelSearch

NO_TRIAL = "no finished trial"


def tries_chart(evidence: Evidence, dataset: str) -> Chart:
    """Show the expected best of n trials by n, and by the training time that n trials take."""
    metric = main_metric(evidence.metrics)
    made = [one for one in evidence.searches_of(dataset) if one.trials]
    labels = (
        f"validation {metric_title(STOPPING_METRIC)} of the best",
        f"test {metric_title(metric)} of the chosen",
    )
    curves = [
        [_of(one, [trial.validation for trial in one.trials]) for one in made],
        [_of(one, [trial.test(metric) for trial in one.trials]) for one in made],
    ]
    titles = (f"Validation {metric_title(STOPPING_METRIC)}", f"Test {metric_title(metric)}")
    panels = [
        *(_by_trials(evidence, made, *each) for each in zip(titles, labels, curves, strict=True)),
        *(_by_time(evidence, made, *each) for each in zip(titles, labels, curves, strict=True)),
    ]
    return Chart(
        f"{dataset_title(dataset)}: the best of n trials",
        panels,
        _in_words(evidence, dataset, made, curves[0]),
        [LegendKey("95% of the subsets of n trials", Shape.LINE, interval=True)],
        columns=2,
    )


def _of(one: ModelSearch, values: Sequence[float]) -> list[Expected]:
    return expected_of_best([trial.validation for trial in one.trials], values)


def _by_trials(
    evidence: Evidence,
    made: Sequence[ModelSearch],
    title: str,
    label: str,
    curves: Sequence[Sequence[Expected]],
) -> Panel:
    drawn = looks(one.base for one in made)
    series = [
        Series(
            evidence.found.title(one.base),
            drawn[one.base],
            Shape.LINE,
            [Point(at.trials, at.mean, None, at.interval) for at in curve],
        )
        for one, curve in zip(made, curves, strict=True)
    ]
    numbers = [n for n in (1, 2, 3, 5, 10, 20, 50, 100, 1000) if n <= _most(made)]
    axis = Axis("trials", log=True, ticks=number_ticks(numbers)) if numbers else Axis("trials")
    return Panel(f"{title} by trials", axis, Axis(label), series, note="" if series else NO_TRIAL)


def _by_time(
    evidence: Evidence,
    made: Sequence[ModelSearch],
    title: str,
    label: str,
    curves: Sequence[Sequence[Expected]],
) -> Panel:
    """Show the same curves by time: n trials take n times the mean of a trial."""
    drawn = looks(one.base for one in made)
    series = []
    for one, curve in zip(made, curves, strict=True):
        seconds = fmean(trial.seconds for trial in one.trials)
        points = [Point(at.trials * seconds, at.mean, name=f"n = {at.trials}") for at in curve]
        name = evidence.found.title(one.base)
        series.append(Series(name, drawn[one.base], Shape.LINE, points))
    times = [point.x for one in series for point in one.points if point.x]
    axis = log_axis("training time of n trials, s", times)
    return Panel(
        f"{title} by training time", axis, Axis(label), series, note="" if series else NO_TRIAL
    )


def _most(made: Sequence[ModelSearch]) -> int:
    return max((len(one.trials) for one in made), default=0)


def _in_words(
    evidence: Evidence,
    dataset: str,
    made: Sequence[ModelSearch],
    curves: Sequence[Sequence[Expected]],
) -> str:
    parts = [
        f"{evidence.found.title(one.base)} from {number(curve[0].mean, 4)} with one trial to "
        f"{number(curve[-1].mean, 4)} with {curve[-1].trials}"
        for one, curve in zip(made, curves, strict=True)
    ]
    return (
        f"The expected best validation on {dataset_title(dataset)} by number of trials, and the "
        "test of the trial that is chosen; below, both by training time. "
        f"{'; '.join(parts) or NO_TRIAL}."
    )

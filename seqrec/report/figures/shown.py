"""What figures show of an experiment: its datasets, models, numbers and intervals."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from seqrec.experiment.naming import baselines, is_the_papers, newcomers
from seqrec.records.record import Record
from seqrec.report.differences import scatters
from seqrec.report.evidence import Evidence
from seqrec.report.figures.chart import Axis, Panel, Point, Series, Shape, Tick
from seqrec.report.inference import Interval, Scatter, Scores, contrast
from seqrec.report.looks import Look, looks
from seqrec.report.measured import Measured
from seqrec.report.metrics import main_metric
from seqrec.report.numbers import number

NO_RUN = "no finished run"

NO_RUN_SHOWN_HERE = "no finished run\nof a model shown here"

NO_PAIR = "no finished models\non the same data"

PAPER_ONLY = "paper only"

CURVE = "SASRec+ N"
"""The title of all models SASRec+ N together."""

MOST_OTHERS = 20
"""How many models that are not the paper's a figure has room for; the best are shown."""


def looks_in(evidence: Evidence) -> dict[str, Look]:
    """Assign looks to all models of an experiment, the same in all of its figures."""
    return looks(run.model for run in evidence.found.runs)


def panels_of(evidence: Evidence, panel: Callable[[str], Panel]) -> list[Panel]:
    """Make a panel for each dataset, in order.

    Panels that show nothing are left out as long as another shows something.
    """
    made = [panel(dataset) for dataset in evidence.datasets]
    return [one for one in made if not one.empty] or made


def nothing(records: Sequence[Record]) -> str:
    """Say why a panel shows nothing, although there may be `records` of its dataset."""
    return NO_RUN_SHOWN_HERE if records else NO_RUN


def shown_models(evidence: Evidence, dataset: str) -> dict[str, Measured]:
    """Choose the models of a dataset that there is room for: the paper's and the best others."""
    models = evidence.measured[dataset]
    others = newcomers(models)
    metric = main_metric(evidence.metrics)
    best = sorted(others, key=lambda name: -models[name].mean(metric))[:MOST_OTHERS]
    return {name: one for name, one in models.items() if is_the_papers(name) or name in best}


def left_out(evidence: Evidence, dataset: str) -> str:
    """Say how many models there is no room for; blank if none."""
    count = len(evidence.measured[dataset]) - len(shown_models(evidence, dataset))
    return f"without {number(count)} lesser models" if count else ""


def compared_models(evidence: Evidence, dataset: str) -> dict[str, Measured]:
    """Choose the models of the paper's figure of convergence, and models not of the paper."""
    models = shown_models(evidence, dataset)
    names = (*baselines(models), "gpt4rec", *newcomers(models))
    return {name: models[name] for name in names if name in models}


class Estimate(NamedTuple):
    """The mean of a metric, and its interval over users and seeds; None of a single user."""

    value: float
    interval: Interval | None


def estimate(scores: Scores, scatter: Scatter) -> Estimate:
    """Estimate a mean, for other users and seeds."""
    found = contrast([scores], [1.0], [scatter])
    return Estimate(found.value, found.interval if math.isfinite(found.interval.low) else None)


def estimates(evidence: Evidence, dataset: str, metric: str) -> dict[str, Estimate]:
    """Estimate the mean of each model on a dataset."""
    measured, together = evidence.measured[dataset], evidence.comparable[dataset]
    groups = [together] if together else [{name: one} for name, one in measured.items()]
    return {
        name: estimate(known.scores[name], known.of(name))
        for known in (scatters(models, metric) for models in groups)
        for name in known.scores
    }


def marked_line(label: str, look: Look, points: Sequence[Point]) -> list[Series]:
    """Show points as a line with markers, their intervals as a band."""
    bare = [point._replace(y_interval=None) for point in points]
    return [Series(label, look, Shape.LINE, points), Series(label, look, Shape.POINTS, bare)]


def number_ticks(values: Iterable[float]) -> list[Tick]:
    """Label these values on an axis."""
    return [Tick(value, number(value)) for value in sorted(set(values))]


def log_axis(label: str, values: Sequence[float]) -> Axis:
    """Make a logarithmic axis for these values, labelled at 1, 2 and 5 times powers of ten.

    Without values it is an axis like any other.
    """
    if not values:
        return Axis(label)
    places = [digit * 10.0**power for power in range(-4, 16) for digit in (1, 2, 5)]
    low, high = min(values), max(values)
    around = [place for place in places if low / 1.5 <= place <= high * 1.5]
    decimals = [0 if place >= 1 else len(f"{place:g}") - 2 for place in around]
    ticks = [Tick(place, number(place, d)) for place, d in zip(around, decimals, strict=True)]
    return Axis(label, log=True, ticks=ticks)

"""Quality by the number of negatives."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records.record import Record
from seqrec.records.survey import Survey
from seqrec.report.figures.lines import NAMED
from seqrec.report.figures.panels import add_legend, drawn_datasets, panels, say_empty
from seqrec.report.figures.style import own_style
from seqrec.report.inference import mean_and_deviation
from seqrec.report.looks import display
from seqrec.report.paper import Published, curve_negatives

BASELINES: dict[str, Any] = {
    "sasrec+": (0, (7, 2)),
    "sasrec": (0, (2, 1.5)),
    "bert4rec": (0, (5, 1.5, 1, 1.5)),
}
"""Models that do not depend on N, each dashed in its own rhythm for print without colour."""


@own_style()
def negatives_figure(found: Survey, published: Published, only: str | None = None) -> Figure:
    """Draw test NDCG@10 of SASRec+ N against N, beside models that do not depend on N.

    `published` has the paper's curve by dataset and N. `only`: the one dataset to draw.
    """
    datasets = drawn_datasets(found, only)
    title = "Test NDCG@10 by number of negatives"
    figure, made = panels(datasets, title, "negatives per sequence, N", "test NDCG@10")
    for dataset, axes in made.items():
        records = [record for record in found.records if record.dataset == dataset]
        curve = {n: r.model for r in records if (n := curve_negatives(r)) is not None}
        flat = [model for model in BASELINES if any(r.model == model for r in records)]
        if not curve and not flat:
            say_empty(axes, bool(records))
            continue
        axes.set_xscale("log")
        _draw_curve(axes, records, curve)
        for model in flat:
            _draw_across(axes, records, model)
        theirs = {
            int(n): row[STOPPING_METRIC] for (name, n), row in published.items() if name == dataset
        }
        _draw_published(axes, theirs)
        ticks = sorted({*curve, *theirs})
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FixedFormatter([str(n) for n in ticks]))
        axes.xaxis.set_minor_locator(NullLocator())
    add_legend(figure, made.values())
    return figure


def _draw_curve(axes: Axes, records: Sequence[Record], curve: Mapping[int, str]) -> None:
    """Draw the means of SASRec+ N, with error bars where there are several seeds."""
    if not curve:
        return
    numbers = sorted(curve)
    look = display(curve[numbers[0]])
    scores = [_score(records, curve[n]) for n in numbers]
    means = [mean for mean, _ in scores]
    axes.plot(
        numbers,
        means,
        color=look.colour,
        linestyle=look.line,
        marker=look.marker,
        zorder=3,
        label="SASRec+ N",
        gid=NAMED,
    )
    if any(deviations := [deviation for _, deviation in scores]):
        axes.errorbar(numbers, means, deviations, color=look.colour, fmt="none", capsize=2)


def _draw_across(axes: Axes, records: Sequence[Record], model: str) -> None:
    mean, _ = _score(records, model)
    look = display(model)
    axes.axhline(mean, color=look.colour, linestyle=BASELINES[model], label=look.title, gid=NAMED)


def _draw_published(axes: Axes, points: Mapping[int, float]) -> None:
    if not points:
        return
    axes.plot(
        sorted(points),
        [points[n] for n in sorted(points)],
        linestyle="none",
        marker="o",
        markersize=6,
        markerfacecolor="none",
        markeredgecolor="#767676",
        label="SASRec+ N, published",
        gid=NAMED,
    )


def _score(records: Sequence[Record], model: str) -> tuple[float, float]:
    """Return mean and standard deviation (0 for one seed) of the test metric over seeds."""
    values = [record.test.get(STOPPING_METRIC) for record in records if record.model == model]
    mean, deviation = mean_and_deviation(values)
    return math.nan if mean is None else mean, deviation or 0.0

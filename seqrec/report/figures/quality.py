"""Quality by training time."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from seqrec.experiment.naming import in_order
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records.survey import Survey
from seqrec.report.figures.lines import run_line
from seqrec.report.figures.panels import COLUMNS, add_legend, drawn_datasets, panels, say_empty
from seqrec.report.figures.style import own_style
from seqrec.report.looks import looks

LEAST_SECONDS = 1
"""Runs that train for less are drawn as lines across, not as points."""


@own_style()
def quality_figure(found: Survey, only: str | None = None) -> Figure:
    """Draw test NDCG@10 of each run against its training time on a logarithmic axis.

    `only`: the one dataset to draw.
    """
    datasets = drawn_datasets(found, only, trained=False)
    title = "Test NDCG@10 by training time"
    figure, made = panels(datasets, title, "training time, s", "test NDCG@10")
    drawn = looks(run.model for run in found.runs)
    for dataset, axes in made.items():
        records = [record for record in found.records if record.dataset == dataset]
        order = in_order(record.model for record in records)
        if not records:
            say_empty(axes)
            continue
        axes.set_xscale("log")
        for record in sorted(records, key=lambda record: order.index(record.model)):
            line, quality = run_line(drawn[record.model], record), record.test[STOPPING_METRIC]
            if record.training_seconds < LEAST_SECONDS:
                axes.axhline(quality, **line | {"marker": ""})
            else:
                point = line | {"linestyle": "none", "markersize": 6}
                axes.plot(record.training_seconds, quality, **point)
        axes.set_ylim(bottom=0)
        times = [r.training_seconds for r in records if r.training_seconds >= LEAST_SECONDS]
        axes.xaxis.set_major_locator(_log_ticks(times, 4 if len(made) >= COLUMNS else 8))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    add_legend(figure, made.values())
    return figure


def _log_ticks(values: Sequence[float], room: int) -> LogLocator:
    """Place as many ticks in each decade as leave `room` labels of these values apart."""
    decades = math.log10(max(values) / min(values)) if values else 0
    finer = ((1, 2, 5), (1, 3))
    return LogLocator(subs=next((s for s in finer if len(s) * decades + 1 <= room), (1,)))

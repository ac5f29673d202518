"""How the lines and markers of single runs are drawn."""

from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from seqrec.records.record import Record
from seqrec.report.looks import Display

NAMED = "named"
"""Marks a line that answers the pointer; the line of a single run bears the run's name instead."""

FAINTEST = 0.45
"""Opacity of the weakest black line: a contrast of 3 with white."""


def run_line(look: Display, record: Record) -> dict[str, Any]:
    """Return how a run's line and marker are drawn, with its name for the pointer."""
    return {
        "color": (look.colour, FAINTEST + (1 - FAINTEST) * look.strength),
        "linestyle": look.line,
        "linewidth": 1.0,
        "marker": look.marker,
        "markeredgecolor": look.colour,
        "markerfacecolor": (look.colour, look.strength),
        "label": look.title,
        "gid": f"{record.model}/seed-{record.seed}",
    }


def draw_histories(
    axes: Axes, runs: Iterable[tuple[Record, Display]], against: str, column: str
) -> None:
    """Draw a column of each run's history against another, with a marker at the best epoch.

    Each seed has a thin line of its own: after early stopping, a mean would be over fewer and fewer
    seeds.
    """
    for record, look in runs:
        history = record.history()
        if column not in history or history.empty:
            continue
        axes.plot(
            history[against],
            history[column],
            markevery=[history["epoch"].tolist().index(record.best_epoch)],
            **run_line(look, record),
        )
    if axes.lines:
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(
            MaxNLocator(5, steps=[1, 2, 5, 10], integer=against == "epoch", min_n_ticks=1)
        )

"""The frame of a figure: one panel for each dataset, and one legend for all."""

import math
import textwrap
from collections.abc import Iterable, Sequence
from itertools import count

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqrec.experiment.naming import dataset_title
from seqrec.records.survey import Survey
from seqrec.report.measured import datasets_of

COLUMNS = 3
"""Panels side by side."""

WIDTH_INCHES = 7.0

PLOTS_SHARE = 2 / 3
"""Least share of a figure's height that its panels have, however many models the legend names."""

NO_RUN = "no finished run"

NO_RUN_SHOWN_HERE = "no finished run\nof a model shown here"


def drawn_datasets(found: Survey, only: str | None, trained: bool = True) -> list[str]:
    """List the datasets to draw in the paper's order, or `only` that one.

    Datasets without a finished run, or if `trained` without one that was trained in epochs, are
    left out as long as another has one.
    """
    finished = {record.dataset for record in found.records if record.epochs or not trained}
    names = [only] if only else datasets_of(found)
    return [dataset for dataset in names if dataset in finished] or names


def panels(datasets: Sequence[str], title: str, x: str, y: str) -> tuple[Figure, dict[str, Axes]]:
    """Create a figure with one panel for each dataset; outer panels have the labels `x` and `y`."""
    columns = max(1, min(COLUMNS, len(datasets)))
    rows = max(1, math.ceil(len(datasets) / columns))
    # One or two panels are drawn larger, but do not fill the width.
    panel = WIDTH_INCHES / COLUMNS if columns == COLUMNS else WIDTH_INCHES / 2
    height = 0.8 * panel * rows + 0.5
    figure = Figure(figsize=(panel * columns, height), layout="constrained")
    figure.suptitle(title)
    made = {}
    for number, dataset in enumerate(datasets):
        axes = made[dataset] = figure.add_subplot(rows, columns, number + 1)
        axes.set_title(_wrapped(dataset_title(dataset), int(12 * panel)))
        if number % columns == 0:
            axes.set_ylabel(y)
        if number + columns >= len(datasets):
            axes.set_xlabel(x)
    return figure, made


def say_empty(axes: Axes, finished: bool = False) -> None:
    """Say that a panel shows nothing; `finished`: runs of other models have finished."""
    axes.grid(False)
    axes.set(xticks=[], yticks=[])
    text = NO_RUN_SHOWN_HERE if finished else NO_RUN
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="#555555")


def add_legend(figure: Figure, panels: Iterable[Axes]) -> None:
    """Add one legend for all panels, each model once, in as few rows as fit.

    The figure grows by the height of the legend.
    """
    entries: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(str(label), handle)
    if not entries:
        return
    labels = [_wrapped(label, 30) for label in entries]
    for rows in count(1):
        columns = math.ceil(len(entries) / rows)
        legend = figure.legend(
            list(entries.values()), labels, loc="outside lower center", ncols=columns
        )
        size = legend.get_window_extent()
        if columns == 1 or size.width <= figure.bbox.width:
            break
        legend.remove()
    height = size.height / figure.dpi
    others = height + 0.5  # with the title and the space between them
    figure.set_figheight(max(figure.get_figheight() + height, others / (1 - PLOTS_SHARE)))


def _wrapped(text: str, characters: int) -> str:
    return textwrap.fill(text, characters, max_lines=3, placeholder="…")

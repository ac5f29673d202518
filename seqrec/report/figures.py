"""The paper's figures and those of the report, drawn from run records and published numbers and
nothing else: for print, and as pages that answer the pointer."""

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    LogLocator,
    MaxNLocator,
    NullLocator,
    StrMethodFormatter,
)

from seqrec.experiment.naming import dataset_title, model_order, sampled_negatives
from seqrec.files import replacing, write_text
from seqrec.records.record import Record
from seqrec.records.survey import Survey, survey
from seqrec.report.inference import mean_and_deviation
from seqrec.report.looks import Display, display, looks
from seqrec.report.measured import datasets_of
from seqrec.report.pages import FAINT, INK, figure_page
from seqrec.report.paper import PUBLISHED, Published, curve_negatives, read_published

METRIC = "ndcg@10"


# Dashed all three, each in its own rhythm for print without colour.
BASELINES: dict[str, Any] = {
    "sasrec+": (0, (7, 2)),
    "sasrec": (0, (2, 1.5)),
    "bert4rec": (0, (5, 1.5, 1, 1.5)),
}


CONVERGING = ("sasrec+", "bert4rec", "gru4rec")


PAPER = {"popularity", "bpr-mf", "sasrec", *CONVERGING}


NAMED = "named"
"""Marks lines that answer the pointer; those of one run carry its name instead."""


COLUMNS = 3


WIDTH_INCHES = 7.0


PLOTS = 2 / 3
"""How much of a figure's height its panels have at least, however many models the legend names."""


FAINTEST = 0.45
"""How opaque a black line is that is drawn weakest: a contrast of 3 with white."""


EMPTY = "no finished run"


NOTHING_TO_SHOW = "no finished run\nof a model shown here"


STYLE: dict[Any, Any] = {
    "text.color": INK,
    "text.parse_math": False,  # a title may hold dollars
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "font.family": "DejaVu Sans",  # matplotlib brings it along: the same on every machine
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "figure.titlesize": 9,
    "figure.labelsize": 8,
    "legend.fontsize": 7,
    "legend.handlelength": 2.6,
    "legend.handletextpad": 0.6,
    "legend.columnspacing": 1.4,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.4,
    "grid.color": FAINT,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "seqrec",
}


# Whatever would differ from one drawing to the next.
METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    "svg": {"Creator": None, "Date": None},
}


def write_figures(results: Path, published: Path = PUBLISHED) -> list[Path]:
    """Write `figures/` of an experiment; returns what was written."""
    found = survey(results)
    paper = read_published(published / "num_negatives.csv", "dataset", "negatives")
    figures = {
        "num_negatives": negatives_figure(found, paper),
        "convergence": convergence_figure(found, "epoch"),
        "convergence_seconds": convergence_figure(found, "seconds"),
        "quality_by_time": quality_figure(found),
    }
    written = []

    def write(name: str, title: str, notes: Sequence[str], figures: Sequence[Figure]) -> None:
        path = results / "figures" / f"{name}.html"
        with _style():
            write_text(path, figure_page(title, notes, figures))
        written.append(path)

    for name, figure in figures.items():
        for form, metadata in METADATA.items():
            path = results / "figures" / f"{name}.{form}"
            with _style(), replacing(path) as part:
                figure.savefig(part, format=form, metadata=metadata)
            written.append(path)
    datasets = datasets_of(found)
    write(
        "num_negatives",
        "Quality by number of negatives",
        [
            "Test NDCG@10 of SASRec+ N for each number of negatives N, in solid; hollow circles "
            "are the published values, read off the paper's figure. Dashed lines do not depend on "
            "N. Error bars are the standard deviation over seeds.",
        ],
        [negatives_figure(found, paper, dataset) for dataset in datasets],
    )
    write(
        "convergence",
        "Convergence",
        [
            "NDCG@10 of the validation items after every epoch, by epoch and by training time. A "
            "marker is the best epoch, whose weights were kept; a line ends where training "
            "stopped. Times compare only on one device.",
        ],
        [convergence_figure(found, by, name) for name in datasets for by in ("epoch", "seconds")],
    )
    write(
        "quality_by_time",
        "Quality by training time",
        [
            "Test NDCG@10 of each run against the time that its training took, validations "
            "included: up and left is better. The fuller the marker of SASRec+ N, the more "
            "negatives. Lines across are models that take less than a second. Times compare only "
            "on one device; the table of runs names each run's.",
        ],
        [quality_figure(found, dataset) for dataset in datasets],
    )
    for dataset in datasets:
        write(
            f"learning/{dataset}",
            f"Learning curves: {dataset_title(dataset)}",
            [
                "Every run that was trained: training loss, and NDCG@10 of the validation items, "
                "after every epoch. A marker is the best epoch; of SASRec+ N it is the fuller, and "
                "the line the darker, the more negatives. Losses of different kinds do not "
                "compare: over all items, over some negatives, or binary.",
            ],
            [learning_figure(found, column, dataset) for column in ("training_loss", METRIC)],
        )
    return written


@contextmanager
def _style() -> Iterator[None]:
    """Our style alone: a reader's own matplotlib settings would change the bytes."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


@_style()
def negatives_figure(found: Survey, published: Published, only: str | None = None) -> Figure:
    """Test NDCG@10 of SASRec+ N against N, beside models that do not depend on N.

    Of this and the other figures, `only` is the one dataset to draw.
    """
    figure, panels = _panels(
        found,
        "Test NDCG@10 by number of negatives",
        "negatives per sequence, N",
        "test NDCG@10",
        only,
    )
    for dataset, axes in panels.items():
        records = [record for record in found.records if record.dataset == dataset]
        curve = {n: r.model for r in records if (n := curve_negatives(r)) is not None}
        flat = [model for model in BASELINES if any(r.model == model for r in records)]
        theirs = {int(n): row[METRIC] for (name, n), row in published.items() if name == dataset}
        if not curve and not flat:
            _empty(axes, bool(records))
            continue
        axes.set_xscale("log")
        if curve:
            shown = display(curve[min(curve)])
            scores = [_score(records, curve[n]) for n in sorted(curve)]
            means = [mean for mean, _ in scores]
            axes.plot(
                sorted(curve),
                means,
                color=shown.colour,
                linestyle=shown.line,
                marker=shown.marker,
                zorder=3,
                label="SASRec+ N",
                gid=NAMED,
            )
            if any(deviations := [deviation for _, deviation in scores]):
                axes.errorbar(
                    sorted(curve), means, deviations, color=shown.colour, fmt="none", capsize=2
                )
        for model in flat:
            mean, _ = _score(records, model)
            shown = display(model)
            axes.axhline(
                mean, color=shown.colour, linestyle=BASELINES[model], label=shown.title, gid=NAMED
            )
        if theirs:
            axes.plot(
                sorted(theirs),
                [theirs[n] for n in sorted(theirs)],
                linestyle="none",
                marker="o",
                markersize=6,
                markerfacecolor="none",
                markeredgecolor="#767676",
                label="SASRec+ N, published",
                gid=NAMED,
            )
        ticks = sorted({*curve, *theirs})
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FixedFormatter([str(n) for n in ticks]))
        axes.xaxis.set_minor_locator(NullLocator())
    _legend(figure, panels.values())
    return figure


@_style()
def convergence_figure(found: Survey, against: str, only: str | None = None) -> Figure:
    """Validation NDCG@10 during training, against the column `epoch` or `seconds`."""
    title, label = {
        "epoch": ("Convergence: validation NDCG@10 by epoch", "epoch"),
        "seconds": ("Convergence: validation NDCG@10 by training time", "training time, s"),
    }[against]
    figure, panels = _panels(found, title, label, "validation NDCG@10", only)
    for dataset, axes in panels.items():
        models = _converging({r.model for r in found.records if r.dataset == dataset})
        _curves(axes, found, dataset, models, against, METRIC)
    _legend(figure, panels.values())
    return figure


@_style()
def quality_figure(found: Survey, only: str | None = None) -> Figure:
    """Test NDCG@10 of each run against its training time on a log axis."""
    title = "Test NDCG@10 by training time"
    figure, panels = _panels(found, title, "training time, s", "test NDCG@10", only, trained=False)
    drawn = looks(run.model for run in found.runs)
    for dataset, axes in panels.items():
        records = [record for record in found.records if record.dataset == dataset]
        if not records:
            _empty(axes)
            continue
        axes.set_xscale("log")
        for record in sorted(records, key=lambda record: model_order(record.model)):
            shown = _line(drawn[record.model], record)
            if record.training_seconds < 1:
                axes.axhline(record.test[METRIC], **shown | {"marker": ""})
            else:
                axes.plot(
                    record.training_seconds,
                    record.test[METRIC],
                    **shown | {"linestyle": "none", "markersize": 6},
                )
        axes.set_ylim(bottom=0)
        times = [r.training_seconds for r in records if r.training_seconds >= 1]
        axes.xaxis.set_major_locator(_log_ticks(times, 4 if len(panels) >= COLUMNS else 8))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    _legend(figure, panels.values())
    return figure


@_style()
def learning_figure(found: Survey, column: str, only: str | None = None) -> Figure:
    """One column of every run's history by epoch: `training_loss` or a validation metric."""
    label = "training loss" if column == "training_loss" else "validation NDCG@10"
    title = label.capitalize().replace("ndcg", "NDCG")
    figure, panels = _panels(found, title, "epoch", label, only)
    models = {record.model for record in found.records}
    for dataset, axes in panels.items():
        _curves(axes, found, dataset, sorted(models, key=model_order), "epoch", column)
    _legend(figure, panels.values())
    return figure


def _name(record: Record) -> str:
    """What a run is called in the results folder, and in a drawing."""
    return f"{record.model}/seed-{record.seed}"


def _line(look: Display, record: Record) -> dict[str, Any]:
    """How a model's line and marker are drawn, and that they answer for this run."""
    return {
        "color": (look.colour, FAINTEST + (1 - FAINTEST) * look.strength),
        "linestyle": look.line,
        "linewidth": 1.0,
        "marker": look.marker,
        "markeredgecolor": look.colour,
        "markerfacecolor": (look.colour, look.strength),
        "label": look.title,
        "gid": _name(record),
    }


def _converging(models: set[str]) -> list[str]:
    """The paper's four, SASRec+ with the most negatives first; then models that are not its own."""
    numbers = [n for model in models if (n := sampled_negatives(model)) is not None]
    most = [f"sasrec+{max(numbers)}"] if numbers else []
    others = sorted(models - PAPER, key=model_order)
    return [*most, *CONVERGING, *(m for m in others if sampled_negatives(m) is None)]


def _curves(
    axes: Axes, found: Survey, dataset: str, models: Iterable[str], against: str, column: str
) -> None:
    """A thin line a seed: after early stopping, a mean would be over other seeds."""
    drawn = looks(run.model for run in found.runs)
    for model in models:
        for record in found.records:
            if (record.dataset, record.model) != (dataset, model):
                continue
            history = record.history()
            if column not in history or history.empty:
                continue
            axes.plot(
                history[against],
                history[column],
                markevery=[history["epoch"].tolist().index(record.best_epoch)],
                **_line(drawn[model], record),
            )
    if axes.lines:
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(
            MaxNLocator(5, steps=[1, 2, 5, 10], integer=against == "epoch", min_n_ticks=1)
        )
    else:
        _empty(axes, any(record.dataset == dataset for record in found.records))


def _panels(
    found: Survey, title: str, x: str, y: str, only: str | None, trained: bool = True
) -> tuple[Figure, dict[str, Axes]]:
    """A figure with one panel a dataset, in the paper's order, or of `only` one; outer panels carry
    the labels.

    Datasets without a finished run, or if `trained` without a training, have none, as long as
    another has.
    """
    finished = {record.dataset for record in found.records if record.epochs or not trained}
    names = [only] if only else datasets_of(found)
    datasets = [dataset for dataset in names if dataset in finished] or names
    columns = max(1, min(COLUMNS, len(datasets)))
    rows = max(1, math.ceil(len(datasets) / columns))
    # One panel or two are drawn larger, not across the page.
    panel = WIDTH_INCHES / COLUMNS if columns == COLUMNS else WIDTH_INCHES / 2
    height = 0.8 * panel * rows + 0.5
    figure = Figure(figsize=(panel * columns, height), layout="constrained")
    figure.suptitle(title)
    panels = {}
    for number, dataset in enumerate(datasets):
        axes = panels[dataset] = figure.add_subplot(rows, columns, number + 1)
        axes.set_title(_wrapped(dataset_title(dataset), int(12 * panel)))
        if number % columns == 0:
            axes.set_ylabel(y)
        if number + columns >= len(datasets):
            axes.set_xlabel(x)
    return figure, panels


def _score(records: Sequence[Record], model: str) -> tuple[float, float]:
    """Mean of the test metric over seeds, and its standard deviation (0 of one seed)."""
    values = [record.test.get(METRIC) for record in records if record.model == model]
    mean, deviation = mean_and_deviation(values)
    return math.nan if mean is None else mean, deviation or 0.0


def _empty(axes: Axes, others: bool = False) -> None:
    """Say that there is nothing to draw; `others`: of these models, though others have finished."""
    axes.grid(False)
    axes.set(xticks=[], yticks=[])
    text = NOTHING_TO_SHOW if others else EMPTY
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="#555555")


def _log_ticks(values: Sequence[float], room: int) -> LogLocator:
    """As many ticks a decade as leave `room` labels of these values apart."""
    decades = math.log10(max(values) / min(values)) if values else 0
    finer = ((1, 2, 5), (1, 3))
    return LogLocator(subs=next((s for s in finer if len(s) * decades + 1 <= room), (1,)))


def _wrapped(text: str, characters: int) -> str:
    return textwrap.fill(text, characters, max_lines=3, placeholder="…")


def _legend(figure: Figure, panels: Iterable[Axes]) -> None:
    """One legend for all panels, each model once, in as few rows as fit; the figure grows by it."""
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
    others = height + 0.5  # with the title and what keeps them apart
    figure.set_figheight(max(figure.get_figheight() + height, others / (1 - PLOTS)))

"""The paper's figures and those of the report, drawn from run records and published numbers and
nothing else: for print, and as pages that answer the pointer."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
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

from seqrec.charts import FAINT, INK, web_page
from seqrec.evidence import Published
from seqrec.files import replacing, write_text
from seqrec.naming import (
    dataset_order,
    dataset_title,
    display,
    looks,
    model_order,
    sampled_negatives,
)
from seqrec.records import Record, Survey, survey
from seqrec.tables import PUBLISHED, mean_and_deviation, read_published

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
    "legend.fontsize": 8,
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
            write_text(path, web_page(title, notes, figures))
        written.append(path)

    for name, figure in figures.items():
        for form, metadata in METADATA.items():
            path = results / "figures" / f"{name}.{form}"
            with _style(), replacing(path) as part:
                figure.savefig(part, format=form, metadata=metadata)
            written.append(path)
    datasets = [found.of(dataset) for dataset in _names(found)]
    write(
        "num_negatives",
        "Quality by number of negatives",
        [
            "Test NDCG@10 of SASRec+ N for each number of negatives N, in solid; hollow circles "
            "are the published values, read off the paper's figure. Dashed lines do not depend on "
            "N. Error bars are the standard deviation over seeds.",
        ],
        [negatives_figure(one, paper) for one in datasets],
    )
    write(
        "convergence",
        "Convergence",
        [
            "NDCG@10 of the validation items after every epoch, by epoch and by training time. A "
            "marker is the best epoch, whose weights were kept; a line ends where training "
            "stopped. Times compare only on one device.",
        ],
        [convergence_figure(one, by) for one in datasets for by in ("epoch", "seconds")],
    )
    write(
        "quality_by_time",
        "Quality by training time",
        [
            "Test NDCG@10 of each run against the time that its training took, validations "
            "included: up and left is better. Lines across are models that take less than a "
            "second. Times compare only on one device; the table of runs names each run's.",
        ],
        [quality_figure(one) for one in datasets],
    )
    for one, dataset in zip(datasets, _names(found), strict=True):
        write(
            f"learning/{dataset}",
            f"Learning curves: {dataset_title(dataset)}",
            [
                "Every run that was trained: training loss, and NDCG@10 of the validation items, "
                "after every epoch. A marker is the best epoch. Losses of different kinds do not "
                "compare: over all items, over some negatives, or binary.",
            ],
            [learning_figure(one, column) for column in ("training_loss", METRIC)],
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
def negatives_figure(found: Survey, published: Published) -> Figure:
    """Test NDCG@10 of SASRec+ N against N, beside models that do not depend on N."""
    figure, panels = _panels(
        found,
        "Test NDCG@10 by number of negatives",
        "negatives per sequence, N",
        "test NDCG@10",
    )
    for dataset, axes in panels.items():
        records = [record for record in found.records if record.dataset == dataset]
        curve = {n: r.model for r in records if (n := sampled_negatives(r.model)) is not None}
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
                markeredgecolor="#999999",
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
def convergence_figure(found: Survey, against: str) -> Figure:
    """Validation NDCG@10 during training, against the column `epoch` or `seconds`."""
    title, label = {
        "epoch": ("Convergence: validation NDCG@10 by epoch", "epoch"),
        "seconds": ("Convergence: validation NDCG@10 by training time", "training time, s"),
    }[against]
    figure, panels = _panels(found, title, label, "validation NDCG@10")
    models = _converging(found)
    for dataset, axes in panels.items():
        _curves(axes, found, dataset, models, against, METRIC)
    _legend(figure, panels.values())
    return figure


@_style()
def quality_figure(found: Survey) -> Figure:
    """Test NDCG@10 of each run against its training time on a log axis."""
    figure, panels = _panels(
        found, "Test NDCG@10 by training time", "training time, s", "test NDCG@10", trained=False
    )
    drawn = looks(run.model for run in found.runs)
    strength = _strengths(drawn)
    for dataset, axes in panels.items():
        records = [record for record in found.records if record.dataset == dataset]
        if not records:
            _empty(axes)
            continue
        axes.set_xscale("log")
        for record in sorted(records, key=lambda record: model_order(record.model)):
            look = drawn[record.model]
            shown: dict[str, Any] = {
                "color": look.colour,
                "label": look.title,
                "gid": _name(record),
            }
            if record.training_seconds < 1:
                axes.axhline(record.test[METRIC], linestyle=":", linewidth=1.0, **shown)
            else:
                axes.plot(
                    record.training_seconds,
                    record.test[METRIC],
                    linestyle="none",
                    marker=look.marker,
                    markersize=6,
                    alpha=strength[record.model],
                    **shown,
                )
        axes.set_ylim(bottom=0)
        times = [r.training_seconds for r in records if r.training_seconds >= 1]
        axes.xaxis.set_major_locator(_log_ticks(times, 4 if len(panels) >= COLUMNS else 8))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    _legend(figure, panels.values())
    return figure


@_style()
def learning_figure(found: Survey, column: str) -> Figure:
    """One column of every run's history by epoch: `training_loss` or a validation metric."""
    label = "training loss" if column == "training_loss" else "validation NDCG@10"
    figure, panels = _panels(found, label.capitalize().replace("ndcg", "NDCG"), "epoch", label)
    models = {record.model for record in found.records}
    for dataset, axes in panels.items():
        _curves(axes, found, dataset, sorted(models, key=model_order), "epoch", column)
    _legend(figure, panels.values())
    return figure


# Details


def _names(found: Survey) -> list[str]:
    return sorted({run.dataset for run in found.runs}, key=dataset_order)


def _name(record: Record) -> str:
    """What a run is called in the results folder, and in a drawing."""
    return f"{record.model}/seed-{record.seed}"


def _strengths(models: Iterable[str]) -> dict[str, float]:
    """How opaque each model is drawn: SASRec+ N has one colour, the stronger, the larger its N."""
    ordered = sorted(models, key=model_order)
    numbers = [model for model in ordered if sampled_negatives(model) is not None]
    opacity = {m: 0.35 + 0.65 * (n + 1) / len(numbers) for n, m in enumerate(numbers)}
    return {model: opacity.get(model, 1.0) for model in ordered}


def _converging(found: Survey) -> list[str]:
    """The paper's four, SASRec+ with the most negatives first; then models that are not its own."""
    models = {run.model for run in found.runs}
    numbers = [n for r in found.records if (n := sampled_negatives(r.model)) is not None]
    most = [f"sasrec+{max(numbers)}"] if numbers else []
    others = sorted(models - PAPER, key=model_order)
    return [*most, *CONVERGING, *(m for m in others if sampled_negatives(m) is None)]


def _curves(
    axes: Axes, found: Survey, dataset: str, models: Iterable[str], against: str, column: str
) -> None:
    """A thin line a seed: after early stopping, a mean would be over other seeds."""
    drawn = looks(run.model for run in found.runs)
    models = list(models)
    strength = _strengths(models)
    for model in models:
        for record in found.records:
            if (record.dataset, record.model) != (dataset, model):
                continue
            history = record.history()
            if column not in history or history.empty:
                continue
            shown = drawn[model]
            axes.plot(
                history[against],
                history[column],
                color=shown.colour,
                linestyle=shown.line,
                linewidth=1.0,
                alpha=strength[model],
                marker=shown.marker,
                markevery=[history["epoch"].tolist().index(record.best_epoch)],
                label=shown.title,
                gid=_name(record),
            )
    if axes.lines:
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(
            MaxNLocator(5, steps=[1, 2, 5, 10], integer=against == "epoch", min_n_ticks=1)
        )
    else:
        _empty(axes, any(record.dataset == dataset for record in found.records))


def _panels(
    found: Survey, title: str, x: str, y: str, trained: bool = True
) -> tuple[Figure, dict[str, Axes]]:
    """A figure with one panel a dataset, in the paper's order; outer panels carry the labels.

    Datasets without a finished run, or if `trained` without a training, have none, as long as
    another has.
    """
    finished = {record.dataset for record in found.records if record.epochs or not trained}
    datasets = [dataset for dataset in _names(found) if dataset in finished] or _names(found)
    columns = max(1, min(COLUMNS, len(datasets)))
    rows = max(1, math.ceil(len(datasets) / columns))
    # One panel or two are drawn larger, not across the page.
    panel = WIDTH_INCHES / COLUMNS if columns == COLUMNS else WIDTH_INCHES / 2
    height = 0.8 * panel * rows + 0.7
    figure = Figure(figsize=(panel * columns, height), layout="constrained")
    figure.suptitle(title)
    panels = {}
    for number, dataset in enumerate(datasets):
        axes = panels[dataset] = figure.add_subplot(rows, columns, number + 1)
        axes.set_title(dataset_title(dataset))
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


def _legend(figure: Figure, panels: Iterable[Axes]) -> None:
    """One legend for all panels, each model once."""
    entries: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(str(label), handle)
    if entries:
        wide = figure.get_figwidth() > 0.6 * WIDTH_INCHES
        figure.legend(
            list(entries.values()),
            list(entries),
            loc="outside lower center",
            ncols=min(len(entries), 5) if wide else 2,
        )

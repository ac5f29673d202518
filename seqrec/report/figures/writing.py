"""Write all figures of an experiment, for print and as pages that show values under the pointer."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from seqrec.experiment.naming import dataset_title
from seqrec.files import replacing, require_inside, write_text
from seqrec.layout import ConfigFiles, ResultFiles
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records.survey import Survey, survey
from seqrec.report.figures.convergence import convergence_figure
from seqrec.report.figures.learning import learning_figure
from seqrec.report.figures.negatives import negatives_figure
from seqrec.report.figures.pages import figure_page
from seqrec.report.figures.quality import quality_figure
from seqrec.report.figures.style import own_style
from seqrec.report.measured import datasets_of
from seqrec.report.paper import Published, read_published

CONFIG = ConfigFiles()

METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    "svg": {"Creator": None, "Date": None},
}
"""The forms for print, each without the metadata that would differ from one drawing to the next."""


class Page(NamedTuple):
    """A page of figures, with the note above them."""

    name: str
    title: str
    note: str
    figures: list[Figure]


def write_figures(results: Path, config: ConfigFiles = CONFIG) -> list[Path]:
    """Write `figures/` of an experiment, and return what was written.

    The paper's curve is read from `config`.
    """
    found = survey(results)
    curve = read_published(config.published("num_negatives"), "dataset", "negatives")
    folder = ResultFiles(results).figures
    written = []
    for name, figure in _prints(found, curve):
        for form, metadata in METADATA.items():
            path = folder / f"{name}.{form}"
            require_inside(path.parent, results)
            with own_style(), replacing(path) as part:
                figure.savefig(part, format=form, metadata=metadata)
            written.append(path)
    for page in _pages(found, curve):
        path = folder / f"{page.name}.html"
        require_inside(path.parent, results)
        with own_style():
            write_text(path, figure_page(page.title, [page.note], page.figures))
        written.append(path)
    return written


def _prints(found: Survey, curve: Published) -> Iterator[tuple[str, Figure]]:
    """Draw the figures for print, all datasets in one."""
    yield "num_negatives", negatives_figure(found, curve)
    yield "convergence", convergence_figure(found, "epoch")
    yield "convergence_seconds", convergence_figure(found, "seconds")
    yield "quality_by_time", quality_figure(found)


def _pages(found: Survey, curve: Published) -> Iterator[Page]:
    """Draw the pages, each dataset in a figure of its own."""
    datasets = datasets_of(found)
    yield Page(
        "num_negatives",
        "Quality by number of negatives",
        "Test NDCG@10 of SASRec+ N for each number of negatives N (solid line); hollow circles are "
        "the published values, read off the paper's figure. Dashed lines are models that do not "
        "depend on N. Error bars are the standard deviation over seeds.",
        [negatives_figure(found, curve, dataset) for dataset in datasets],
    )
    yield Page(
        "convergence",
        "Convergence",
        "NDCG@10 on the validation items after every epoch, by epoch and by training time. Markers "
        "show the best epoch, whose weights were kept; a line ends where training stopped. Times "
        "compare only on the same device.",
        [convergence_figure(found, by, name) for name in datasets for by in ("epoch", "seconds")],
    )
    yield Page(
        "quality_by_time",
        "Quality by training time",
        "Test NDCG@10 of each run against its training time, validations included; up and left is "
        "better. More solid markers of SASRec+ N mean more negatives. Horizontal lines are models "
        "that train in less than a second. Times compare only on the same device; the table of "
        "runs names the device of each run.",
        [quality_figure(found, dataset) for dataset in datasets],
    )
    for dataset in datasets:
        yield Page(
            f"learning/{dataset}",
            f"Learning curves: {dataset_title(dataset)}",
            "Training loss and NDCG@10 on the validation items of every trained run, after every "
            "epoch. Markers show the best epoch; darker lines and more solid markers of SASRec+ N "
            "mean more negatives. Losses of different kinds do not compare: over all items, over "
            "some negatives, or binary.",
            [learning_figure(found, c, dataset) for c in ("training_loss", STOPPING_METRIC)],
        )

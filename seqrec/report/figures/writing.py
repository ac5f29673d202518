"""Write all figures of an experiment, for print and as pages that show values under the pointer."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from seqrec.files import replacing, require_inside, write_text
from seqrec.layout import ConfigFiles, ResultFiles
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records.survey import Survey, survey
from seqrec.report import contents
from seqrec.report.contents import Item
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


def write_figures(results: Path, config: ConfigFiles = CONFIG) -> list[Path]:
    """Write `figures/` of an experiment, and return what was written.

    The paper's curve is read from `config`.
    """
    found = survey(results)
    curve = read_published(config.published("num_negatives"), "dataset", "negatives")
    folder = ResultFiles(results).figures
    written = []
    for item in contents.items(contents.FIGURES, datasets_of(found)):
        require_inside((folder / item.name).parent, results)
        with own_style():
            figure = PRINTS[item.entry.name](found, curve) if item.entry.name in PRINTS else None
            for form, path in zip(item.entry.forms, map(folder.joinpath, item.files), strict=True):
                if form == contents.PAGE:
                    figures = _on_page(item, found, curve)
                    write_text(path, figure_page(item.title, [item.entry.caption], figures))
                elif figure:
                    with replacing(path) as part:
                        figure.savefig(part, format=form, metadata=METADATA[form])
                written.append(path)
    return written


PRINTS: dict[str, Callable[[Survey, Published], Figure]] = {
    "num_negatives": negatives_figure,
    "convergence": lambda found, _: convergence_figure(found, "epoch"),
    "convergence_seconds": lambda found, _: convergence_figure(found, "seconds"),
    "quality_by_time": lambda found, _: quality_figure(found),
}
"""What draws each figure for print, all datasets in one, by its name in `contents.FIGURES`."""

PAGES: dict[str, Callable[[Survey, Published, str], list[Figure]]] = {
    "num_negatives": lambda found, curve, dataset: [negatives_figure(found, curve, dataset)],
    "convergence": lambda found, _, dataset: [
        convergence_figure(found, by, dataset) for by in ("epoch", "seconds")
    ],
    "quality_by_time": lambda found, _, dataset: [quality_figure(found, dataset)],
    "learning": lambda found, _, dataset: [
        learning_figure(found, column, dataset) for column in ("training_loss", STOPPING_METRIC)
    ],
}
"""What draws the figures of one dataset on each page."""


def _on_page(item: Item, found: Survey, curve: Published) -> list[Figure]:
    """Draw the figures of a page: those of its dataset, or of each of them."""
    datasets = [item.dataset] if item.dataset else datasets_of(found)
    return [figure for name in datasets for figure in PAGES[item.entry.name](found, curve, name)]

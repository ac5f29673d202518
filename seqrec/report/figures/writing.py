"""Write all figures of an experiment, for print."""

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

from seqrec.files import replacing, require_inside
from seqrec.layout import CONFIG_FILES, ConfigFiles, ResultFiles
from seqrec.report import contents
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence, read_evidence
from seqrec.report.figures.against_paper import against_paper_chart
from seqrec.report.figures.chart import Chart
from seqrec.report.figures.convergence import convergence_by_time_chart, convergence_chart
from seqrec.report.figures.detectable import detectable_chart
from seqrec.report.figures.differences import differences_chart
from seqrec.report.figures.drawing import draw
from seqrec.report.figures.learning import learning_chart
from seqrec.report.figures.negatives import negatives_chart
from seqrec.report.figures.quality import (
    quality_by_cost_chart,
    quality_by_coverage_chart,
    quality_by_time_chart,
)
from seqrec.report.figures.settings import settings_chart
from seqrec.report.figures.style import own_style
from seqrec.report.figures.survival import survival_chart
from seqrec.report.figures.targets import history_length_chart, popularity_chart
from seqrec.report.figures.tries import tries_chart

METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    "svg": {"Creator": None, "Date": None},
}
"""What a form leaves out of its metadata, as it differs from one drawing to the next."""

DESCRIPTION = {"png": "Description", "pdf": "Subject", "svg": "Description"}
"""Where each form has room for the text that says what a figure shows."""


def write_figures(results: Path, config: ConfigFiles = CONFIG_FILES) -> list[Path]:
    """Write `figures/` of an experiment, and return what was written.

    Published numbers and the settings of the paper's models are read from `config`.
    """
    folder = ResultFiles(results).figures
    written: list[Path] = []
    for item, chart in make_charts(read_evidence(results, config)):
        require_inside((folder / item.name).parent, results)
        drawn = print_chart(chart, item.entry.forms)
        for path, content in zip(map(folder.joinpath, item.files), drawn, strict=True):
            with replacing(path) as part:
                part.write_bytes(content)
            written.append(path)
    return written


def print_chart(chart: Chart, forms: Sequence[str]) -> list[bytes]:
    """Draw a chart in each of these forms, the same bytes whenever it is drawn."""
    if not forms:
        return []
    figure, drawn = draw(chart), []
    with own_style():
        for form in forms:
            about = {"Title": chart.title, DESCRIPTION[form]: chart.alternative}
            content = BytesIO()
            figure.savefig(content, format=form, metadata=METADATA[form] | about)
            drawn.append(content.getvalue())
            figure.set_layout_engine("none")  # the first drawing has laid it out
    return drawn


def make_charts(evidence: Evidence) -> Iterator[tuple[Item, Chart]]:
    """Make the charts of all figures of an experiment, in the order of the report."""
    for item in contents.items(contents.FIGURES, *evidence.contents):
        yield item, MAKERS[item.entry.name](evidence, item)


MAKERS: dict[str, Callable[[Evidence, Item], Chart]] = {
    "num_negatives": lambda evidence, _: negatives_chart(evidence),
    "convergence": lambda evidence, _: convergence_chart(evidence),
    "convergence_seconds": lambda evidence, _: convergence_by_time_chart(evidence),
    "against_paper": lambda evidence, _: against_paper_chart(evidence),
    "differences": lambda evidence, _: differences_chart(evidence),
    "survival": lambda evidence, _: survival_chart(evidence),
    "popularity": lambda evidence, _: popularity_chart(evidence),
    "history_length": lambda evidence, _: history_length_chart(evidence),
    "detectable": lambda evidence, _: detectable_chart(evidence),
    "quality_by_cost": lambda evidence, _: quality_by_cost_chart(evidence),
    "quality_by_coverage": lambda evidence, _: quality_by_coverage_chart(evidence),
    "quality_by_time": lambda evidence, _: quality_by_time_chart(evidence),
    "tries": lambda evidence, item: tries_chart(evidence, item.dataset),
    "settings": lambda evidence, item: settings_chart(evidence, item.dataset),
    "learning": lambda evidence, item: learning_chart(evidence, item.dataset),
}
"""What makes the chart of each figure of `contents.FIGURES`, by its name."""

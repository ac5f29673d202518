"""Convergence: validation quality during training."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from seqrec.experiment.naming import in_order, sampled_negatives
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records.survey import Survey
from seqrec.report.figures.lines import draw_histories
from seqrec.report.figures.panels import add_legend, drawn_datasets, panels, say_empty
from seqrec.report.figures.style import own_style
from seqrec.report.looks import looks

CONVERGING = ("sasrec+", "bert4rec", "gru4rec")
"""The models of the paper's figure, beside SASRec+ N."""

PAPERS_OWN = {"popularity", "bpr-mf", "sasrec", *CONVERGING}
"""The paper's models other than SASRec+ N."""

TITLES = {
    "epoch": ("Convergence: validation NDCG@10 by epoch", "epoch"),
    "seconds": ("Convergence: validation NDCG@10 by training time", "training time, s"),
}
"""Title and label for each column of the history that the quality is drawn against."""


@own_style()
def convergence_figure(found: Survey, against: str, only: str | None = None) -> Figure:
    """Draw validation NDCG@10 against the column `epoch` or `seconds`.

    `only`: the one dataset to draw.
    """
    title, label = TITLES[against]
    datasets = drawn_datasets(found, only)
    figure, made = panels(datasets, title, label, "validation NDCG@10")
    drawn = looks(run.model for run in found.runs)
    for dataset, axes in made.items():
        records = [record for record in found.records if record.dataset == dataset]
        models = _shown_models(in_order(record.model for record in records))
        runs = [(r, drawn[model]) for model in models for r in records if r.model == model]
        draw_histories(axes, runs, against, STOPPING_METRIC)
        if not axes.lines:
            say_empty(axes, bool(records))
    add_legend(figure, made.values())
    return figure


def _shown_models(models: Sequence[str]) -> list[str]:
    """Choose SASRec+ with most negatives, the paper's others, and all models not of the paper."""
    numbers = [n for model in models if (n := sampled_negatives(model)) is not None]
    most = [f"sasrec+{max(numbers)}"] if numbers else []
    others = [model for model in models if model not in PAPERS_OWN]
    return [*most, *CONVERGING, *(m for m in others if sampled_negatives(m) is None)]

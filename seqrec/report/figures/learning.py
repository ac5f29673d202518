"""Learning curves of every run."""

from matplotlib.figure import Figure

from seqrec.experiment.naming import in_order
from seqrec.records.survey import Survey
from seqrec.report.figures.lines import draw_histories
from seqrec.report.figures.panels import add_legend, drawn_datasets, panels, say_empty
from seqrec.report.figures.style import own_style
from seqrec.report.looks import looks


@own_style()
def learning_figure(found: Survey, column: str, only: str | None = None) -> Figure:
    """Draw a column of every run's history by epoch: `training_loss` or a validation metric.

    `only`: the one dataset to draw.
    """
    label = "training loss" if column == "training_loss" else "validation NDCG@10"
    title = label.capitalize().replace("ndcg", "NDCG")
    figure, made = panels(drawn_datasets(found, only), title, "epoch", label)
    drawn = looks(run.model for run in found.runs)
    for dataset, axes in made.items():
        records = [record for record in found.records if record.dataset == dataset]
        order = in_order(record.model for record in records)
        ordered = sorted(records, key=lambda record: order.index(record.model))
        draw_histories(axes, [(r, drawn[r.model]) for r in ordered], "epoch", column)
        if not axes.lines:
            say_empty(axes, bool(records))
    add_legend(figure, made.values())
    return figure

"""Learning curves of every run."""

from collections.abc import Mapping

from seqrec.experiment.naming import dataset_title
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.report.evidence import Evidence
from seqrec.report.figures.chart import Axis, Chart, LegendKey, Panel, Series, Shape
from seqrec.report.figures.histories import curve, run_series
from seqrec.report.figures.shown import looks_in, nothing
from seqrec.report.looks import Look
from seqrec.report.metrics import metric_title

LABELS = {
    "training_loss": "training loss",
    STOPPING_METRIC: f"validation {metric_title(STOPPING_METRIC)}",
}
"""What is drawn of every history, and how it is called."""


def learning_chart(evidence: Evidence, dataset: str) -> Chart:
    """Show the training loss and the validation metric of every run of a dataset by epoch."""
    drawn = looks_in(evidence)
    return Chart(
        f"{dataset_title(dataset)}: learning curves",
        [_panel(evidence, dataset, column, drawn) for column in LABELS],
        f"Training loss and {LABELS[STOPPING_METRIC]} of every run on {dataset_title(dataset)} "
        "over epochs; a marker shows the best epoch.",
        [LegendKey("best epoch", Shape.POINTS)],
        columns=2,
    )


def _panel(evidence: Evidence, dataset: str, column: str, drawn: Mapping[str, Look]) -> Panel:
    records = evidence.records(dataset)
    series: list[Series] = []
    for record in records:
        if found := curve(record, "epoch", column):
            title = evidence.title(dataset, record.model).text
            series += run_series(title, drawn[record.model], record, found)
    label = LABELS[column]
    return Panel(
        label[0].upper() + label[1:],
        Axis("epoch"),
        Axis(label, low=0.0),
        series,
        note="" if series else nothing(records),
    )

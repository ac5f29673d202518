"""How many epochs models train, and how long these take where that has been measured."""

from statistics import fmean
from typing import NamedTuple

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.report.cells import Cell, MarkedText, Table
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence
from seqrec.report.measured import Measured
from seqrec.report.numbers import over_seeds, seconds
from seqrec.report.tables.notes import mark_notes, not_run_note


class ModelTimes(NamedTuple):
    """What is known of a model on a dataset; the columns of the table for programs."""

    dataset: str
    model: str
    seeds: int
    best_epoch_mean: float
    epochs_mean: float
    seconds_per_epoch: float | None
    seconds_to_best: float | None
    seconds_per_epoch_published: float | None


def times_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate the models that are trained in epochs; times only from a measurement."""
    measured = [
        (dataset, model, one)
        for dataset, models in evidence.measured.items()
        for model, one in models.items()
        if one.best_epochs
    ]
    lines = [_line(evidence, *one) for one in measured]
    headings = ["Dataset", "Model", "Best epoch", "Epochs"]
    if evidence.timing:
        headings += ["Epoch, s", "paper", "To best, s"]
    cells = []
    for (dataset, model, one), line in zip(measured, lines, strict=True):
        row = [
            Cell(dataset_title(dataset)),
            Cell((evidence.title(dataset, model),)),
            Cell(over_seeds(one.best_epochs, 0)),
            Cell(over_seeds([record.epochs or 0 for record in one.records], 0)),
        ]
        if evidence.timing:
            row += [
                Cell(seconds(line.seconds_per_epoch)),
                Cell(seconds(line.seconds_per_epoch_published)),
                Cell(seconds(line.seconds_to_best)),
            ]
        cells.append(row)
    data = pd.DataFrame(lines, columns=ModelTimes._fields)
    notes = [*_notes(evidence), *not_run_note(evidence, evidence.datasets)]
    table = Table(
        item.title, headings, cells, data, notes, "ll" + "r" * (len(headings) - 2), grouped=True
    )
    table.notes.extend(mark_notes(table.marks))
    return table


def _line(evidence: Evidence, dataset: str, model: str, one: Measured) -> ModelTimes:
    best = fmean(one.best_epochs)
    epoch = evidence.timing.of(dataset, model) if evidence.timing else None
    return ModelTimes(
        *(dataset, model, len(one.records), best),
        fmean(record.epochs or 0 for record in one.records),
        *(epoch, epoch and best * epoch),
        _published_epoch(evidence, dataset, model, one),
    )


def _published_epoch(evidence: Evidence, dataset: str, model: str, one: Measured) -> float | None:
    """Estimate the seconds of an epoch of the paper's run, had it stopped as ours would."""
    training = one.records[0].known_config.training
    published = evidence.paper.results.get((dataset, model), {})
    if not training or "training_seconds" not in published:
        return None
    epochs = min(published["best_epoch"] + training.patience, training.max_epochs)
    return published["training_seconds"] / epochs


def _notes(evidence: Evidence) -> list[MarkedText]:
    notes: list[MarkedText] = [
        "Epochs, over seeds: the mean, with both values of two and the standard deviation of more. "
        "Training goes on after the best epoch until patience runs out."
    ]
    if evidence.timing:
        notes.append(
            f"Epoch: seconds per epoch with its validation, measured on one quiet machine "
            f"({evidence.timing.machine}); to best: these times the mean best epoch. paper: the "
            "published training time, on the authors' hardware, over the published best epoch and "
            "the patience after it. Models without a value were not measured."
        )
    else:
        notes.append(
            "No times: runs share machines and differ in them. Seconds per epoch are shown once "
            "they have been measured on one quiet machine, into timing.json."
        )
    return notes

"""How long every run trained and on what, and by which code and data."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.records.record import Record
from seqrec.report.cells import Cell, Table, Text
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence
from seqrec.report.numbers import number, seconds
from seqrec.report.tables.notes import mark_notes
from seqrec.report.tables.order import in_paper_order
from seqrec.report.timing import device_and_precision, seconds_to_best

NAMES = [
    *("dataset", "model", "seed", "training_seconds", "seconds_to_best"),
    *("epochs", "best_epoch", "seconds_per_epoch", "seconds_per_epoch_published"),
    *("peak_memory_bytes", "device", "threads", "runs_sharing_device", "precision"),
    *("version", "commit", "training_code", "config_hash", "data_sha256"),
]
"""Columns of the table for programs."""


def runs_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate the finished runs."""
    records = in_paper_order(evidence.found.records)
    lines = [_line(record, _published_epoch(evidence, record)) for record in records]
    cells = [
        _cells(evidence, record, dict(zip(NAMES, line, strict=True)))
        for record, line in zip(records, lines, strict=True)
    ]
    headings = ["Dataset", "Model", "Seed", "Time, s", "To best, s", "Best epoch", "Epoch, s"]
    headings += ["paper", "Memory, GB", "Device", "Commit"]
    data = pd.DataFrame(lines, columns=NAMES).astype({"epochs": "Int64", "best_epoch": "Int64"})
    table = Table(item.title, headings, cells, data, columns="llrrrrrrrll")
    table.notes.append(_note(records))
    table.notes.extend(mark_notes(table.marks))
    return table


def _line(record: Record, published_epoch: float | None) -> list[object]:
    """Return the values of a run under `NAMES`."""
    best = None if record.best_epoch is None else seconds_to_best(record)
    epoch = None if record.epochs is None else record.training_seconds / record.epochs
    return [
        *(record.dataset, record.model, record.seed, record.training_seconds, best),
        *(record.epochs, record.best_epoch, epoch, published_epoch),
        *(record.peak_memory_bytes, record.device, record.threads),
        *(record.runs_sharing_device, record.precision),
        *(record.seqrec.version, record.seqrec.commit, record.seqrec.training_code),
        *(record.config_hash, record.data.sha256),
    ]


def _cells(evidence: Evidence, record: Record, values: dict[str, Any]) -> list[Cell]:
    sharing = record.runs_sharing_device
    shared = f", shared by {sharing} runs" if sharing > 1 else ""
    return [
        Cell(dataset_title(record.dataset)),
        Cell((evidence.title(record.dataset, record.model),)),
        Cell(str(record.seed)),
        Cell(seconds(record.training_seconds)),
        Cell(seconds(values["seconds_to_best"])),
        Cell("" if record.epochs is None else f"{record.best_epoch} of {record.epochs}"),
        Cell(seconds(values["seconds_per_epoch"])),
        Cell(seconds(values["seconds_per_epoch_published"])),
        Cell(number(record.peak_memory_bytes / 1e9, 2)),
        Cell(device_and_precision(record) + shared),
        Cell((record.seqrec.commit or "")[:7]),
    ]


def _published_epoch(evidence: Evidence, record: Record) -> float | None:
    """Estimate the seconds of an epoch of the paper's run, had it stopped as ours would."""
    training = record.known_config.training
    published = evidence.paper.results.get((record.dataset, record.model), {})
    if not training or "training_seconds" not in published:
        return None
    epochs = min(published["best_epoch"] + training.patience, training.max_epochs)
    return published["training_seconds"] / epochs


def _note(records: Sequence[Record]) -> Text:
    if not records:
        return "No run has finished."
    total = sum(record.training_seconds for record in records)
    return (
        f"{len(records)} finished runs, {number(total / 3600, 1)} hours of training in all. "
        "To best: training time up to the end of the best epoch. Epoch: mean time of an epoch with "
        "its validation; paper: the published training time, on the authors' hardware, over the "
        "published best epoch and the patience after it. Memory: the peak, of the device on a GPU "
        "and of the process on a CPU. The CSV has the hashes of configuration, data and code."
    )

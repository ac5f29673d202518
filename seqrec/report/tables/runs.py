"""What every run trained with, and by which code and data."""

from collections.abc import Sequence

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.records.record import Record
from seqrec.report.cells import Cell, MarkedText, Table
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence
from seqrec.report.numbers import number
from seqrec.report.tables.notes import mark_notes
from seqrec.report.timing import device_title

NAMES = [
    *("dataset", "model", "seed", "training_seconds", "epochs", "best_epoch"),
    *("peak_memory_bytes", "device", "threads", "runs_sharing_device", "precision"),
    *("version", "commit", "training_code", "config_hash", "data_sha256"),
]
"""Columns of the table for programs."""


def runs_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate the finished runs."""
    records = evidence.everything.records
    headings = ["Dataset", "Model", "Seed", "Best epoch", "Memory, GB", "Device", "Commit"]
    data = pd.DataFrame(map(_line, records), columns=NAMES)
    whole = ["epochs", "best_epoch", "peak_memory_bytes", "threads", "runs_sharing_device"]
    data = data.astype(dict.fromkeys(whole, "Int64"))
    cells = [_cells(evidence, record) for record in records]
    table = Table(item.title, headings, cells, data, columns="llrrrll")
    table.notes.append(_note(records))
    table.notes.extend(mark_notes(table.marks))
    return table


def _line(record: Record) -> list[object]:
    """Return the values of a run under `NAMES`; of another library's training little is known."""
    training: list[object] = [record.training_seconds, record.epochs, record.best_epoch]
    machine: list[object] = [record.peak_memory_bytes, record.device, record.threads]
    machine += [record.runs_sharing_device, record.precision]
    if record.predictions is not None:
        training, machine = [None] * 3, [None, record.device, *[None] * 3]
    return [
        *(record.task, record.model, record.seed),
        *training,
        *machine,
        *(record.seqrec.version, record.seqrec.commit, record.seqrec.training_code),
        *(record.config_hash, record.data.sha256),
    ]


def _cells(evidence: Evidence, record: Record) -> list[Cell]:
    sharing = record.runs_sharing_device
    shared = f", shared by {sharing} runs" if sharing > 1 else ""
    memory, device = number(record.peak_memory_bytes / 1e9, 2), device_title(record)
    if record.predictions is None:
        device += f", {record.precision}{shared}"
    else:
        memory = ""
    return [
        Cell(dataset_title(record.task)),
        Cell((evidence.title(record.task, record.model),)),
        Cell(str(record.seed)),
        Cell("" if record.epochs is None else f"{record.best_epoch} of {record.epochs}"),
        Cell(memory),
        Cell(device),
        Cell((record.seqrec.commit or "")[:7]),
    ]


def _note(records: Sequence[Record]) -> MarkedText:
    if not records:
        return "No run has finished."
    total = sum(record.training_seconds for record in records)
    count = "1 finished run" if len(records) == 1 else f"{len(records)} finished runs"
    return (
        f"{count}, {number(total / 3600, 1)} hours of training in all. Memory: the peak, of the "
        "device on a GPU and of the process on a CPU. Training times of single runs, which depend "
        "on what else a machine had to do, are in the CSV alone, with the hashes of configuration, "
        "data and code."
    )

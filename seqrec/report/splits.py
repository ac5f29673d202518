"""Splits in words, and what they mean for the test targets of a task."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from seqrec.experiment.naming import dataset_title
from seqrec.layout import SPLIT_MARK
from seqrec.records.record import KnownSplit, Record
from seqrec.records.survey import grouped
from seqrec.report.cells import MarkedText, Table
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence
from seqrec.report.measured import LEAVE_ONE_OUT, split_of
from seqrec.report.numbers import number
from seqrec.wording import counted

MISS = np.iinfo(np.int32).max
"""Rank of a target that is never ranked; as in `seqrec.protocol.ranking`, which needs torch."""

VALIDATIONS = {
    "by-time": "validation after a second such cut",
    "last-train-item": "validation on each user's last train item",
    "by-user": "validation on users who leave training",
}
TARGETS = {
    "last": "test on each user's last item",
    "first": "test on each user's first item after the cut",
    "random": "test on one of each user's items after the cut, drawn at random",
    "successive": "test on every item after the cut, one by one",
    "all": "test on all items after the cut at once",
}


def in_words(split: KnownSplit) -> str:
    """Describe a split in a line."""
    if split.kind == LEAVE_ONE_OUT.kind:
        parts = ["leave-one-out, test on each user's last item and validation on the one before it"]
    else:
        cut = split.at or f"the {split.quantile or 0:g} quantile of all times"
        parts = [f"{title_of(split)} at {cut}"]
        parts += [VALIDATIONS[split.validation]] if split.validation in VALIDATIONS else []
        parts += [TARGETS[split.target]] if split.target in TARGETS else []
    if split.seen == "keep":
        parts.append("items that a user has met are ranked, too")
    if split.refit:
        parts.append("trained anew on train and validation, for the best number of epochs")
    return "; ".join(parts)


def title_of(split: KnownSplit) -> str:
    """Name a kind of split: `global temporal split`."""
    return f"{split.kind.replace('-', ' ')} split"


def with_splits(table: Table, evidence: Evidence, item: Item) -> Table:
    """Say in a table under which splits its numbers are.

    Leave-one-out goes without saying where an experiment has no other split. Where it has several,
    the title of a task has the name of its split, and a note describes it.
    """
    tasks = evidence.tasks(item.dataset)
    splits = {task: split_of(evidence.records(task)) for task in tasks if evidence.records(task)}
    title, notes = table.title, split_notes(splits)
    if item.dataset in splits and SPLIT_MARK not in item.dataset and notes:
        title += f", {title_of(splits[item.dataset])}"
    return replace(table, title=title, notes=[*table.notes, *notes]) if notes else table


def split_notes(splits: Mapping[str, KnownSplit]) -> list[MarkedText]:
    """Describe the splits of some tasks, each once; none where all are leave-one-out unnamed."""
    notes: list[MarkedText] = []
    for (name, split), tasks in grouped(splits, lambda task: (_name(task), splits[task])).items():
        alone = sum(_name(task) == name for task in splits) == len(tasks)
        label = name or "Split"
        if not alone:
            label += f" ({', '.join(dataset_title(task) for task in tasks)})"
        if name or split != LEAVE_ONE_OUT:
            notes.append(f"{label}: {in_words(split).removeprefix(f'{name}, ')}.")
    return notes


def _name(task: str) -> str:
    return task.partition(SPLIT_MARK)[2]


def target_notes(records: Sequence[Record]) -> list[MarkedText]:
    """Say how many test targets of a task no model can hit, and how many no model can know."""
    if not records:
        return []
    split = split_of(records)
    notes: list[MarkedText] = []
    # In lists that do not hold all items, other targets are missed, too.
    whole = [record for record in records if record.list_length is None][:1]
    missed = float((whole[0].ranks() == MISS).mean()) if whole else 0.0
    if split.seen == "drop" and missed:
        notes.append(
            f"{_percent(missed)} of the test targets are items that the user has met before. Seen "
            "items are not ranked, so that these are misses of every model."
        )
    if split == LEAVE_ONE_OUT:
        return notes
    # Older records do not count users; on one task all that do count alike.
    cold = next((record.cold for record in records if record.cold), None)
    if unknown := float((records[0].target_counts() == 0).mean()):
        different = f" ({counted(cold.items, 'item')})" if cold else ""
        notes.append(
            f"{_percent(unknown)} of the test targets are cold items{different}, which occur in no "
            "user's train part."
        )
    if cold and cold.users:
        users = records[0].users
        notes.append(
            f"{cold.users:,} of the {users:,} test users ({_percent(cold.users / users)}) are "
            "cold: none of their interactions is in training."
        )
    return notes


def _percent(share: float) -> str:
    return f"{number(100 * share, 1 if share >= 0.001 else 2)}%"

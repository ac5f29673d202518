"""How models do on test targets that occur in training, and on the others."""

from collections.abc import Sequence
from math import isnan

import pandas as pd

from seqrec.report.cells import Cell, MarkedText, Table
from seqrec.report.contents import Item
from seqrec.report.differences import TargetGroup, by_target
from seqrec.report.evidence import Evidence
from seqrec.report.levels import CONFIDENCE
from seqrec.report.metrics import metric_title
from seqrec.report.numbers import number
from seqrec.report.tables.notes import missing_notes

GROUP_TITLES = {True: "trained on", False: "never seen"}
"""Titles of the groups of targets, by whether they occur in training."""


def targets_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate each model on targets that occur in training, and on those it cannot have learnt."""
    models = evidence.comparable[item.dataset]
    found = by_target(models, evidence.metrics)
    shown = {(one.model, one.occurs, one.metric): one for one in found}
    groups = [occurs for occurs in GROUP_TITLES if any(one.occurs == occurs for one in found)]
    headings = ["Model"]
    for occurs in groups:
        headings += [
            f"{GROUP_TITLES[occurs]}: {metric_title(metric)}" for metric in evidence.metrics
        ]
        headings.append("median rank")
    cells = []
    for model in models:
        row = [Cell(evidence.found.title(model))]
        for occurs in groups:
            measured = [shown[model, occurs, metric] for metric in evidence.metrics]
            row += [Cell(number(one.value, 4)) for one in measured]
            rank = measured[0].median_rank
            row.append(Cell("" if isnan(rank) else number(rank)))
        cells.append(row)
    data = pd.DataFrame(
        [[*one[:5], *one.interval, one.median_rank] for one in found],
        columns=[
            *("model", "occurs_in_training", "users", "metric", "value", "low", "high"),
            "median_rank",
        ],
    )
    return Table(item.title, headings, cells, data, _notes(evidence, item.dataset, found))


def _notes(evidence: Evidence, dataset: str, found: Sequence[TargetGroup]) -> list[MarkedText]:
    if not evidence.records(dataset):
        return missing_notes(evidence, dataset)
    if not found:
        return ["No finished models were trained on the same data."]
    users = {one.occurs: one.users for one in found}
    unseen, everyone = users.get(False, 0), sum(users.values())
    notes: list[MarkedText] = [
        f"{number(unseen)} of {number(everyone)} test targets ({unseen / everyone:.2%}) are items "
        "that occur in no user's train part."
    ]
    if unseen:
        notes.append(
            "A loss over all items pushes the scores of these items down with each step, and a "
            "sampled loss never changes them; no network can learn anything about them. Models "
            "without a training loop are fitted on validation items too, which may include some of "
            "them."
        )
    notes.append(
        "Median rank: of the targets among all items. The CSV has "
        f"{CONFIDENCE:.0%} bootstrap intervals over the users of each group."
    )
    return notes

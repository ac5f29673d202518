"""Each published value beside ours, with a verdict."""

from collections.abc import Sequence

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.layout import Run
from seqrec.records.survey import grouped
from seqrec.report.cells import NOT_FINISHED, Cell, Mark, MarkedText, Table, marked_note
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence
from seqrec.report.levels import CONFIDENCE, REPRODUCED_WITHIN
from seqrec.report.metrics import metric_title
from seqrec.report.numbers import number, percent
from seqrec.report.tables.notes import (
    follow_up_note,
    mark_notes,
    not_run_note,
    other_settings_notes,
)
from seqrec.report.verdicts import BEST_EPOCH, Outcome, ShownIn, Verdict, counts, verdicts

COLUMNS = [
    *("dataset", "model", "metric", "source", "published", "tolerance"),
    *("ours", "seeds", "low", "high", "verdict"),
]
"""Columns of the table for programs."""


def verdicts_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate verdicts in the paper's order; what has not been run is one sentence below."""
    ordered = sorted(verdicts(evidence), key=lambda one: _order(evidence, one))
    shown = [one for one in ordered if one.outcome is not Outcome.NOT_RUN]
    cells = [_cells(evidence, one) for one in shown]
    data = pd.DataFrame([_values(one) for one in ordered], columns=COLUMNS)
    headings = ["Dataset", "Model", "Value", "Verdict", "paper", "ours", "diff."]
    headings += ["Seeds", "one more run"]
    table = Table(item.title, headings, cells, data, columns="llllrrrrr")
    table.notes.extend(_notes(evidence, ordered))
    table.notes.extend(mark_notes(table.marks))
    table.notes.extend(other_settings_notes(evidence))
    return table


def _order(evidence: Evidence, one: Verdict) -> tuple[object, ...]:
    """Sort by dataset and model, those of the table in its order before those of the figure."""
    said = one.published
    run = Run(said.dataset, said.model, seed=0)
    return *evidence.found.order(run), said.source is ShownIn.FIGURE


def _title(quantity: str) -> str:
    return "Best epoch" if quantity == BEST_EPOCH else metric_title(quantity)


def _cells(evidence: Evidence, one: Verdict) -> list[Cell]:
    said = one.published
    read = f" ± {said.tolerance:g}" if said.tolerance else ""
    value = _title(said.quantity) + (", figure" if said.source is ShownIn.FIGURE else "")
    start = [
        Cell(dataset_title(said.dataset)),
        Cell((evidence.title(said.dataset, said.model),)),
        Cell(value),
        Cell(one.outcome.value, bold=one.outcome.decided),
        Cell(_shown(said.value, said.quantity) + read),
    ]
    if one.ours is None:
        return [*start, NOT_FINISHED, Cell(""), Cell(""), Cell("")]
    ours = number(one.ours, 0 if one.ours.is_integer() else 1)
    if said.quantity != BEST_EPOCH:
        ours = _shown(one.ours, said.quantity)
    ends = one.prediction
    predicted = "–".join(_shown(end, said.quantity) for end in ends) if ends else "unknown"
    texts = [ours, percent(one.ours / said.value - 1), str(one.seeds), predicted]
    return [*start, *map(Cell, texts)]


def _shown(value: float, quantity: str) -> str:
    return number(value, 0 if quantity == BEST_EPOCH else 4)


def _values(one: Verdict) -> list[object]:
    said = one.published
    return [
        *(said.dataset, said.model, said.quantity, said.source.value),
        *(said.value, said.tolerance or None, one.ours, one.seeds),
        *(one.prediction or (None, None)),
        one.outcome.value,
    ]


def _notes(evidence: Evidence, verdicts: Sequence[Verdict]) -> list[MarkedText]:
    if not verdicts:
        return ["The paper has none of these datasets."]
    return [
        *_counts(verdicts),
        *follow_up_note(evidence, dict.fromkeys(one.published.dataset for one in verdicts)),
        *_not_run(evidence, verdicts),
        f"Reproduced: our mean over seeds is within {REPRODUCED_WITHIN:.0%} of the published "
        "value. Plausible: it is not, but the published value lies in the interval of one more "
        f"run of ours ({CONFIDENCE:.0%} prediction interval, for the same users): a training like "
        "theirs may come out so. Otherwise better or worse, or for epochs earlier or later.",
        "How much runs scatter is known as in the tests, from three seeds or more of the model, "
        "or else from the dataset's models with the same kind of loss and several seeds; for "
        "epochs, from the model's own seeds alone. Where it is unknown, the "
        f"{REPRODUCED_WITHIN:.0%} alone decide on a metric, which leaves chance out of account, "
        "and an epoch that is further off stays undecided. Points of the figure were read with an "
        "error of at most the tolerance beside them, by which both rules are widened. Training "
        "times are not judged.",
    ]


def _counts(verdicts: Sequence[Verdict]) -> list[MarkedText]:
    """Say how many values of each kind had which outcome."""
    sentences: list[MarkedText] = []
    for kind, found in counts(verdicts).items():
        listed = ", ".join(f"{n} {outcome}" for outcome, n in sorted(found.items()))
        sentences.append(f"Of {found.total()} {kind}: {listed}.")
    return sentences


def _not_run(evidence: Evidence, verdicts: Sequence[Verdict]) -> list[MarkedText]:
    """Name what has not been run in one sentence for each reason."""
    datasets = dict.fromkeys(one.published.dataset for one in verdicts)
    notes = not_run_note(evidence, datasets)
    lacking = [one.published for one in verdicts if one.outcome is Outcome.NOT_RUN]
    names = []
    for dataset, values in grouped(lacking, lambda value: value.dataset).items():
        if evidence.records(dataset):
            models = dict.fromkeys(evidence.found.title(value.model) for value in values)
            names.append(f"{dataset_title(dataset)} ({', '.join(models)})")
    if names:
        notes.append(marked_note(Mark.NOT_FINISHED, f"Not run: {', '.join(names)}."))
    return notes

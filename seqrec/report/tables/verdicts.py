"""Each published metric beside ours, with a verdict."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from seqrec.experiment.naming import dataset_title, run_order
from seqrec.report.cells import NOT_FINISHED, Cell, Table, Text
from seqrec.report.evidence import Evidence
from seqrec.report.numbers import interval, number, percent, signed_interval
from seqrec.report.tables.columns import METRIC_TITLES
from seqrec.report.tables.notes import mark_notes, other_settings_notes
from seqrec.report.verdicts import Verdict


def verdicts_table(evidence: Evidence, verdicts: Sequence[Verdict]) -> Table:
    """Tabulate verdicts in the paper's order."""
    ordered = sorted(verdicts, key=lambda one: (*run_order(one.dataset, one.model), one.metric))
    cells = [
        [
            Cell(dataset_title(one.dataset)),
            Cell((evidence.title(one.dataset, one.model),)),
            Cell(METRIC_TITLES[one.metric]),
            Cell(one.outcome.value, bold=one.outcome.decided),
            *_numbers(one),
        ]
        for one in ordered
    ]
    data = pd.DataFrame(
        [[*one[:5], *(one.interval or (None, None)), one.outcome.value] for one in ordered],
        columns=["dataset", "model", "metric", "published", "ours", "low", "high", "verdict"],
    )
    headings = ["Dataset", "Model", "Metric", "Verdict", "paper", "ours", "95% interval"]
    headings += ["diff.", "95% interval"]
    table = Table("Against the paper", headings, cells, data, columns="llllrrrrr")
    table.notes.extend(_notes(ordered))
    table.notes.extend(mark_notes(table.marks))
    table.notes.extend(other_settings_notes(evidence))
    return table


def _numbers(one: Verdict) -> list[Cell]:
    published = Cell(number(one.published, 4))
    if one.ours is None or one.interval is None:
        return [published, NOT_FINISHED, Cell(""), Cell(""), Cell("")]
    low, high = (end / one.published - 1 for end in one.interval)
    texts = [
        number(one.ours, 4),
        interval(one.interval),
        percent(one.ours / one.published - 1),
        signed_interval((low, high), percent),
    ]
    return [published, *map(Cell, texts)]


def _notes(verdicts: Sequence[Verdict]) -> list[Text]:
    if not verdicts:
        return ["The paper has none of these datasets."]
    counts = Counter(one.outcome for one in verdicts)
    return [
        f"Of {len(verdicts)} published values: "
        f"{', '.join(f'{count} {outcome}' for outcome, count in counts.items())}.",
        "Reproduced: the published value lies in our 95% interval, or ours is within 5% of it; "
        "otherwise better or worse. The interval is a bootstrap over users, each user's metric "
        "averaged over the seeds that have finished; it does not cover what other seeds would "
        "change. diff.: ours relative to the published value, with its interval.",
    ]

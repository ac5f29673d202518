"""What the paper claims, and what the records say about it."""

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.report.cells import Cell, MarkedText, Table
from seqrec.report.claims import Claim, claims
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence
from seqrec.report.levels import ALPHA, CONFIDENCE
from seqrec.report.rendering import plain
from seqrec.report.tables.notes import follow_up_note, mark_notes, not_run_note

NOTES: list[MarkedText] = [
    "Quality is test NDCG@10, decided by the paired t-test of the tables of pairs at the "
    f"{ALPHA:.0%} level: a claim holds if its difference is significant, does not hold if the "
    "opposite one is, and is undecided otherwise. A claim of two differences needs both. The "
    "evidence gives the differences, also in percent of what is subtracted, with "
    f"{CONFIDENCE:.0%} intervals.",
    "The tests of one claim on several datasets are a family. They are not corrected, as each "
    "verdict is on its dataset: a claim that is true nowhere holds by luck on one of them with a "
    f"chance of up to {ALPHA / 2:.1%} for each dataset.",
    "The claim on epochs holds if every run of SASRec+ has an earlier best epoch than every run of "
    "BERT4Rec, and does not hold if none has. The claim on time is decided likewise, by the best "
    "epochs times the seconds per epoch, measured for both models on the same machine; without "
    "such a measurement it is undecided. Its column paper compares whole trainings.",
    "paper: what the paper's own numbers say, without a test.",
]


def claims_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate claims with their evidence; datasets without a finished run are one sentence."""
    decided = [claim for dataset in evidence.datasets for claim in claims(evidence, dataset)]
    run = [one for one in decided if evidence.records(one.dataset)]
    cells = [
        [
            Cell(dataset_title(one.dataset)),
            Cell(one.claim),
            Cell(one.published.value if one.published else ""),
            Cell(one.verdict.value, bold=True),
            Cell(one.evidence),
        ]
        for one in run
    ]
    data = pd.DataFrame(
        [
            [
                *(one.dataset, one.claim, one.published and one.published.value),
                *(one.verdict.value, plain(one.evidence)),
            ]
            for one in decided
        ],
        columns=list(Claim._fields[:5]),
    )
    headings = ["Dataset", "Claim", "paper", "Verdict", "Evidence"]
    table = Table(item.title, headings, cells, data, columns="lslls")
    table.notes.extend(NOTES if decided else ["None of the paper's claims is about these models."])
    table.notes.extend(follow_up_note(evidence, dict.fromkeys(one.dataset for one in run)))
    table.notes.extend(not_run_note(evidence, dict.fromkeys(one.dataset for one in decided)))
    table.notes.extend(mark_notes(table.marks))
    return table

"""What the paper claims, and what the records say to it."""

from collections.abc import Sequence

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.report.cells import Cell, Table, Text
from seqrec.report.claims import Claim
from seqrec.report.rendering import plain
from seqrec.report.tables.notes import mark_notes

NOTES: list[Text] = [
    "Quality is test NDCG@10, decided by a paired t-test over users (and over seeds, where there "
    "are several) at the 5% level: a claim holds if its difference is significant, does not hold "
    "if the opposite one is, and is undecided otherwise. A claim of two differences needs both. "
    "The evidence gives the differences with 95% intervals.",
    "The claim on time is decided by the training time up to the best epoch, with its validations, "
    "among runs that had the same kind of device to themselves or, on a CPU, where the quicker run "
    "shared it with at least as many others. It holds if every such run of SASRec+ was quicker "
    "than every one of BERT4Rec, and on a shared CPU still would have been had every epoch of the "
    "slower run been as quick as its quickest. Its column paper compares whole trainings.",
    "paper: what the paper's own numbers say, without a test.",
]


def claims_table(claims: Sequence[Claim]) -> Table:
    """Tabulate claims with their evidence."""
    cells = [
        [
            Cell(dataset_title(one.dataset)),
            Cell(one.claim),
            Cell(one.published.value if one.published else ""),
            Cell(one.verdict.value, bold=True),
            Cell(one.evidence),
        ]
        for one in claims
    ]
    data = pd.DataFrame(
        [
            [
                *(one.dataset, one.claim, one.published and one.published.value),
                *(one.verdict.value, plain(one.evidence)),
            ]
            for one in claims
        ],
        columns=list(Claim._fields),
    )
    headings = ["Dataset", "Claim", "paper", "Verdict", "Evidence"]
    table = Table("The paper's claims", headings, cells, data, columns="lslls")
    table.notes.extend(NOTES if claims else ["None of the paper's claims is about these models."])
    table.notes.extend(mark_notes(table.marks))
    return table

"""Which of the paper's claims survive another split."""

import math

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.report.cells import Cell, Table
from seqrec.report.claims import Claim, Support
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence
from seqrec.report.numbers import percent
from seqrec.report.survival import claims_by_split

COLUMNS = ["dataset", "claim", "split", "verdict", "relative", "p"]
"""Columns of the table for programs; the numbers are those of the claim's first difference."""


def survival_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate under which splits each claim holds, a column for each split."""
    decided = claims_by_split(evidence)
    splits = list(dict.fromkeys(s for of in decided.values() for one in of.values() for s in one))
    cells, lines = [], []
    left_out: dict[str, list[str]] = {}
    for dataset, of_dataset in decided.items():
        for claim, under in of_dataset.items():
            lines += [[dataset, claim, split, *_numbers(one)] for split, one in under.items()]
            if not any(map(_says_something, under.values())):
                left_out.setdefault(claim, []).append(dataset_title(dataset))
                continue
            held = sum(one.verdict is Support.HOLDS for one in under.values())
            cells.append(
                [
                    Cell(dataset_title(dataset)),
                    Cell(claim),
                    *(_cell(under.get(split)) for split in splits),
                    Cell(f"{held} of {len(under)}"),
                ]
            )
    table = Table(
        item.title,
        ["Dataset", "Claim", *splits, "Holds under"],
        cells,
        pd.DataFrame(lines, columns=COLUMNS),
        columns="ls" + "l" * len(splits) + "r",
    )
    if cells:
        table.notes.append(
            "In percent: how much the first of two models is above the other in test NDCG@10; bold "
            "where the claim holds. The table of claims has intervals and tests."
        )
    if left_out:
        listed = "; ".join(f"{claim} ({', '.join(some)})" for claim, some in left_out.items())
        table.notes.append(
            f"Undecided under every split, for reasons in the table of claims: {listed}."
        )
    if not decided:
        table.notes.append("None of the paper's claims is about these models.")
    return table


def _says_something(claim: Claim) -> bool:
    """Whether there is a verdict, or a difference that might have given one."""
    return claim.verdict is not Support.UNDECIDED or bool(claim.tested)


def _cell(claim: Claim | None) -> Cell:
    if claim is None:
        return Cell("")
    shares = [percent(one.relative) for one in claim.tested if not math.isnan(one.relative)]
    return Cell(", ".join([claim.verdict.value, *shares]), claim.verdict is Support.HOLDS)


def _numbers(claim: Claim) -> list[object]:
    first = claim.tested[0] if claim.tested else None
    return [claim.verdict.value, first and first.relative, first and first.difference.p]

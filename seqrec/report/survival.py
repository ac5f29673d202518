"""Which of the paper's claims survive another split."""

from collections.abc import Mapping

from seqrec.layout import SPLIT_MARK, dataset_of
from seqrec.records.survey import grouped
from seqrec.report.claims import Claim, claims
from seqrec.report.evidence import Evidence


def claims_by_split(evidence: Evidence) -> dict[str, dict[str, Mapping[str, Claim]]]:
    """Decide the paper's claims under each split: by dataset, by claim, and by split."""
    decided = [claim for task in evidence.datasets for claim in claims(evidence, task)]
    of_datasets = grouped(decided, lambda one: dataset_of(one.dataset))
    return {
        dataset: {
            claim: {one.dataset.partition(SPLIT_MARK)[2]: one for one in under}
            for claim, under in grouped(some, lambda one: one.claim).items()
        }
        for dataset, some in of_datasets.items()
    }

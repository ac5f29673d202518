"""Count who and what is new after the cut of a split."""

from seqrec.data.interactions import Interactions
from seqrec.experiment.schema import RunSplit
from seqrec.protocol.splitting import describe_split
from seqrec.records.record import Cold


def count_cold(log: Interactions, split: RunSplit) -> Cold | None:
    """Count the cold users and items of a test; None under leave-one-out, where users are known."""
    if split.kind == "leave-one-out":
        return None
    found = describe_split(log, split)["cold"]
    return Cold(users=found["users"], items=found["items"])

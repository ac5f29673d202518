"""Split a log by the rule of a configuration, and count what comes of it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from seqrec.data.sequences import Sequences
from seqrec.errors import SeqrecError
from seqrec.protocol.global_temporal import Cuts, global_temporal
from seqrec.protocol.splits import USERS_AT_ONCE, Split, Splits, leave_one_out
from seqrec.wording import counted

if TYPE_CHECKING:
    from seqrec.experiment.schema import SplitRule


def split_log(log: Sequences, rule: "SplitRule") -> Splits:
    """Split a log. Raises `SeqrecError` if nobody is left to train, to validate or to test."""
    return _split(log, rule)[0]


def describe_split(log: Sequences, rule: "SplitRule") -> dict[str, Any]:
    """Split a log and count what comes of it, as plain values. Raises as `split_log` does.

    `later_than_target` is the share of train interactions that happen after a test target, on
    average over targets: with leave-one-out a model learns from the future of most users.
    """
    splits, cuts = _split(log, rule)
    train, test = splits.train, splits.test
    targets = test.target_pairs(np.arange(test.num_users))[1]
    trained, counts = train.ends > train.starts, train.item_counts()
    users = np.arange(test.num_users) if test.users is None else test.users
    found: dict[str, Any] = {
        "cut": cuts and _moment(cuts.test),
        "validation_cut": cuts and _moment(cuts.validation),
        "train": {
            "users": int(trained.sum()),
            "items": int((counts > 0).sum()),
            "interactions": int(counts.sum()),
        },
        "validation": _size(splits.validation),
        "test": _size(test),
        "cold": {
            "users": len(np.unique(users[~trained[users]])),
            "items": len(np.unique(targets[counts[targets] == 0])),
            "targets": int((counts[targets] == 0).sum()),
        },
        "targets_in_history": _targets_in_history(test),
        "later_than_target": _later_than_target(train, test),
    }
    return {key: value for key, value in found.items() if value is not None}


def _split(log: Sequences, rule: "SplitRule") -> tuple[Splits, Cuts | None]:
    if rule.kind == "leave-one-out":
        return leave_one_out(log, rule.seen == "keep"), None
    splits, cuts = global_temporal(log, rule)
    _require_somebody(splits, cuts)
    return splits, cuts


def _require_somebody(splits: Splits, cuts: Cuts) -> None:
    trained = int((splits.train.ends > splits.train.starts).sum())
    validated, tested = _size(splits.validation)["users"], _size(splits.test)["users"]
    if not (trained and validated and tested):
        raise SeqrecError(
            f"split: a cut at {_date(cuts.test)} leaves {counted(trained, 'user')} to "
            f"train, {validated:,} to validate and {tested:,} to test. Choose another "
            "split.quantile or split.at, or another split.validation."
        )


def _size(split: Split) -> dict[str, int]:
    users = split.num_users if split.users is None else len(np.unique(split.users))
    targets = len(split.target_pairs(np.arange(split.num_users))[1])
    return {"users": users, "targets": targets}


def _moment(seconds: float | None) -> dict[str, Any] | None:
    """Describe a moment as Unix seconds and as a date; None where there is none."""
    if seconds is None:
        return None
    return {"seconds": int(seconds) if seconds.is_integer() else seconds, "date": _date(seconds)}


def _date(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, ValueError, OSError):  # before the year 1 or after the year 9999
        return f"{seconds:g} seconds after 1970"


def _targets_in_history(test: Split) -> float:
    """Return the share of targets that are in the history that they are ranked from.

    Where seen items are not ranked, each of them is a miss, whatever the model.
    """
    found = total = 0
    for first in range(0, test.num_users, USERS_AT_ONCE):
        rows = np.arange(first, min(first + USERS_AT_ONCE, test.num_users))
        pairs = [
            row * (test.num_items + 1) + item
            for row, item in (test.target_pairs(rows), test.pairs(rows))
        ]
        found += int(np.isin(pairs[0], pairs[1]).sum())
        total += len(pairs[0])
    return found / total


def _later_than_target(train: Split, test: Split) -> float | None:
    """Average over targets the share of train interactions that happen later, if known."""
    if train.times is None or test.times is None:
        return None
    trained = np.sort(train.times[train.indices(np.arange(train.num_users))])
    earlier = np.searchsorted(trained, test.times[test.ends], side="right")
    return float(1 - (earlier / len(trained)).mean())

"""The global temporal split: one moment, the same for all users, divides train from test.

Gusak et al., "Time to Split" (RecSys 2025). Interactions up to and including the cut are for
training, as far as their users have at least two of them; who interacts after the cut is a test
user. A user's interactions are in order of time, so each part of them is a range of indices.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from seqrec.data.sequences import Sequences
from seqrec.errors import SeqrecError
from seqrec.protocol.splits import Split, Splits

if TYPE_CHECKING:
    from seqrec.experiment.schema import SplitRule

MOST_VALIDATION_USERS = 1024
"""Users that are validated; where there are more, as many are drawn."""

SHORTEST = 2
"""Fewest interactions of a user in training: an item to read, and one to predict."""

SEED = 0
"""Seeds what a split draws. It is the same for every run, so that runs have the same targets."""


@dataclass(frozen=True)
class Cuts:
    """The moments at which a log is cut, in Unix seconds: what comes later is held out."""

    test: float
    validation: float | None
    """None for a validation that is not by time."""


def global_temporal(log: Sequences, rule: "SplitRule") -> tuple[Splits, Cuts]:
    """Split a log at one moment.

    Raises `SeqrecError` for a log without times, and for one in another order than that of time.
    """
    whole = Split.whole(log, rule.seen == "keep")
    _require_order(whole)
    cut = _quantile(_times(whole), rule) if rule.cut is None else float(rule.cut)
    after = _first_after(whole, cut)
    both = _trainable(replace(whole, ends=after))
    train, validation, second = VALIDATIONS[str(rule.validation)](both, rule)
    test = TARGETS[str(rule.target)](whole, after)
    return Splits(train, validation, test, both), Cuts(cut, second)


def _times(split: Split) -> np.ndarray:
    if split.times is None:
        raise SeqrecError(
            "the log has no times, which a global-temporal split needs. Give the dataset's times "
            "in its YAML file and preprocess it again, or use split.kind=leave-one-out."
        )
    return split.times


def _require_order(whole: Split) -> None:
    """A dataset may be sorted by other columns than its time, or not at all."""
    back = np.diff(_times(whole)) < 0
    back[whole.starts[1:] - 1] = False  # from one user to the next
    if back.any():
        raise SeqrecError(
            "the log is not in order of time, which a global-temporal split needs: there are "
            f"{int(back.sum()):,} interactions before which the same user has a later one. Let the "
            "dataset's YAML sort by the timestamp, or use split.kind=leave-one-out."
        )


def _quantile(times: np.ndarray, rule: "SplitRule") -> float:
    """Return the moment up to which a share `rule.quantile` of `times` lies, interpolated."""
    if rule.quantile is None:
        raise ValueError("a global-temporal split has a quantile")
    return float(np.quantile(times, rule.quantile))


def _first_after(split: Split, cut: float) -> np.ndarray:
    """Return where the first interaction after `cut` stands in each history, int64 `[rows]`."""
    before = np.zeros(len(split.items) + 1, np.int64)
    np.cumsum(_times(split) <= cut, out=before[1:])
    return split.starts + before[split.ends] - before[split.starts]


def _trainable(split: Split) -> Split:
    """Empty the histories that are too short to train on."""
    long_enough = split.ends - split.starts >= SHORTEST
    return replace(split, ends=np.where(long_enough, split.ends, split.starts))


# Validation: what of the train part is held out. The target is a user's last train item, and its
# history all train items before it.

Validation = Callable[[Split, "SplitRule"], tuple[Split, Split, float | None]]
"""Divides the train part into a smaller one and the validation; also returns a second cut."""


def _by_time(both: Split, rule: "SplitRule") -> tuple[Split, Split, float | None]:
    """Cut the train part like the log: validate those who interact after the second cut."""
    index = both.indices(np.arange(both.num_users))
    cut = _quantile(_times(both)[index], rule) if len(index) else -np.inf
    after = _first_after(both, cut)
    train = _trainable(replace(both, ends=after))
    return train, _last_items_of(both, np.flatnonzero(after < both.ends)), cut


def _last_train_item(both: Split, rule: "SplitRule") -> tuple[Split, Split, float | None]:
    """Validate every user; those with a third item go on training on the others."""
    has_items = both.ends > both.starts
    train = _trainable(replace(both, ends=both.ends - has_items))
    return train, _last_items_of(both, np.flatnonzero(has_items)), None


def _by_user(both: Split, rule: "SplitRule") -> tuple[Split, Split, float | None]:
    """Take some users out of training altogether, at most half of them."""
    users = np.flatnonzero(both.ends > both.starts)
    chosen = _drawn(users, min(MOST_VALIDATION_USERS, len(users) // 2))
    ends = both.ends.copy()
    ends[chosen] = both.starts[chosen]
    return replace(both, ends=ends), _last_items_of(both, chosen), None


def _last_items_of(both: Split, users: np.ndarray) -> Split:
    """Make the last train item of `users`, or of some of them, their target."""
    users = _drawn(users, MOST_VALIDATION_USERS)
    starts, ends = both.starts[users], both.ends[users] - 1
    return replace(both, starts=starts, ends=ends, users=users)


def _drawn(users: np.ndarray, most: int) -> np.ndarray:
    if len(users) <= most:
        return users
    return np.sort(np.random.default_rng(SEED).choice(users, most, replace=False))


VALIDATIONS: dict[str, Validation] = {
    "by-time": _by_time,
    "last-train-item": _last_train_item,
    "by-user": _by_user,
}

# Targets: which of a test user's items after the cut are to be predicted. Users without any item
# before a target cannot be ranked for.


def _last(whole: Split, after: np.ndarray) -> Split:
    """The last interaction; whatever lies between the cut and it is history."""
    return _test(whole, np.flatnonzero(after < whole.ends), whole.ends - 1)


def _first(whole: Split, after: np.ndarray) -> Split:
    """The first interaction after the cut, of users with a history before it."""
    return _test(whole, _known(whole, after), after)


def _random(whole: Split, after: np.ndarray) -> Split:
    """One of the interactions after the cut, of users with a history before it."""
    lengths = np.maximum(whole.ends - after, 1)
    return _test(whole, _known(whole, after), np.random.default_rng(SEED).integers(lengths) + after)


def _successive(whole: Split, after: np.ndarray) -> Split:
    """Each interaction after the cut, one by one, with all that precedes it as history."""
    first = np.maximum(after, whole.starts + 1)
    later = replace(whole, starts=np.minimum(first, whole.ends))
    users = np.repeat(np.arange(whole.num_users), later.ends - later.starts)
    targets = later.indices(np.arange(whole.num_users))
    return replace(whole, starts=whole.starts[users], ends=targets, users=users)


def _all(whole: Split, after: np.ndarray) -> Split:
    """All items after the cut at once, from the history up to it."""
    users = _known(whole, after)
    return replace(_test(whole, users, after), stops=whole.ends[users])


def _known(whole: Split, after: np.ndarray) -> np.ndarray:
    """List the users who interact both up to the cut and after it."""
    return np.flatnonzero((whole.starts < after) & (after < whole.ends))


def _test(whole: Split, users: np.ndarray, targets: np.ndarray) -> Split:
    return replace(whole, starts=whole.starts[users], ends=targets[users], users=users)


TARGETS: dict[str, Callable[[Split, np.ndarray], Split]] = {
    "last": _last,
    "first": _first,
    "random": _random,
    "successive": _successive,
    "all": _all,
}

"""What the times of a log show: ties, what leave-one-out leaks, and how popularity drifts."""

import numpy as np

from seqrec.audit.overlap import overlaps
from seqrec.audit.part import Part
from seqrec.data.filtering import distinct
from seqrec.data.sequences import Sequences

DAY_SECONDS = 86_400
CUT = 0.9
"""The quantile of all times at which a global temporal split cuts."""
PERIODS = 10
"""Parts of a log with as many interactions each, in order of time."""
TOP = 100
"""Items whose popularity is followed, or a tenth of them if that is less."""


class Ties(Part):
    """Interactions of a user within the same second, in the order of the file."""

    whole_days: bool
    """Whether every time is the beginning of a day, so that the log knows no order within it."""
    tied: float
    """Share of the pairs of successive interactions that have the same time."""
    test_targets: int
    """Users whose last item shares its time with another item: the file's order, and nothing else,
    makes it the test target of leave-one-out."""


class Leaks(Part):
    """What leave-one-out's training part holds from the time after the test targets."""

    cut: int
    """The `CUT` quantile of all times, in unix seconds."""
    later_training: float
    """Mean over test targets of the share of the training interactions that are later."""
    targets_before_cut: float
    """Share of the test targets at or before the cut."""
    from_the_future: float
    """Share of the test targets whose item occurs in training, but only after the target."""
    new_items: float
    """Share of the test targets whose item occurs nowhere at or before the cut."""
    new_users: float
    """Share of the users who interact after the cut that do so at most once up to it: a global
    temporal split tests them, but cannot train on them."""


class Drift(Part):
    """How the popular items change over time."""

    starts: list[int]
    """When each period begins, in unix seconds."""
    top: int
    """How many popular items of each period are compared."""
    with_previous: list[float]
    """Jaccard overlap of each period's popular items with those of the one before; from the second
    period."""
    with_first: list[float]
    """The same with those of the first period."""
    by_chance: float
    """Mean overlap with the one before if the interactions were dealt to periods at random."""
    new_items: float
    """Share of the last period's interactions with items that occur in no earlier one."""


def ties(log: Sequences, times: np.ndarray) -> Ties:
    """Count ties; `times` are unix seconds, int64 [interactions]."""
    lengths = np.diff(log.offsets)
    owner = np.repeat(np.arange(log.num_users), lengths)
    last = log.offsets[1:] - 1
    successive = owner[1:] == owner[:-1]
    beside_target = (times == np.repeat(times[last], lengths)) & (
        log.items != np.repeat(log.items[last], lengths)
    )
    return Ties(
        whole_days=bool((times % DAY_SECONDS == 0).all()),
        tied=_mean((times[1:] == times[:-1])[successive]),
        test_targets=distinct(owner[beside_target]),
    )


def leaks(log: Sequences, times: np.ndarray) -> Leaks:
    """Measure what leave-one-out leaks; `times` are unix seconds, int64 [interactions].

    A user's last item is the test target, and all but the last two are for training.
    """
    last = log.offsets[1:] - 1
    targets, target_times = log.items[last], times[last]
    training = np.ones(len(times), bool)
    training[last] = training[last - 1] = False
    training_times = np.sort(times[training])
    later = len(training_times) - np.searchsorted(training_times, target_times, side="right")
    cut = np.quantile(times, CUT)
    up_to_cut = np.add.reduceat(times <= cut, log.offsets[:-1], dtype=np.int64)
    first_trained = _first_times(log.items[training], times[training], log.num_items)[targets]
    first = _first_times(log.items, times, log.num_items)[targets]
    return Leaks(
        cut=int(cut),
        later_training=_mean(later / len(training_times)),
        targets_before_cut=_mean(target_times <= cut),
        from_the_future=_mean((first_trained > target_times) & (first_trained < NEVER)),
        new_items=_mean(first > cut),
        new_users=_mean(up_to_cut[target_times > cut] < 2),
    )


def drift(log: Sequences, times: np.ndarray) -> Drift:
    """Measure how popularity drifts; `times` are unix seconds, int64 [interactions]."""
    order = np.argsort(times, kind="stable")
    items = log.items[order]
    period = np.arange(len(items)) * PERIODS // len(items)
    top = max(1, min(TOP, log.num_items // 10))
    popular = _popular(items, period, log.num_items, top)
    dealt = np.random.default_rng(0).permutation(period)
    first = np.full(log.num_items + 1, PERIODS)
    np.minimum.at(first, items, period)
    return Drift(
        starts=[int(times[order[np.searchsorted(period, n)]]) for n in range(PERIODS)],
        top=top,
        with_previous=_successive(popular),
        with_first=overlaps(popular[1:], popular[:1].repeat(PERIODS - 1, axis=0)).tolist(),
        by_chance=_mean(_successive(_popular(items, dealt, log.num_items, top))),
        new_items=_mean(first[items[period == PERIODS - 1]] == PERIODS - 1),
    )


NEVER = np.iinfo(np.int64).max
"""Stands for the time of what does not happen."""


def _first_times(items: np.ndarray, times: np.ndarray, num_items: int) -> np.ndarray:
    """Return when each item occurs first, int64 [items + 1]."""
    first = np.full(num_items + 1, NEVER)
    np.minimum.at(first, items, times)
    return first


def _popular(items: np.ndarray, period: np.ndarray, num_items: int, top: int) -> np.ndarray:
    """Return the `top` most popular items of each period, sorted, int [periods, top]."""
    counts = np.bincount(period * (num_items + 1) + items, minlength=PERIODS * (num_items + 1))
    by_count = np.argsort(-counts.reshape(PERIODS, -1)[:, 1:], axis=1, kind="stable")
    return by_count[:, :top]


def _successive(popular: np.ndarray) -> list[float]:
    """Return the overlap of each period's items with those of the one before."""
    return overlaps(popular[1:], popular[:-1]).tolist()


def _mean(values: "np.ndarray | list[float]") -> float:
    return float(np.mean(values)) if len(values) else 0.0

"""What the times of a log show: ties, what leave-one-out leaks, and how popularity drifts."""

from dataclasses import dataclass

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
    whole_days, tied, targets = True, 0, 0
    for place, part in log.parts():
        lengths, owner, moments = np.diff(part.offsets), part.owners(), times[place]
        last = part.offsets[1:] - 1
        same = (owner[1:] == owner[:-1]) & (moments[1:] == moments[:-1])
        beside_target = (moments == np.repeat(moments[last], lengths)) & (
            part.items != np.repeat(part.items[last], lengths)
        )
        whole_days &= bool((moments % DAY_SECONDS == 0).all())
        tied += int(same.sum())
        targets += distinct(owner[beside_target])
    successive = len(times) - log.num_users
    return Ties(
        whole_days=whole_days, tied=tied / successive if successive else 0.0, test_targets=targets
    )


def leaks(log: Sequences, times: np.ndarray) -> Leaks:
    """Measure what leave-one-out leaks; `times` are unix seconds, int64 [interactions].

    A user's last item is the test target, and all but the last two are for training.
    """
    last = log.offsets[1:] - 1
    targets, target_times = log.items[last], times[last]
    cut = _quantile(_Ordered.of(log, times), CUT)
    first, first_trained = (np.full(log.num_items + 1, NEVER) for _ in range(2))
    up_to_cut = []
    for place, part in log.parts():
        moments, training = times[place], _for_training(part, 2)
        np.minimum.at(first, part.items, moments)
        np.minimum.at(first_trained, part.items[training], moments[training])
        up_to_cut.append(np.add.reduceat(moments <= cut, part.offsets[:-1], dtype=np.int64))
    trained = _Ordered.of(log, times, held_out=2)
    later = len(trained) - trained.before(target_times, or_at=True)
    first, first_trained = first[targets], first_trained[targets]
    return Leaks(
        cut=int(cut),
        later_training=_mean(later / len(trained)),
        targets_before_cut=_mean(target_times <= cut),
        from_the_future=_mean((first_trained > target_times) & (first_trained < NEVER)),
        new_items=_mean(first > cut),
        new_users=_mean(np.concatenate(up_to_cut)[target_times > cut] < 2),
    )


def drift(log: Sequences, times: np.ndarray) -> Drift:
    """Measure how popularity drifts; `times` are unix seconds, int64 [interactions]."""
    starts, period = _periods(log, times)
    top = max(1, min(TOP, log.num_items // 10))
    counts = _counts(log, period)
    popular = _popular(counts, top)
    dealt = _counts(log, np.random.default_rng(0).permutation(period))
    new = (counts[:-1] == 0).all(0)
    return Drift(
        starts=starts,
        top=top,
        with_previous=_successive(popular),
        with_first=overlaps(popular[1:], popular[:1].repeat(PERIODS - 1, axis=0)).tolist(),
        by_chance=_mean(_successive(_popular(dealt, top))),
        new_items=float(counts[-1, new].sum() / max(1, counts[-1].sum())),
    )


NEVER = np.iinfo(np.int64).max
"""Stands for the time of what does not happen."""


@dataclass(frozen=True)
class _Ordered:
    """Times in ascending order, in the four bytes each that nearly all logs need."""

    earliest: int
    since: np.ndarray
    """Seconds since the earliest, uint32 or int64 [times]."""

    @classmethod
    def of(cls, log: Sequences, times: np.ndarray, held_out: int = 0) -> "_Ordered":
        """Sort the times of all interactions but the last `held_out` of each user."""
        earliest = int(times.min())
        kind = np.uint32 if int(times.max()) - earliest < 2**32 else np.int64
        since, end = np.empty(len(times) - held_out * log.num_users, kind), 0
        for place, part in log.parts():
            kept = times[place][_for_training(part, held_out)]
            since[end : end + len(kept)] = kept - earliest
            end += len(kept)
        since.sort()
        return cls(earliest, since)

    def __len__(self) -> int:
        return len(self.since)

    def at(self, rank: int) -> int:
        """Return the time of a rank, counted from 0."""
        return self.earliest + int(self.since[rank])

    def before(self, moments: np.ndarray, or_at: bool = False) -> np.ndarray:
        """Count the times before each of some moments, none of which is before the earliest."""
        # Of the same type: numpy would copy all times to another.
        since = (moments - self.earliest).astype(self.since.dtype)
        return np.searchsorted(self.since, since, side="right" if or_at else "left")


def _for_training(part: Sequences, held_out: int) -> np.ndarray:
    """Mark all but the last `held_out` interactions of each user, bool [interactions]."""
    kept = np.ones(len(part.items), bool)
    for place in range(1, held_out + 1):
        kept[part.offsets[1:] - place] = False
    return kept


def _quantile(times: _Ordered, share: float) -> float:
    """Return a quantile as numpy does: linear between the two times that are nearest."""
    place = share * (len(times) - 1)
    low = int(place)
    ends = [times.at(low), times.at(min(low + 1, len(times) - 1))]
    return float(np.quantile(ends, place - low))


def _periods(log: Sequences, times: np.ndarray) -> tuple[list[int], np.ndarray]:
    """Cut a log into `PERIODS` with as many interactions each; equal times keep the log's order.

    Returns when each begins, and the period of each interaction, int8 [interactions].
    """
    ordered, period = _Ordered.of(log, times), np.zeros(len(times), np.int8)
    last = len(times) - 1
    begins = [min(last, -(-number * len(times) // PERIODS)) for number in range(PERIODS)]
    starts = [ordered.at(rank) for rank in begins]
    # Of the interactions at the very start of a period, the first may belong to the one before.
    before = (np.array(begins) - ordered.before(np.array(starts))).tolist()
    for place, _ in log.parts():
        moments = times[place]
        for number in range(1, PERIODS):
            at_start = np.flatnonzero(moments == starts[number])
            here = moments > starts[number]
            here[at_start[before[number] :]] = True
            before[number] = max(0, before[number] - len(at_start))
            period[place] += here
    return starts, period


def _counts(log: Sequences, period: np.ndarray) -> np.ndarray:
    """Count the items of each period, int64 [periods, 1 + items]."""
    width = log.num_items + 1
    counts = np.zeros(PERIODS * width, np.int64)
    for place, part in log.parts():
        np.add.at(counts, period[place] * np.int64(width) + part.items, 1)
    return counts.reshape(PERIODS, width)


def _popular(counts: np.ndarray, top: int) -> np.ndarray:
    """Return the `top` most popular items of each period, int [periods, top]."""
    return np.argsort(-counts[:, 1:], axis=1, kind="stable")[:, :top]


def _successive(popular: np.ndarray) -> list[float]:
    """Return the overlap of each period's items with those of the one before."""
    return overlaps(popular[1:], popular[:-1]).tolist()


def _mean(values: "np.ndarray | list[float]") -> float:
    return float(np.mean(values)) if len(values) else 0.0

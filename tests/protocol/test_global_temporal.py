"""Splits at one moment are those of a second implementation in pandas, and refuse what is empty."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from small_runs import log_of

from seqrec.data.interactions import Interactions
from seqrec.errors import SeqrecError
from seqrec.experiment.schema import SplitRule
from seqrec.protocol import global_temporal
from seqrec.protocol.global_temporal import MOST_VALIDATION_USERS
from seqrec.protocol.splits import Split, Splits
from seqrec.protocol.splitting import describe_split, split_log

ITEMS = 9
VALIDATIONS = ["by-time", "last-train-item", "by-user"]
TARGETS = ["last", "first", "random", "successive", "all"]

event = st.tuples(st.integers(0, 12), st.integers(1, ITEMS))
users_events = st.lists(st.lists(event, min_size=3, max_size=8), min_size=1, max_size=8)


def timed_log(users: list[list[tuple[int, int]]]) -> Interactions:
    """Make a log in memory of events (time, item), each user's in order of time."""
    users = [sorted(user, key=lambda one: one[0]) for user in users]
    log = log_of([[item for _, item in user] for user in users], ITEMS)
    return replace(log, times=np.array([time for user in users for time, _ in user], np.int64))


def rule_of(**values: object) -> SplitRule:
    return SplitRule.model_validate({"kind": "global-temporal", **values})


class Row(NamedTuple):
    """A row of a split, in plain values."""

    user: int
    history: list[int]
    targets: list[int]


def rows_of(split: Split) -> list[Row]:
    every = np.arange(split.num_users)
    row, item = split.target_pairs(every)
    return [
        Row(int(user), split.history(one).tolist(), item[row == one].tolist())
        for one, user in zip(every.tolist(), split.users_of(every), strict=True)
    ]


def trained_on(split: Split) -> dict[int, list[int]]:
    """The histories that are not empty, by user."""
    histories = {user: split.history(user).tolist() for user in range(split.num_users)}
    return {user: history for user, history in histories.items() if history}


# The same in pandas, from the paper's words: slow, and on rows of a table.


def by_time(table: pd.DataFrame, cut: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What trains before `cut`, and the whole histories of those who come after it."""
    second = table.groupby("user").time.nth(1)
    kept = table.loc[second[second <= cut].index, "user"]
    last = table.groupby("user").time.max()
    train = table[table.user.isin(kept) & (table.time <= cut)]
    return train, table[table.user.isin(last[last > cut].index)]


def with_last_target(table: pd.DataFrame) -> list[Row]:
    return [
        Row(int(user), items[:-1], items[-1:])
        for user, items in table.groupby("user").item.agg(list).items()
    ]


def expected_validation(
    train: pd.DataFrame, quantile: float, kind: str
) -> tuple[pd.DataFrame, list[Row]]:
    if kind == "by-time":
        smaller, later = by_time(train, train.time.quantile(quantile))
        return smaller, with_last_target(later)
    from_end = train.groupby("user").cumcount(ascending=False)
    length = train.groupby("user").item.transform("size")
    assert kind == "last-train-item"
    return train[(from_end > 0) & (length > 2)], with_last_target(train[length > 1])


def expected_test(table: pd.DataFrame, cut: float, target: str) -> list[Row]:
    rows = []
    for user, events in by_time(table, cut)[1].groupby("user"):
        items, after = events.item.tolist(), (events.time > cut).tolist()
        places = [place for place in range(len(items)) if after[place]]
        known = places[0] > 0
        if target == "last":
            rows.append(Row(user, items[:-1], items[-1:]))
        elif target == "successive":
            rows += [Row(user, items[:at], [items[at]]) for at in places if at > 0]
        elif target == "first" and known:
            rows.append(Row(user, items[: places[0]], [items[places[0]]]))
        elif target == "all" and known:
            rows.append(Row(user, items[: places[0]], list(dict.fromkeys(items[places[0] :]))))
    return rows


@given(
    users_events,
    st.floats(0.05, 0.95),
    st.one_of(st.none(), st.integers(0, 12)),
    st.sampled_from(["by-time", "last-train-item"]),
    st.sampled_from(["last", "first", "successive", "all"]),
)
def test_a_split_is_that_of_pandas(
    users: list[list[tuple[int, int]]],
    quantile: float,
    at: int | None,
    validation: str,
    target: str,
) -> None:
    log = timed_log(users)
    table = pd.DataFrame(
        {
            "user": np.repeat(np.arange(log.num_users), np.diff(log.offsets)),
            "item": log.items,
            "time": log.times,
        }
    )
    cut = table.time.quantile(quantile) if at is None else at
    both, _ = by_time(table, cut)
    assume(len(both))
    train, validation_rows = expected_validation(both, quantile, validation)
    test_rows = expected_test(table, cut, target)
    rule = rule_of(quantile=quantile, at=at, validation=validation, target=target)
    if not (len(train) and validation_rows and test_rows):
        with pytest.raises(SeqrecError, match=r"leaves .* to train, .* to validate and .* to test"):
            split_log(log, rule)
        return
    splits = split_log(log, rule)
    assert trained_on(splits.train) == train.groupby("user").item.agg(list).to_dict()
    assert trained_on(splits.train_and_validation) == both.groupby("user").item.agg(list).to_dict()
    assert rows_of(splits.validation) == validation_rows
    assert rows_of(splits.test) == test_rows


def split_at_6(users: list[list[tuple[int, int]]], **values: object) -> Splits:
    try:
        return split_log(timed_log(users), rule_of(at=6, **values))
    except SeqrecError:
        assume(False)
        raise


@given(users_events)
def test_a_random_target_is_one_of_those_after_the_cut_and_the_same_for_every_run(
    users: list[list[tuple[int, int]]],
) -> None:
    drawn, again, successive = (
        rows_of(split_at_6(users, target=target, validation="last-train-item").test)
        for target in ("random", "random", "successive")
    )
    first = rows_of(split_at_6(users, target="first", validation="last-train-item").test)
    assert drawn == again
    assert [row.user for row in drawn] == [row.user for row in first]
    assert all(row in successive for row in drawn)


def test_random_targets_are_at_every_place() -> None:
    users = [[(0, 1), (1, 2), (2, 3), (7, 4), (8, 5), (9, 6)] for _ in range(60)]
    drawn = rows_of(split_at_6(users, target="random", validation="last-train-item").test)
    assert {row.targets[0] for row in drawn} == {4, 5, 6}


@given(users_events, st.integers(1, 5))
def test_users_who_are_validated_by_user_leave_training(
    users: list[list[tuple[int, int]]], most: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(global_temporal, "MOST_VALIDATION_USERS", most)
        splits = split_at_6(users, validation="by-user")
    both, train = trained_on(splits.train_and_validation), trained_on(splits.train)
    rows = rows_of(splits.validation)
    assert [row.user for row in rows] == sorted(both.keys() - train.keys())
    assert len(rows) == min(most, len(both) // 2)
    assert all([*row.history, *row.targets] == both[row.user] for row in rows)
    assert all(both[user] == history for user, history in train.items())


@pytest.mark.parametrize("validation", VALIDATIONS)
def test_at_most_so_many_users_are_validated_the_same_ones_in_every_run(validation: str) -> None:
    users = [[(0, 1), (1, 2), (3, 3), (9, 4)] for _ in range(2500)]
    # Half of the times up to the cut are at most 1.
    rule = rule_of(at=6, quantile=0.5, validation=validation)
    one, other = (split_log(timed_log(users), rule).validation for _ in range(2))
    assert one.num_users == MOST_VALIDATION_USERS == 1024
    assert one.users is not None
    assert other.users is not None
    assert np.array_equal(one.users, other.users)
    assert len(np.unique(one.users)) == 1024
    assert one.users.max() > 1024


@pytest.mark.parametrize("validation", VALIDATIONS)
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_copied(validation: str, target: str) -> None:
    log = timed_log([[(0, 1), (1, 2), (3, 3), (9, 4)] for _ in range(1500)])
    splits = split_log(log, rule_of(at=6, quantile=0.5, validation=validation, target=target))
    for split in vars(splits).values():
        assert split.items is log.items
        assert split.times is log.times


def test_a_log_without_times_or_in_another_order_is_refused() -> None:
    log = timed_log([[(0, 1), (1, 2), (9, 3)], [(0, 1), (7, 2), (8, 3)]])
    with pytest.raises(SeqrecError, match=r"no times.*split.kind=leave-one-out"):
        split_log(replace(log, times=None), rule_of())
    assert log.times is not None
    with pytest.raises(SeqrecError, match=r"not in order of time.* 4 interactions"):
        split_log(replace(log, times=log.times[::-1].copy()), rule_of())


def test_a_split_is_described_by_counts() -> None:
    log = timed_log(
        [
            [(0, 1), (1, 2), (2, 3), (9, 3)],  # comes back to an item
            [(0, 1), (1, 4), (2, 2)],  # is not tested
            [(5, 1), (8, 2), (9, 7)],  # has one interaction before the cut: not trained
            [(0, 1), (1, 2), (3, 5), (7, 6), (8, 6)],
        ]
    )
    rule = rule_of(at=6, validation="last-train-item", target="all")
    assert describe_split(log, rule) == {
        "cut": {"seconds": 6, "date": "1970-01-01T00:00:06+00:00"},
        "train": {"users": 3, "items": 3, "interactions": 6},
        "validation": {"users": 3, "targets": 3},
        "test": {"users": 3, "targets": 4},
        "cold": {"users": 1, "items": 3, "targets": 3},
        "targets_in_history": 0.25,
        "later_than_target": 0.0,
    }


def later_share(log: Interactions, held_out: int) -> float:
    """For each user, the share of train interactions after the last one, in a slow loop."""
    assert log.times is not None
    bounds = list(zip(log.offsets[:-1], log.offsets[1:], strict=True))
    train = [t for first, last in bounds for t in log.times[first : last - held_out]]
    shares = [np.mean([t > log.times[last - 1] for t in train]) for _, last in bounds]
    return float(np.mean(shares))


@given(users_events)
def test_leave_one_out_trains_on_what_comes_after_targets(
    users: list[list[tuple[int, int]]],
) -> None:
    log = timed_log(users)
    described = describe_split(log, SplitRule())
    assert described["later_than_target"] == pytest.approx(later_share(log, held_out=2))
    assert "cut" not in described
    assert "later_than_target" not in describe_split(replace(log, times=None), SplitRule())


@given(users_events, st.floats(0.05, 0.95), st.sampled_from(VALIDATIONS))
def test_nothing_after_the_cut_is_ever_trained_on(
    users: list[list[tuple[int, int]]], quantile: float, validation: str
) -> None:
    log = timed_log(users)
    assert log.times is not None
    try:
        splits = split_log(log, rule_of(quantile=quantile, validation=validation))
    except SeqrecError:
        return
    cut = np.quantile(log.times, quantile)
    for split in (splits.train, splits.train_and_validation, splits.validation):
        assert (log.times[split.indices(np.arange(split.num_users))] <= cut).all()
    assert (log.times[splits.validation.ends] <= cut).all()
    assert (log.times[splits.test.ends] > cut).all()

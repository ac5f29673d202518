"""Leave-one-out."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from small_runs import log_of

from seqrec.protocol.splits import leave_one_out

histories = st.lists(st.lists(st.integers(1, 9), min_size=3, max_size=8), min_size=1, max_size=6)


@given(histories)
def test_the_last_item_is_for_test_the_one_before_for_validation(users: list[list[int]]) -> None:
    splits = leave_one_out(log_of(users, 9))
    for user, whole in enumerate(users):
        assert splits.train.history(user).tolist() == whole[:-2]
        assert splits.validation.history(user).tolist() == whole[:-2]
        assert splits.test.history(user).tolist() == whole[:-1]
    everyone = np.arange(len(users))
    assert splits.validation.targets(everyone).tolist() == [whole[-2] for whole in users]
    assert splits.test.targets(everyone).tolist() == [whole[-1] for whole in users]
    assert splits.test.lengths(everyone).tolist() == [len(whole) - 1 for whole in users]
    assert splits.test.num_users == len(users)


@given(histories)
def test_a_split_is_a_view_and_no_copy(users: list[list[int]]) -> None:
    log = log_of(users, 9)
    splits = leave_one_out(log)
    for split in (splits.train, splits.validation, splits.test):
        assert split.items is log.items
        assert np.shares_memory(split.starts, log.offsets)
        assert np.shares_memory(split.history(0), log.items)

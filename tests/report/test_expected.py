"""What the best of fewer trials would have been agrees with looking at every subset of them."""

import math
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec.report.expected import MOST_NUMBERS, chances_of_best, expected_of_best

# Few different values, so that some are equal.
values = st.integers(0, 5).map(lambda number: number / 7)
measured = st.lists(st.tuples(values, values), min_size=1, max_size=8)


def of_subsets(trials: list[tuple[float, float]], count: int) -> list[float]:
    """The test of the best by validation in each subset; of equal ones, that of the first."""
    subsets = combinations(range(len(trials)), count)
    return [trials[max(subset, key=lambda i: (trials[i][0], -i))][1] for subset in subsets]


@settings(deadline=None)
@given(measured)
def test_the_mean_and_the_interval_are_those_over_all_subsets(
    trials: list[tuple[float, float]],
) -> None:
    validation, test = ([one[place] for one in trials] for place in (0, 1))
    found = expected_of_best(validation, test)
    assert [one.trials for one in found] == [*range(1, len(trials) + 1)]
    for one in found:
        every = of_subsets(trials, one.trials)
        assert one.mean == pytest.approx(np.mean(every))
        assert one.interval.low == np.quantile(every, 0.025, method="inverted_cdf")
        assert one.interval.high == np.quantile(every, 0.975, method="inverted_cdf")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_the_best_validation_grows_from_the_mean_to_the_best(validation: list[float]) -> None:
    found = expected_of_best(validation)
    means = [one.mean for one in found]
    assert means[0] == pytest.approx(np.mean(validation))
    assert means[-1] == pytest.approx(max(validation))
    assert all(after >= before - 1e-9 for before, after in pairwise(means))


def test_it_is_unbiased_where_drawing_with_replacement_comes_out_too_low() -> None:
    """The best of 5 uniform numbers is 5/6 on average."""
    draws = np.random.default_rng(0).random((4000, 10))
    found = np.mean([expected_of_best(list(one))[4].mean for one in draws])
    assert found == pytest.approx(5 / 6, abs=0.004)
    with_replacement = np.diff(np.linspace(0, 1, 11) ** 5)
    assert np.mean(np.sort(draws) @ with_replacement) < 5 / 6 - 0.02


@given(st.integers(1, 30), st.data())
def test_chances_are_numbers_of_subsets(trials: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, trials))
    of_all = math.comb(trials, count)
    expected = [math.comb(i, count - 1) / of_all for i in range(trials)]
    assert chances_of_best(trials, count) == pytest.approx(expected)


def test_of_very_many_trials_some_numbers_are_shown_the_last_among_them() -> None:
    found = expected_of_best(list(np.random.default_rng(0).random(3000)))
    assert len(found) <= MOST_NUMBERS
    assert (found[0].trials, found[-1].trials) == (1, 3000)
    assert all(math.isfinite(one.mean) for one in found)

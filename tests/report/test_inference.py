"""Intervals and tests against scipy, definitions and simulation."""

import math
import time
from itertools import chain, combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from seqrec.protocol.metrics import metrics_from_ranks
from seqrec.report.inference import (
    UNKNOWN,
    Interval,
    Scatter,
    Scatters,
    Scores,
    Targets,
    bootstrap_interval,
    contrast,
    difference,
    holm,
    may_be_best,
    mean_and_deviation,
    seed_scatter,
    trend,
    user_values,
)


def ranks(users: int, seed: int, level: float = 1.0) -> np.ndarray:
    """Long-tailed ranks; a lower level is a better model."""
    return np.ceil(10 ** (4 * level * np.random.default_rng(seed).random(users))).astype(np.int32)


def scores(users: np.ndarray, *seeds: float) -> Scores:
    return Scores(np.asarray(users, float), np.array(seeds or [np.mean(users)]))


# Scores


@pytest.mark.parametrize("metric", ["hit_rate@10", "ndcg@10", "mrr@100"])
def test_scores_are_the_metrics_of_the_records(metric: str) -> None:
    both = [ranks(300, 1), ranks(300, 2)]
    made = Scores.of(both, metric)
    each = [metrics_from_ranks(one, [10, 100])[metric] for one in both]
    assert made.seeds.tolist() == each
    assert made.users.mean() == pytest.approx(np.mean(each))
    assert made.users.shape == (300,)


# The bootstrap


@pytest.mark.parametrize("metric", ["hit_rate@10", "ndcg@10"])
@pytest.mark.parametrize("seeds", [1, 3])
def test_the_interval_is_that_of_scipys_bootstrap(metric: str, seeds: int) -> None:
    users = Scores.of([ranks(400, seed) for seed in range(seeds)], metric).users
    theirs = stats.bootstrap(
        [users], np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(3)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert bootstrap_interval(users) == pytest.approx((theirs.low, theirs.high), abs=0.04 * width)


@pytest.mark.parametrize("hits", [5, 20, 100])
def test_few_hits_make_an_interval_skewed_as_the_bootstrap_does(hits: int) -> None:
    users = np.repeat([1.0, 0.0], [hits, 1000 - hits])
    low, high = bootstrap_interval(users)
    means = np.random.default_rng(0).binomial(1000, hits / 1000, 100_000) / 1000
    theirs = np.quantile(means, [0.025, 0.975])
    assert (low, high) == pytest.approx(tuple(theirs), abs=0.0005)  # half of what one user changes
    assert high - users.mean() > users.mean() - low > 0


def test_ninety_five_percent_of_the_intervals_hold_the_truth() -> None:
    draw = np.random.default_rng(0)
    covered = sum(
        0.1 in bootstrap_interval((draw.random(500) < 0.1).astype(float)) for _ in range(1000)
    )
    assert 0.92 < covered / 1000 < 0.97


def test_where_all_users_are_alike_the_interval_is_a_point() -> None:
    assert bootstrap_interval(np.full(50, 0.25)) == (0.25, 0.25)


def test_ends_belong_to_an_interval() -> None:
    assert 0.1 in Interval(0.1, 0.2)
    assert 0.2 in Interval(0.1, 0.2)
    assert 0.21 not in Interval(0.1, 0.2)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_interval_lies_among_the_values_and_around_their_mean(values: list[float]) -> None:
    users = np.array(values)
    low, high = bootstrap_interval(users)
    assert users.min() - 1e-12 <= low <= users.mean() + 1e-12
    assert users.mean() - 1e-12 <= high <= users.max() + 1e-12


@given(st.integers(2, 4), st.integers(2, 6), st.integers(0, 99))
def test_the_noise_of_scores_is_the_interaction_of_analysis_of_variance(
    seeds: int, users: int, seed: int
) -> None:
    drawn = np.random.default_rng(seed).integers(1, 30, (seeds, users))
    found = Scores.of(list(drawn), "ndcg@10")
    table = np.where(drawn <= 10, 1 / np.log2(drawn + 1), 0)
    rest = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    expected = np.sum(rest**2) / ((seeds - 1) * (users - 1))
    assert found.noise == pytest.approx(expected, abs=1e-12)


# Tests


def pooled(*models: Scores) -> list[Scatter]:
    """The scatter of these models together, for each of them."""
    return [seed_scatter(models)] * len(models)


def test_with_one_seed_it_is_the_paired_t_test_over_users() -> None:
    one, other = (Scores.of([ranks(500, n, level)], "ndcg@10") for n, level in ((1, 1.0), (2, 0.9)))
    ours = difference(one, other, pooled(one, other))
    theirs = stats.ttest_rel(one.users, other.users)
    interval = theirs.confidence_interval()
    assert ours.p == ours.p_users == pytest.approx(theirs.pvalue)
    assert ours.interval == pytest.approx((interval.low, interval.high))
    gaps = one.users - other.users
    assert ours.value == pytest.approx(gaps.mean())
    assert ours.effect == pytest.approx(gaps.mean() / gaps.std(ddof=1))
    assert math.isnan(ours.p_seeds)


def test_it_agrees_with_the_permutation_test() -> None:
    for level in (1.0, 0.95):
        one = Scores.of([ranks(500, 1, level)], "ndcg@10")
        other = Scores.of([ranks(500, 2)], "ndcg@10")
        theirs = stats.permutation_test(
            [one.users, other.users],
            lambda a, b, axis: np.mean(a - b, axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=4000,
            batch=1000,
            rng=np.random.default_rng(0),
        )
        assert difference(one, other, pooled(one, other)).p == pytest.approx(
            theirs.pvalue, abs=0.03
        )


def test_over_seeds_alone_it_is_welchs_or_with_pooled_variance_students_t_test() -> None:
    one, other = np.array([0.2101, 0.199, 0.206]), np.array([0.202, 0.21])
    # Users who are all alike, so that the seeds are all there is; and means so close that scatter
    # in relation to them is scatter itself.
    models = scores(np.full(10, one.mean()), *one), scores(np.full(10, other.mean()), *other)
    ours = difference(*models, pooled(*models))
    welch, student = (stats.ttest_ind(one, other, equal_var=equal) for equal in (False, True))
    interval = student.confidence_interval()
    assert ours.p_seeds == pytest.approx(welch.pvalue)
    assert ours.p == pytest.approx(student.pvalue, rel=0.01)
    assert ours.interval == pytest.approx((interval.low, interval.high), rel=0.02)


def test_scatter_is_relative_to_the_mean_and_pooled_by_degrees_of_freedom() -> None:
    found = seed_scatter(
        [scores(np.ones(2), 0.9, 1.1), scores(np.ones(2), 10, 11, 12), scores(np.ones(2), 5)]
    )
    assert found.freedom == 3
    assert found.variation == pytest.approx((0.02 + 2 / 11**2) / 3)
    assert seed_scatter([scores(np.ones(2), 5)]) == UNKNOWN


def test_two_seeds_of_many_models_are_enough_for_a_large_difference() -> None:
    draw = np.random.default_rng(0)
    luck = draw.random(5000)

    def model(quality: float) -> Scores:
        hits = luck < quality * (1 + draw.normal(0, 0.03, (2, 1)))
        return Scores(hits.mean(axis=0), hits.mean(axis=1))

    models = [model(0.13), *(model(0.1) for _ in range(11))]
    found = difference(models[0], models[1], pooled(*models)[:2])
    assert 66 * found.p < 0.05
    assert 66 * found.p_seeds > 0.05, "their own four seeds are not"


def test_seeds_that_scatter_make_a_difference_less_sure() -> None:
    users = np.random.default_rng(0).random(10_000)
    other = scores(users)
    better = users + 0.01 * np.arange(10_000) / 5000
    one, another = scores(better, 0.51, 0.5101), scores(better, 0.40, 0.62)
    close, apart = (difference(each, other, pooled(each, other)) for each in (one, another))
    assert close.value == apart.value
    assert close.p < 1e-4 < 0.05 < apart.p
    assert close.p_users == apart.p_users < 1e-6


def test_equal_models_are_found_different_as_seldom_as_promised() -> None:
    draw = np.random.default_rng(0)
    wrong = family = users_only = 0
    for _ in range(400):
        level = draw.beta(1, 4, 400)
        models = []
        for _ in range(6):
            # Two trainings that scatter around the same level, for the same users.
            probability = np.clip(level * (1 + draw.normal(0, 0.1, (2, 1))), 0, 1)
            hits = (draw.random((2, len(level))) < probability).astype(float)
            models.append(Scores(hits.mean(axis=0), hits.mean(axis=1)))
        scatter = pooled(*models)[:2]
        tested = [difference(one, other, scatter) for one, other in combinations(models, 2)]
        wrong += tested[0].p < 0.05
        users_only += tested[0].p_users < 0.05
        family += min(holm([found.p for found in tested])) < 0.05
    assert wrong / 400 < 0.08
    assert family / 400 < 0.08
    assert users_only / 400 > 0.1, "users alone would call chance in training a difference"


def test_one_seed_against_several_is_found_different_as_seldom_as_promised() -> None:
    draw = np.random.default_rng(0)
    wrong = 0
    for _ in range(600):
        level = draw.beta(1, 4, 400)
        models = []
        for seeds in (5, 1):
            probability = np.clip(level * (1 + draw.normal(0, 0.2, (seeds, 1))), 0, 1)
            hits = (draw.random((seeds, len(level))) < probability).astype(float)
            models.append(Scores(hits.mean(axis=0), hits.mean(axis=1)))
        wrong += difference(*models, pooled(*models)).p < 0.05
    assert wrong / 600 < 0.08


def test_models_that_scatter_differently_can_be_told_so() -> None:
    users = np.random.default_rng(0).random(10_000)
    steady, wild = scores(users + 0.1, 0.6), scores(users, 0.3, 0.7)
    apart = [UNKNOWN, seed_scatter([wild])]
    part = (0.5**2 * apart[1].variation) / 2
    ours = difference(steady, wild, apart)
    assert ours.interval.high - ours.value == pytest.approx(
        float(stats.t.ppf(0.975, 1)) * math.sqrt(part), rel=1e-6
    )
    together = difference(steady, wild, pooled(steady, wild))
    assert np.ptp(together.interval) > 1.5 * np.ptp(ours.interval)


def test_of_one_user_nothing_is_known() -> None:
    found = difference(scores(np.ones(1)), scores(np.zeros(1)), [UNKNOWN] * 2)
    assert (found.value, found.p, found.effect) == (1.0, 1.0, 0.0)
    assert found.interval == (-math.inf, math.inf)


def test_a_model_differs_in_nothing_from_itself() -> None:
    one = Scores.of([ranks(100, 0)], "ndcg@10")
    found = difference(one, one, [UNKNOWN] * 2)
    assert (found.value, found.p, found.effect) == (0.0, 1.0, 0.0)


def test_a_difference_that_every_user_has_is_certain() -> None:
    half, quarter = scores(np.full(9, 0.5)), scores(np.full(9, 0.25))
    assert difference(half, quarter, [UNKNOWN] * 2).p == 0.0


def test_tiny_p_values_do_not_vanish() -> None:
    gaps = np.random.default_rng(0).normal(0.05, 1.0, 280_000)
    none = scores(np.zeros(280_000))
    assert 0 < difference(scores(gaps), none, [UNKNOWN] * 2).p < 1e-100


@given(st.lists(st.integers(0, 50), min_size=2, max_size=6, unique=True), st.integers(0, 99))
def test_the_trend_is_the_mean_of_the_users_own_slopes(x: list[int], seed: int) -> None:
    table = np.random.default_rng(seed).random((len(x), 20))
    found = trend([scores(row) for row in table], x, [UNKNOWN] * len(x))
    slopes = np.polyfit(x, table, 1)[0]
    assert found.value == pytest.approx(slopes.mean(), rel=1e-6, abs=1e-9)
    assert found.p == pytest.approx(stats.ttest_1samp(slopes, 0).pvalue, rel=1e-4, abs=1e-9)


def test_two_hundred_pairs_of_a_quarter_million_users_take_seconds() -> None:
    models = [Scores.of([ranks(280_000, n)], "ndcg@10") for n in range(21)]
    start = time.process_time()
    found = [difference(a, b, [UNKNOWN] * 2) for i, a in enumerate(models) for b in models[:i]]
    assert len(found) == 210
    assert time.process_time() - start < 15


@given(st.lists(st.floats(0, 1), max_size=6))
def test_holms_correction_is_the_closed_test_of_bonferroni(p: list[float]) -> None:
    """By definition (Marcus, Peritz and Gabriel, 1976), the closed test is as sure of a pair as of
    the least certain of all families that the pair belongs to."""
    pairs = range(len(p))
    families = list(chain.from_iterable(combinations(pairs, n + 1) for n in pairs))
    closed = [
        max(min(1.0, len(f) * min(p[i] for i in f)) for f in families if pair in f)
        for pair in pairs
    ]
    assert holm(p) == pytest.approx(closed)


def test_holms_correction_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


entries = st.lists(
    st.tuples(
        st.floats(0.05, 0.5),
        st.floats(0.1, 10),
        st.integers(1, 3),
        st.floats(0, 0.2),
        st.sampled_from("ab"),
    ),
    min_size=1,
    max_size=6,
)


@given(entries, st.floats(0.01, 0.99), st.floats(0.1, 100), st.integers(1, 3), st.integers(0, 99))
def test_adding_a_worse_model_never_makes_another_entry_bold(
    models: list[tuple[float, float, int, float, str]],
    share: float,
    noise: float,
    seeds: int,
    seed: int,
) -> None:
    draw = np.random.default_rng(seed)

    def entry(quality: float, noise: float, seeds: int, spread: float) -> Scores:
        users = quality + 0.1 * noise * draw.normal(size=30)
        users += quality - users.mean()
        steps = np.arange(seeds) - (seeds - 1) / 2
        return Scores(users, quality * (1 + spread * steps))

    entries = {str(n): entry(*model[:4]) for n, model in enumerate(models)}
    # How much each kind scatters is known: an entry better than all others shows it.
    best = 2 * max(one.mean for one in entries.values())
    entries |= {kind: entry(best, 1.0, 2, 0.05) for kind in "ab"}
    kinds = {str(n): model[4] for n, model in enumerate(models)} | {"a": "a", "b": "b"}
    worst = entry(share * min(one.mean for one in entries.values()), noise, seeds, 0.5)
    before = may_be_best(Scatters(entries, kinds))
    for kind in "ab":
        after = may_be_best(Scatters(entries | {"worst": worst}, kinds | {"worst": kind}))
        assert after - {"worst"} == before


def test_the_first_of_a_kind_with_several_seeds_shows_how_much_the_others_scatter() -> None:
    users = np.random.default_rng(0).random(5000)
    models = {"best": scores(users + 0.02), "close": scores(users + 0.01 * users)}
    kinds = dict.fromkeys(["best", "close", "wild"], "one")
    assert may_be_best(Scatters(models, kinds)) == {"best"}
    wild = scores(users - 0.1, 0.38, 0.42)
    assert may_be_best(Scatters(models | {"wild": wild}, kinds)) >= {"best", "close"}


def test_the_best_model_is_bold_and_a_clearly_worse_one_is_not() -> None:
    users = np.random.default_rng(0).random(5000)
    models = {"best": scores(users + 0.2), "close": scores(users[::-1] + 0.2), "far": scores(users)}
    assert may_be_best(Scatters(models, dict.fromkeys(models, "one"))) == {"best", "close"}
    assert may_be_best(Scatters({}, {})) == set()


def test_weights_other_than_a_pairs_count_squared_for_the_seeds() -> None:
    one = scores(np.full(10, 0.2), 0.21, 0.19)
    narrow = contrast([one, one], [1.0, 0.0], pooled(one, one)).interval
    wide = contrast([one, one], [2.0, 0.0], pooled(one, one)).interval
    assert np.ptp(wide) == pytest.approx(2 * np.ptp(narrow))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_mean_and_deviation_are_those_of_pandas(values: list[float]) -> None:
    mean, deviation = mean_and_deviation([*values, None])
    assert mean == pytest.approx(pd.Series(values).mean())
    assert deviation == pytest.approx(pd.Series(values).std(), abs=1e-12)


@given(
    st.lists(st.lists(st.integers(1, 20), min_size=1, max_size=6), min_size=2, max_size=9),
    st.sampled_from(["hit_rate@10", "ndcg@10", "mrr@5"]),
)
def test_values_of_users_have_the_mean_of_all_targets_and_the_spread_of_their_sums(
    ranks: list[list[int]], metric: str
) -> None:
    flat = np.concatenate(ranks)
    users = np.repeat(np.arange(len(ranks)), [*map(len, ranks)])
    alone, found = user_values(flat, metric), user_values(flat, metric, Targets(users, False))
    assert len(found) == len(ranks)
    assert found.mean() == pytest.approx(alone.mean())
    if len(flat) == len(ranks):
        assert found.tolist() == alone.tolist()
    # Twice every target of every user: the same users, so the same values.
    twice = user_values(np.repeat(flat, 2), metric, Targets(np.repeat(users, 2), False))
    assert twice == pytest.approx(found)

"""How often the test errs and intervals cover, simulated with a known truth.

`pytest -m slow -s tests/report/test_calibration.py` prints the figures of a larger simulation.
"""

from typing import NamedTuple

import numpy as np
import pytest

from seqrec.report.inference import (
    UNKNOWN,
    Scatters,
    Scores,
    Targets,
    contrast,
    difference,
    may_be_best,
    prediction_interval,
    seed_scatter,
)

USERS = 300

USER, NOISE = 1.0, 0.7
"""Standard deviations of what a model does to a user, and of one user in one seed."""

SEED_EFFECT = 0.07
"""Standard deviation of what a seed does to the mean, about that of the choice of users. In the
reference records it lies between none and twice that."""

LEVEL = 10.0
"""So far from zero that scatter in relation to the mean is scatter itself."""


class Rates(NamedTuple):
    """Shares of simulated experiments."""

    false_positives: float
    """Equal models called different at the 5% level."""
    coverage: float
    """95% intervals of a difference that hold the true one."""
    users_alone: float
    """False positives of a test over users alone."""
    predicted: float
    """95% prediction intervals that hold one more training; NaN where no scatter is known."""


def drawn(draw: np.random.Generator, seeds: int, effect: float) -> tuple[Scores, float]:
    """Draw the scores of a model, in which users and seeds are random and crossed.

    Returned with them is the mean of one more training, for the same users.
    """
    values = draw.normal(0, NOISE, (seeds + 1, USERS)) + draw.normal(LEVEL, USER, USERS)
    values += draw.normal(0, effect, (seeds + 1, 1))
    one_more, values = float(values[-1].mean()), values[:-1]
    users, means = values.mean(axis=0), values.mean(axis=1)
    rest = values - users - means[:, None] + values.mean()
    noise = float(np.sum(rest**2)) / max(1, (seeds - 1) * (USERS - 1))
    return Scores(users, means, noise), one_more


def simulate(seeds: int, effect: float, lenders: int, repeats: int) -> Rates:
    """Compare two equal models, with `lenders` more of their kind of three seeds each."""
    draw = np.random.default_rng(seeds)
    wrong = covered = users_alone = predicted = 0
    better = 0.3
    for _ in range(repeats):
        numbers = [seeds, seeds, *[3] * lenders]
        models, more = zip(*(drawn(draw, number, effect) for number in numbers), strict=True)
        scores = {str(n): model for n, model in enumerate(models)}
        kind = Scatters(scores, dict.fromkeys(scores, "one kind"))
        scatter = kind.in_test("0", "1")
        found = difference(models[0], models[1], scatter)
        wrong += found.p < 0.05
        users_alone += found.p_users < 0.05
        ahead = Scores(models[0].users + better, models[0].seeds + better, models[0].noise)
        covered += better in difference(ahead, models[1], scatter).interval
        if kind.of("0").known:
            mean, variance = models[0].mean, kind.of("0").variation * models[0].mean ** 2
            predicted += more[0] in prediction_interval(mean, seeds, variance, kind.of("0").freedom)
    known = seeds > 1 or lenders > 0
    shares = [share / repeats for share in (wrong, covered, users_alone, predicted)]
    return Rates(*shares[:3], shares[3] if known else float("nan"))


def best_left_out(count: int, repeats: int, apart: float = 0.0) -> float:
    """Return how often the best of `count` models is not selected as one that may be the best.

    The others are worse by `apart` standard errors of a difference; at 0, all are equal.
    """
    draw = np.random.default_rng(count)
    left_out = 0
    for _ in range(repeats):
        users = draw.normal(0, USER, (count, USERS))
        users[1:] -= apart * USER * (2 / USERS) ** 0.5
        models = {
            str(n): Scores(row + LEVEL, np.array([row.mean() + LEVEL]))
            for n, row in enumerate(users)
        }
        left_out += "0" not in may_be_best(Scatters(models, dict.fromkeys(models, "one kind")))
    return left_out / repeats


CASES = [(1, 0), (1, 2), (2, 0), (2, 2), (3, 0), (3, 2), (10, 0)]
"""Seeds of each of two models, and how many models of their kind lend their scatter."""


@pytest.mark.parametrize("effect", [0.0, SEED_EFFECT], ids=["no seed effect", "seed effect"])
@pytest.mark.parametrize("seeds, lenders", CASES)
def test_errors_are_as_rare_and_intervals_cover_as_often_as_promised(
    seeds: int, lenders: int, effect: float
) -> None:
    rates = simulate(seeds, effect, lenders, 1000)
    if effect and (seeds, lenders) == (1, 0):
        # Nothing shows how seeds scatter: the case in which tables and `compare` say so.
        assert rates.false_positives == rates.users_alone > 0.1
        return
    assert rates.false_positives < 0.09
    assert rates.coverage > 0.91
    assert np.isnan(rates.predicted) or rates.predicted > 0.91


def test_noise_that_users_and_seeds_share_is_counted_once() -> None:
    twice, once = 0.0, 0.0
    draw = np.random.default_rng(0)
    for _ in range(200):
        models = [drawn(draw, 3, 0.0)[0] for _ in range(6)]
        scatter = seed_scatter(models)
        once += np.ptp(difference(*models[:2], [scatter] * 2).interval)
        twice += np.ptp(difference(*models[:2], [scatter._replace(noise=0.0)] * 2).interval)
    # Without a seed effect, seeds add nothing but the noise that users have already.
    users_alone = 2 * 1.96 * (2 * (USER**2 + NOISE**2 / 3) / USERS) ** 0.5
    assert once / 200 == pytest.approx(users_alone, rel=0.04)
    assert twice / 200 > 1.05 * users_alone


@pytest.mark.parametrize("count", [2, 4, 12])
def test_the_best_model_is_seldom_left_out_of_the_bold(count: int) -> None:
    assert best_left_out(count, 1000) < 0.06


def several_targets(heavier_is_easier: bool, repeats: int) -> tuple[float, float, float]:
    """Compare two equal models on users with several targets, many of them with one or two.

    Returns the false positives of the test, and those if every target were a user of its own, and
    how often the interval of a mean holds the true one.
    """
    draw = np.random.default_rng(1)
    wrong = naive = covered = 0
    lengths = np.arange(1, 400)
    chances = 0.15 * 0.85 ** (lengths - 1)
    ease = np.where(lengths > 6, 0.5, 0.2) if heavier_is_easier else np.full(len(lengths), 0.3)
    truth = (chances * lengths) @ ease / (chances @ lengths)
    for _ in range(repeats):
        counts = np.minimum(draw.geometric(0.15, USERS), lengths[-1])
        users = np.repeat(np.arange(USERS), counts)
        liked = draw.beta(*(2 * np.stack([ease, 1 - ease])[:, counts - 1]), (2, USERS))
        hits = draw.random((2, len(users))) < liked[:, users]
        ranks = np.where(hits, 1, 500)
        one, other = (Scores.of([row], "hit_rate@10", Targets(users, False)) for row in ranks)
        alone = [Scores.of([row], "hit_rate@10") for row in ranks]
        wrong += difference(one, other, [UNKNOWN, UNKNOWN]).p < 0.05
        naive += difference(alone[0], alone[1], [UNKNOWN, UNKNOWN]).p < 0.05
        covered += truth in contrast([one], [1.0], [UNKNOWN]).interval
    return wrong / repeats, naive / repeats, covered / repeats


@pytest.mark.parametrize("heavier_is_easier", [False, True])
def test_users_with_several_targets_count_as_users_and_not_as_targets(
    heavier_is_easier: bool,
) -> None:
    wrong, naive, covered = several_targets(heavier_is_easier, 1000)
    assert 0.03 < wrong < 0.075
    assert naive > 0.2
    assert 0.92 < covered < 0.98


@pytest.mark.slow
def test_calibration_at_length() -> None:
    repeats = 4000
    lines = [
        "two equal models, per model | true seed effect | models that lend | false positives, 5% "
        "nominal | over users alone | coverage of the difference, 95% | of one more training, 95%"
    ]
    for seeds, lenders in CASES:
        for effect in (0.0, SEED_EFFECT, 3 * SEED_EFFECT):
            rates = simulate(seeds, effect, lenders, repeats)
            size = {0.0: "none", SEED_EFFECT: "as users"}.get(effect, "3 x users")
            lines.append(
                f"{seeds:2d} seeds | {size:9s} | {lenders} | {rates.false_positives:.3f} | "
                f"{rates.users_alone:.3f} | {rates.coverage:.3f} | {rates.predicted:.3f}"
            )
            if seeds > 2 or lenders:
                assert 0.02 < rates.false_positives < 0.075
                assert 0.925 < rates.coverage < 0.98
    for count in (2, 3, 6, 12, 20):
        left_out = best_left_out(count, repeats)
        lines.append(f"best of {count} equal models not bold: {left_out:.3f}")
        assert left_out < 0.055
    print("\n" + "\n".join(lines))

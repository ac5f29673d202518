"""The smallest detectable difference is found in four of five simulated cases."""

import numpy as np
import pytest

from seqrec.report.detectable import detectable_difference
from seqrec.report.inference import ALPHA, Scores, difference, seed_scatter

USERS = 400


def model(
    rng: np.random.Generator, users: np.ndarray, mean: float, seeds: int, scatter: float
) -> Scores:
    """A model's metric: what users have in common, a seed's luck, and noise of each in each."""
    luck = rng.normal(0, scatter, seeds)[:, None]
    values = mean + users + luck + rng.normal(0, 0.3, (seeds, len(users)))
    means = values.mean(0)
    residuals = values - means - values.mean(1)[:, None] + values.mean()
    freedom = max(1, (seeds - 1) * (len(users) - 1))
    return Scores(means, values.mean(1), float(np.sum(residuals**2)) / freedom)


@pytest.mark.parametrize(("seeds", "scatter"), [(1, 0.02), (3, 0.02), (3, 0.0), (10, 0.05)])
def test_the_test_finds_a_detectable_difference_in_four_of_five_cases(
    seeds: int, scatter: float
) -> None:
    rng = np.random.default_rng(0)

    def pair(gap: float, count: int) -> list[Scores]:
        """Two models whose users differ in part, on other users each time."""
        shared = rng.normal(0, 0.2, USERS)
        return [
            model(rng, shared + rng.normal(0, 0.1, USERS), mean, count, scatter)
            for mean in (1.0 + gap, 1.0)
        ]

    pilot = pair(0.0, 200)
    known = [seed_scatter([one]) for one in pilot]
    one, other = zip(pilot, known, strict=True)
    gap = detectable_difference(one, other, seeds)
    found = [difference(*pair(gap, seeds), known).p < ALPHA for _ in range(400)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.07)


def test_more_seeds_detect_less_down_to_what_users_differ() -> None:
    rng = np.random.default_rng(1)
    users = rng.normal(0, 0.2, USERS)
    models = [model(rng, users, mean, 5, 0.05) for mean in (1.0, 1.1)]
    one, other = ((scores, seed_scatter([scores])) for scores in models)
    found = [detectable_difference(one, other, seeds) for seeds in (1, 2, 5, 20, 1000)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < found[0] / 4

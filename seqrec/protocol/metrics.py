"""Ranking metrics with one relevant item a user, all computed from its rank.

With one relevant item the hit rate at k is also the recall at k, and the ideal DCG is 1.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from seqrec.errors import SeqrecError

STOPPING_METRIC = "ndcg@10"
"""The validation metric by which quality is judged, and training is stopped by default."""

LIST_LENGTH = int(STOPPING_METRIC.partition("@")[2])
"""Items that are recommended to a user: the cutoff of the metrics that quality is judged by."""

REPORTED_METRICS = ("hit_rate@10", STOPPING_METRIC)
"""The test metrics that every record has, and that tables and figures show."""

GAINS: dict[str, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]] = {
    "hit_rate": np.ones_like,
    "ndcg": lambda ranks: 1.0 / np.log2(ranks + 1.0),
    "mrr": lambda ranks: 1.0 / ranks,
}
"""Gain of a rank within the cutoff. NDCG: Järvelin and Kekäläinen, 2002."""


def user_metric(ranks: npt.ArrayLike, name: str, cutoff: int) -> npt.NDArray[np.float64]:
    """Compute the metric `name` at `cutoff` of each user from 1-based `ranks`, both `[users]`."""
    ranks = np.asarray(ranks, dtype=np.float64)
    return np.where(ranks <= cutoff, GAINS[name](ranks), 0.0)


def metrics_from_ranks(ranks: npt.ArrayLike, cutoffs: Sequence[int]) -> dict[str, float]:
    """Average `hit_rate@k`, `ndcg@k` and `mrr@k` over 1-based `ranks` `[users]`, for each cutoff k.

    A miss is any rank beyond the largest cutoff. Raises `SeqrecError` if there is no user.
    """
    ranks = np.asarray(ranks, dtype=np.float64)
    if len(ranks) == 0:
        raise SeqrecError("no user to evaluate: every user has fewer than three interactions.")
    return {
        f"{name}@{k}": float(user_metric(ranks, name, k).mean()) for k in cutoffs for name in GAINS
    }


def with_stopping_cutoff(
    cutoffs: Sequence[int], stopping_metric: str = STOPPING_METRIC
) -> list[int]:
    """Add the cutoffs of `STOPPING_METRIC` and of a training's own stopping metric to the
    configured ones; sorted, each once."""
    return sorted({LIST_LENGTH, int(stopping_metric.partition("@")[2]), *cutoffs})

"""Ranking metrics with one relevant item a user, all of them computed from its rank.

With one relevant item, the hit rate at k is also the recall at k, and the ideal DCG is 1.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from seqrec.errors import SeqrecError
from seqrec.experiment.schema import RunConfig

STOPPING_METRIC = "ndcg@10"
"""The validation metric by which training is stopped, and quality is judged."""

GAINS: dict[str, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]] = {
    "hit_rate": np.ones_like,
    "ndcg": lambda ranks: 1.0 / np.log2(ranks + 1.0),
    "mrr": lambda ranks: 1.0 / ranks,
}
"""What a rank within the cutoff is worth. NDCG: Järvelin and Kekäläinen, 2002."""


def user_metric(ranks: npt.ArrayLike, name: str, cutoff: int) -> npt.NDArray[np.float64]:
    """The metric `name` of each user at `cutoff`, from 1-based `ranks` `[users]`; same shape."""
    ranks = np.asarray(ranks, dtype=np.float64)
    return np.where(ranks <= cutoff, GAINS[name](ranks), 0.0)


def metrics_from_ranks(ranks: npt.ArrayLike, cutoffs: Sequence[int]) -> dict[str, float]:
    """Mean `hit_rate@k`, `ndcg@k` and `mrr@k` of 1-based `ranks` `[users]`, for each cutoff k.

    A miss is any rank beyond the largest cutoff.
    """
    ranks = np.asarray(ranks, dtype=np.float64)
    if len(ranks) == 0:
        raise SeqrecError("no user to evaluate: every user has fewer than three interactions.")
    return {
        f"{name}@{k}": float(user_metric(ranks, name, k).mean()) for k in cutoffs for name in GAINS
    }


def metric_cutoffs(config: RunConfig) -> list[int]:
    """The configured cutoffs and 10, which early stopping reads."""
    return sorted({10, *config.evaluation.cutoffs})

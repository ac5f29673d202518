"""Ranking metrics with one relevant item a user, all of them computed from its rank.

With one relevant item, the hit rate at k is also the recall at k, and the ideal DCG is 1.
"""

from collections.abc import Sequence

import numpy as np

from seqrec.errors import SeqrecError


def metrics_from_ranks(ranks: np.ndarray, cutoffs: Sequence[int]) -> dict[str, float]:
    """Mean `hit_rate@k`, `ndcg@k` and `mrr@k` of 1-based `ranks` `[users]`, for each cutoff k.

    A miss is any rank beyond the largest cutoff. Gains are `1 / log2(1 + rank)` (Järvelin and
    Kekäläinen, 2002) and `1 / rank`, both 0 beyond the cutoff.
    """
    if len(ranks) == 0:
        raise SeqrecError("no user to evaluate: every user has fewer than three interactions.")
    ranks = np.asarray(ranks, dtype=np.float64)
    metrics = {}
    for k in cutoffs:
        hit = ranks <= k
        metrics[f"hit_rate@{k}"] = float(hit.mean())
        metrics[f"ndcg@{k}"] = float(np.where(hit, 1.0 / np.log2(ranks + 1.0), 0.0).mean())
        metrics[f"mrr@{k}"] = float(np.where(hit, 1.0 / ranks, 0.0).mean())
    return metrics

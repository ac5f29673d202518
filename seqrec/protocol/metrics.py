"""Ranking metrics, all computed from the ranks of relevant items, the targets.

With one target a ranking the hit rate at k is also the recall at k, and the ideal DCG is 1. Where a
ranking has several at once, the metrics are those of trec_eval.
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
    """Compute the metric `name` at `cutoff` of each target from its 1-based rank, `[targets]`."""
    ranks = np.asarray(ranks, dtype=np.float64)
    return np.where(ranks <= cutoff, GAINS[name](ranks), 0.0)


SET_METRICS = ("hit_rate", "recall", "precision", "ndcg", "mrr", "map")
"""Metrics of rankings with several targets at once."""


def set_metric(
    ranks: npt.ArrayLike, users: npt.ArrayLike, name: str, cutoff: int
) -> npt.NDArray[np.float64]:
    """Compute one of `SET_METRICS` at `cutoff` of each user with several targets, `[users]`.

    `ranks` and `users` are `[targets]`: the 1-based rank of each target, and whose it is, a user's
    targets side by side. The hit rate asks for any of a user's targets within the cutoff, and the
    reciprocal rank is that of the best. Average precision is divided by the number of targets.
    """
    ranks, users = np.asarray(ranks, dtype=np.float64), np.asarray(users)
    first = np.flatnonzero(np.concatenate(([True], users[1:] != users[:-1])))
    counts = np.diff(np.append(first, len(users)))
    row = np.repeat(np.arange(len(first)), counts)
    ranks = ranks[np.lexsort((ranks, row))]
    hits = ranks <= cutoff
    if name in ("hit_rate", "mrr"):
        return user_metric(ranks[first], name, cutoff)
    if name == "ndcg":
        ideal = np.cumsum(GAINS["ndcg"](np.arange(1.0, cutoff + 1)))
        found = np.add.reduceat(user_metric(ranks, name, cutoff), first)
        return found / ideal[np.minimum(counts, cutoff) - 1]
    if name == "map":
        place = np.arange(len(ranks)) - first[row] + 1
        return np.add.reduceat(np.where(hits, place / ranks, 0.0), first) / counts
    of = {"recall": counts, "precision": cutoff}[name]
    return np.add.reduceat(hits.astype(np.float64), first) / of


def metrics_from_ranks(
    ranks: npt.ArrayLike, cutoffs: Sequence[int], sets: npt.ArrayLike | None = None
) -> dict[str, float]:
    """Average `hit_rate@k`, `ndcg@k` and `mrr@k` over 1-based `ranks` `[targets]`, for each k.

    Where users have several targets at once, `sets` `[targets]` is whose each is, and the averages
    are those of `set_metric` over users. A miss is any rank beyond the largest cutoff. Raises
    `SeqrecError` if there is no target.
    """
    ranks = np.asarray(ranks, dtype=np.float64)
    if len(ranks) == 0:
        raise SeqrecError("no user to evaluate: every user has fewer than three interactions.")
    if sets is not None:
        names = [(name, k) for k in cutoffs for name in SET_METRICS]
        return {f"{name}@{k}": float(set_metric(ranks, sets, name, k).mean()) for name, k in names}
    return {
        f"{name}@{k}": float(user_metric(ranks, name, k).mean()) for k in cutoffs for name in GAINS
    }


def with_stopping_cutoff(
    cutoffs: Sequence[int], stopping_metric: str = STOPPING_METRIC
) -> list[int]:
    """Add the cutoffs of `STOPPING_METRIC` and of a training's own stopping metric to the
    configured ones; sorted, each once."""
    return sorted({LIST_LENGTH, int(stopping_metric.partition("@")[2]), *cutoffs})

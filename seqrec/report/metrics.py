"""Which metrics are shown and what they are called."""

from collections.abc import Sequence

from seqrec.protocol.metrics import STOPPING_METRIC

TITLES = {"hit_rate": "HitRate", "ndcg": "NDCG", "mrr": "MRR"}


def metric_title(metric: str) -> str:
    """Name a metric such as `ndcg@10` for readers."""
    name, _, cutoff = metric.partition("@")
    return f"{TITLES[name]}@{cutoff}"


def main_metric(shown: Sequence[str]) -> str:
    """Choose the metric of figures that have room for one: NDCG@10 if shown, or else the first."""
    return STOPPING_METRIC if STOPPING_METRIC in shown else shown[0]

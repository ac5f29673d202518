"""Which metrics are shown and what they are called."""

from collections.abc import Sequence

from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.wording import metric_title

__all__ = ["main_metric", "metric_title"]


def main_metric(shown: Sequence[str]) -> str:
    """Choose the metric of figures that have room for one: NDCG@10 if shown, or else the first."""
    return STOPPING_METRIC if STOPPING_METRIC in shown else shown[0]

"""One epoch of a training, as the history of a run keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seqrec.protocol.metrics import STOPPING_METRIC


@dataclass(frozen=True)
class Epoch:
    """How far a training had come after one epoch, and how good its network was then."""

    number: int
    """Counted from 1."""
    seconds: float
    """Training time since the start of the run, over all its pieces."""
    training_loss: float
    """Mean over the labels of the epoch."""
    validation: Mapping[str, float]
    """Metrics of the validation targets, by names such as `ndcg@10`."""
    stopped_by: str = STOPPING_METRIC
    """Name of the metric by which training is stopped."""

    @property
    def stopping_metric(self) -> float:
        """The value of the metric by which training is stopped."""
        return self.validation[self.stopped_by]

    def line(self) -> dict[str, Any]:
        """Return the epoch as a line of `history.csv`, by column."""
        return {
            "epoch": self.number,
            "seconds": self.seconds,
            "training_loss": self.training_loss,
            **self.validation,
        }

"""One epoch of a training, as the history of a run keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seqrec.protocol.metrics import STOPPING_METRIC


@dataclass(frozen=True)
class Epoch:
    """How far a training was after one epoch, and how good its network was then."""

    number: int
    """Counted from 1."""
    seconds: float
    """Training time since the start of the run, over all its pieces."""
    training_loss: float
    """Mean over the labels of the epoch."""
    validation: Mapping[str, float]
    """Metrics of the validation targets, by names such as `ndcg@10`."""

    @property
    def quality(self) -> float:
        """The metric by which training is stopped."""
        return self.validation[STOPPING_METRIC]

    @classmethod
    def of(cls, line: Mapping[Any, Any]) -> "Epoch":
        """Read an epoch from its line of `history.csv`."""
        facts = ("epoch", "seconds", "training_loss")
        validation = {name: value for name, value in line.items() if name not in facts}
        return cls(int(line["epoch"]), line["seconds"], line["training_loss"], validation)

    def line(self) -> dict[str, Any]:
        """The epoch as a line of `history.csv`."""
        return {
            "epoch": self.number,
            "seconds": self.seconds,
            "training_loss": self.training_loss,
            **self.validation,
        }

"""Train anew on train and validation together, once early stopping has found how long to train."""

from dataclasses import replace
from typing import TYPE_CHECKING

from seqrec.models.network import Network
from seqrec.protocol.epoch import Epoch
from seqrec.protocol.evaluation import Scorers
from seqrec.protocol.splits import Splits
from seqrec.training.arithmetic import Engine
from seqrec.training.loop import Trainer
from seqrec.training.scoring import TrainingResult

if TYPE_CHECKING:
    from seqrec.experiment.schema import RunConfig


class Refitter(Trainer):
    """Trains for a number of epochs, and validates after none: the validation part is learned."""

    def __init__(
        self, network: Network, splits: Splits, config: "RunConfig", engine: Engine, epochs: int
    ) -> None:
        together = replace(splits, train=splits.train_and_validation)
        super().__init__(network, together, config, engine)
        self.epochs = epochs

    @property
    def finished(self) -> bool:
        """Whether the last epoch is over."""
        return not self.in_epoch and self.position.epoch >= self.epochs

    def validate(self) -> dict[str, float]:
        """Measure nothing."""
        return {}

    def is_best(self, epoch: Epoch) -> bool:
        """Whether to keep the weights: those of the last epoch."""
        return epoch.number == self.epochs


def refitted(result: TrainingResult, refit: TrainingResult) -> TrainingResult:
    """Join a training and the one anew: the first has the validation, the second the test."""
    return replace(
        result,
        weights=refit.weights,
        scorers=Scorers(result.scorers.validation, refit.scorers.test),
        refit_seconds=refit.training_seconds,
    )

"""What a tracker is, and the names and values that all of them report."""

from pathlib import Path
from typing import Protocol

from seqrec.layout import results_of
from seqrec.protocol.epoch import Epoch
from seqrec.records.record import Record


class Tracker(Protocol):
    """Interface of a tracker; built before training from the run's configuration and folder."""

    def epoch(self, epoch: Epoch) -> None:
        """Report one more epoch."""

    def result(self, record: Record) -> None:
        """Report the result of the run."""

    def close(self, finished: bool) -> None:
        """Close the tracker; `finished` tells whether the run has a result."""


def experiment_of(folder: Path) -> str:
    """Tell the experiment's name from the folder of its run; a folder elsewhere has its own."""
    folder = folder.absolute()
    return (results_of(folder) or folder).name


def curves(epoch: Epoch) -> dict[str, float]:
    """Return the values of an epoch by name."""
    validation = {f"validation/{name}": value for name, value in epoch.validation.items()}
    return {"seconds": epoch.seconds, "training_loss": epoch.training_loss, **validation}


def results(record: Record) -> dict[str, float]:
    test = {f"test/{name}": value for name, value in record.test.items()}
    return {**test, "training_seconds": record.training_seconds}

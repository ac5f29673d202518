"""TensorBoard: event files in the folder of each run."""

from pathlib import Path
from typing import Any

from seqrec.experiment.schema import RunConfig
from seqrec.protocol.epoch import Epoch
from seqrec.records.record import Record
from seqrec.running.trackers.tracker import curves, results


class TensorBoard:
    """Writes event files into the run's folder.

    To see them: `tensorboard --logdir results/<experiment>/runs`.
    """

    def __init__(self, config: RunConfig, folder: Path) -> None:
        self.folder = folder
        self.writer: Any = None

    def epoch(self, epoch: Epoch) -> None:
        self._write(curves(epoch), epoch.number)

    def result(self, record: Record) -> None:
        self._write(results(record), record.best_epoch or 0)

    def _write(self, values: dict[str, float], step: int) -> None:
        if self.writer is None:
            from torch.utils.tensorboard import SummaryWriter

            # An epoch that is repeated after an interruption replaces its first attempt.
            self.writer = SummaryWriter(str(self.folder), purge_step=step)
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def close(self, finished: bool) -> None:
        if self.writer is not None:
            self.writer.close()

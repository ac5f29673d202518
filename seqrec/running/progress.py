"""Report how far a run is, in `progress.json` in its folder, for readers on any machine.

The file is there from the start of a run until it has a result or has failed; a run that is stopped
or killed leaves it behind. Nobody can ask a process on another host whether it lives, so a living
one touches the file every `BEAT_SECONDS`, whatever it is busy with.
"""

import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import NonNegativeInt, PositiveInt, model_validator

from seqrec.errors import SeqrecError, Stopped
from seqrec.experiment.schema import MetricName, RunConfig
from seqrec.files import read_regular, write_text
from seqrec.layout import RunFiles
from seqrec.protocol.epoch import Epoch
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.signals import is_alive
from seqrec.typed_yaml import Strict

BEAT_SECONDS = 15.0

MOST_PROGRESS_BYTES = 100_000
"""Size that no report of a run reaches."""

DEAD_SECONDS = 120.0
"""Silence after which a run counts as dead; shared disks may show a change a minute late."""


OLDER_NAMES = {"ndcg": "stopping_metric", "best_ndcg": "best_stopping_metric"}
"""Names that a report of an older version has, and today's."""


class Progress(Strict):
    """How far a run has come. Epochs count from 1; a model that fits itself has none."""

    config_hash: str
    host: str
    pid: int
    max_epochs: PositiveInt | None
    patience: PositiveInt | None
    epoch: NonNegativeInt = 0
    """The last finished epoch."""
    stopping_metric: float = 0.0
    """The validation metric that stops the training, after that epoch."""
    stopped_by: MetricName = STOPPING_METRIC
    """Name of that metric."""
    best_epoch: NonNegativeInt = 0
    best_stopping_metric: float = 0.0
    seconds_per_epoch: float | None = None
    stopped: bool = False
    """Whether the process left the run unfinished, and said so."""

    @model_validator(mode="before")
    @classmethod
    def _with_names_of_today(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {OLDER_NAMES.get(name, name): value for name, value in data.items()}

    def after(self, epoch: Epoch) -> "Progress":
        """Return the progress after one more epoch."""
        changes = {
            "epoch": epoch.number,
            "stopping_metric": epoch.stopping_metric,
            "stopped_by": epoch.stopped_by,
            "seconds_per_epoch": epoch.seconds / epoch.number,
        }
        # A training that starts over, as one with other data does, has no best epoch yet.
        better = epoch.stopping_metric > self.best_stopping_metric
        if better or not self.best_epoch or epoch.number <= self.epoch:
            changes |= {"best_epoch": epoch.number, "best_stopping_metric": epoch.stopping_metric}
        return self.model_copy(update=changes)

    def seconds_left(self) -> tuple[float, float] | None:
        """Estimate the least and the most time left; None before the first epoch is over.

        It is the least if no later epoch is better than the best so far, and the most if early
        stopping never fires. Both assume that epochs take as long as they have on average.
        """
        if self.seconds_per_epoch is None or self.max_epochs is None or self.patience is None:
            return None
        most = self.max_epochs - self.epoch
        least = min(most, self.best_epoch + self.patience - self.epoch)
        return max(0, least) * self.seconds_per_epoch, most * self.seconds_per_epoch


def read_progress(folder: Path) -> tuple[Progress, bool] | None:
    """Return what the run in `folder` has reported, and whether it is alive; None if nothing."""
    path = RunFiles(folder).progress
    try:
        silent_seconds = time.time() - path.stat().st_mtime
        progress = Progress.model_validate_json(read_regular(path, MOST_PROGRESS_BYTES))
    except (OSError, ValueError, SeqrecError):
        return None
    alive = not progress.stopped and silent_seconds < DEAD_SECONDS
    if progress.host == platform.node():
        alive = alive and is_alive(progress.pid)
    return progress, alive


class Reporter:
    """Keeps `progress.json` in a run's folder, whose lock the caller holds."""

    def __init__(self, config: RunConfig, folder: Path) -> None:
        self.path = RunFiles(folder).progress
        training = config.training
        self.progress = Progress(
            config_hash=config.hash(),
            host=platform.node(),
            pid=os.getpid(),
            max_epochs=training.max_epochs if training else None,
            patience=training.patience if training else None,
        )
        left = read_progress(folder)
        if left and left[0].config_hash == self.progress.config_hash:
            # A training that goes on has these epochs behind it.
            so_far = left[0].model_dump(exclude={"host", "pid", "stopped"})
            self.progress = self.progress.model_copy(update=so_far)
        self._write()

    def epoch(self, epoch: Epoch) -> None:
        """Report one more epoch."""
        self.progress = self.progress.after(epoch)
        self._write()

    def stopped(self) -> None:
        """Report that the process leaves the run unfinished."""
        self.progress = self.progress.model_copy(update={"stopped": True})
        self._write()

    def _write(self) -> None:
        write_text(self.path, self.progress.model_dump_json(indent=2) + "\n")


@contextmanager
def reported(config: RunConfig, folder: Path) -> Iterator[Reporter]:
    """Report the run in `folder` as under way while the block runs, and as stopped if it stops."""
    reporter = Reporter(config, folder)
    with _heartbeat(reporter.path):
        try:
            yield reporter
        except (Stopped, KeyboardInterrupt):
            reporter.stopped()
            raise
        except BaseException:
            reporter.path.unlink(missing_ok=True)
            raise
    reporter.path.unlink(missing_ok=True)


@contextmanager
def _heartbeat(path: Path) -> Iterator[None]:
    """Touch `path` every `BEAT_SECONDS`, from a thread, while the block runs."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            with suppress(OSError):  # the file is gone, or the disk away for a moment
                os.utime(path)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()

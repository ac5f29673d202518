"""What a run under way says of itself in its folder, for others to see from other machines.

`progress.json` is there from the start of a run until it has a result or has failed; a run that was
stopped or killed leaves it behind. Nobody can ask a process on another host whether it lives, so a
living one touches the file every `BEAT_SECONDS`, whatever it is busy with.
"""

import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import NonNegativeInt, PositiveInt

from seqrec.experiment.schema import RunConfig
from seqrec.files import write_text
from seqrec.running.resume import Stopped
from seqrec.typed_yaml import Strict

PROGRESS = "progress.json"


BEAT_SECONDS = 15.0


DEAD_SECONDS = 120.0
"""Silence after which a run counts as dead; shared disks may show a change a minute late."""


class Progress(Strict):
    """How far a run has come. Epochs count from 1; a model that fits itself has none."""

    config_hash: str
    host: str
    pid: int
    max_epochs: PositiveInt | None
    patience: PositiveInt | None
    epoch: NonNegativeInt = 0
    """The last that is over."""
    ndcg: float = 0.0
    """Validation NDCG@10 after that epoch."""
    best_epoch: NonNegativeInt = 0
    best_ndcg: float = 0.0
    seconds_per_epoch: float | None = None
    stopped: bool = False
    """The process left the run unfinished, and said so."""

    def after(self, entry: dict[str, Any]) -> "Progress":
        """With one more epoch, of which `entry` is the line in the history."""
        epoch, ndcg = entry["epoch"], entry["ndcg@10"]
        changes = {
            "epoch": epoch,
            "ndcg": ndcg,
            "seconds_per_epoch": entry["seconds"] / epoch,
        }
        # A training that starts over, as one with other data does, has no best epoch yet.
        if ndcg > self.best_ndcg or not self.best_epoch or epoch <= self.epoch:
            changes |= {"best_epoch": epoch, "best_ndcg": ndcg}
        return self.model_copy(update=changes)

    def seconds_left(self) -> tuple[float, float] | None:
        """At least and at most; None before an epoch has shown how long one takes.

        At least: no later epoch is better than the best so far. At most: early stopping never
        fires. Both suppose that epochs go on taking as long as they have on average.
        """
        if self.seconds_per_epoch is None or self.max_epochs is None or self.patience is None:
            return None
        most = self.max_epochs - self.epoch
        least = min(most, self.best_epoch + self.patience - self.epoch)
        return max(0, least) * self.seconds_per_epoch, most * self.seconds_per_epoch


def read_progress(folder: Path) -> tuple[Progress, bool] | None:
    """What the run in `folder` has said, and whether it is alive; None where it says nothing."""
    path = folder / PROGRESS
    try:
        silent_seconds = time.time() - path.stat().st_mtime
        progress = Progress.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    alive = not progress.stopped and silent_seconds < DEAD_SECONDS
    if progress.host == platform.node():
        alive = alive and _is_running(progress.pid)
    return progress, alive


@contextmanager
def under_way(
    config: RunConfig, folder: Path, report: Callable[[dict[str, Any]], None]
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Keep `progress.json` in `folder` while the block runs; yields a `report` that updates it.

    The caller holds the folder's lock.
    """
    path, training = folder / PROGRESS, config.training
    progress = Progress(
        config_hash=config.hash(),
        host=platform.node(),
        pid=os.getpid(),
        max_epochs=training.max_epochs if training else None,
        patience=training.patience if training else None,
    )
    left = read_progress(folder)
    if left and left[0].config_hash == progress.config_hash:
        # Of a training that goes on, these epochs are behind it.
        so_far = left[0].model_dump(exclude={"host", "pid", "stopped"})
        progress = progress.model_copy(update=so_far)

    def write() -> None:
        write_text(path, progress.model_dump_json(indent=2) + "\n")

    def updating(entry: dict[str, Any]) -> None:
        nonlocal progress
        progress = progress.after(entry)
        write()
        report(entry)

    write()
    with _heartbeat(path):
        try:
            yield updating
        except (Stopped, KeyboardInterrupt):
            progress = progress.model_copy(update={"stopped": True})
            write()
            raise
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    path.unlink(missing_ok=True)


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


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it is somebody else's
    return True

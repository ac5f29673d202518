"""Weights & Biases: a run for each run, on its server or in local files."""

import os
from pathlib import Path
from typing import Any

from seqrec.experiment.schema import RunConfig
from seqrec.protocol.epoch import Epoch
from seqrec.records.record import Record
from seqrec.running.trackers.tracker import curves, experiment_of, results


class WeightsAndBiases:
    """Makes a run on the server where `wandb login` was called.

    With WANDB_MODE=offline, writes it into `wandb/` instead, for `wandb sync`.
    """

    def __init__(self, config: RunConfig, folder: Path) -> None:
        # Reports of use and of errors go to its makers, even from a run without a server.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        settings = wandb.Settings(
            init_timeout=30,
            silent=True,
            # Our record names code, commit, device and libraries; the log has what was printed.
            console="off",
            disable_code=True,
            disable_git=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
        )
        offline = (os.environ.get("WANDB_MODE") or settings.mode) in ("offline", "disabled")
        if not offline and not wandb.login(prompt=False):  # it would ask, and wait
            raise ConnectionError("not logged in: call `wandb login`, or set WANDB_MODE=offline")
        self.run: Any = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or f"seqrec-{experiment_of(folder)}",
            name=config.run.title,
            group=f"{config.run.task} {config.model}",
            config=config.model_dump(mode="json"),
            settings=settings,
        )

    def epoch(self, epoch: Epoch) -> None:
        self.run.log(curves(epoch), step=epoch.number)

    def result(self, record: Record) -> None:
        self.run.summary.update(results(record))

    def close(self, finished: bool) -> None:
        self.run.finish(exit_code=0 if finished else 1)

"""Experiment trackers: copies of a run's curve and result for the tools that people look at.

The record stays the truth. A tracker is off unless asked for, does not belong to the configuration
of a run, and cannot make one fail: one that raises is reported once and dropped.
"""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import click

from seqrec.experiment.schema import RunConfig


class Tracker(Protocol):
    """What a tracker does; it is made with the run's configuration and folder, before training."""

    def epoch(self, entry: dict[str, Any]) -> None:
        """Take the line of one epoch of the history."""

    def result(self, metrics: dict[str, Any]) -> None:
        """Take the content of the finished record."""

    def close(self, finished: bool) -> None:
        """Nothing more comes; `finished` tells whether there was a result."""


class TensorBoard:
    """Event files in the run's folder: `tensorboard --logdir results/<experiment>/runs`."""

    def __init__(self, config: RunConfig, folder: Path) -> None:
        self.folder = folder
        self.writer: Any = None

    def epoch(self, entry: dict[str, Any]) -> None:
        self._write(_curves(entry), entry["epoch"])

    def result(self, metrics: dict[str, Any]) -> None:
        self._write(_results(metrics), metrics["best_epoch"] or 0)

    def _write(self, values: dict[str, float], step: int) -> None:
        if self.writer is None:
            from torch.utils.tensorboard import SummaryWriter

            # An epoch that was cut short and is done again takes the place of its first try.
            self.writer = SummaryWriter(str(self.folder), purge_step=step)
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def close(self, finished: bool) -> None:
        if self.writer is not None:
            self.writer.close()


class ClearML:
    """A ClearML task, on the server of `clearml.conf`; an archive if CLEARML_OFFLINE_MODE is 1."""

    # None of what it would patch is used. Its look at the repository can hold up the end of a run
    # for five minutes, and the record names commit and code.
    AUTOMATIC = (
        "detect_repository",
        "catboost",
        "fastai",
        "gradio",
        "hydra",
        "joblib",
        "lightgbm",
        "matplotlib",
        "megengine",
        "pytorch",
        "scikit",
        "tensorboard",
        "tensorflow",
        "tfdefines",
        "xgboost",
    )

    def __init__(self, config: RunConfig, folder: Path) -> None:
        from clearml import Task

        self.task: Any = Task.init(
            project_name=f"seqrec/{_experiment(folder)}",
            task_name=_title(config),
            reuse_last_task_id=False,
            auto_connect_arg_parser=False,
            auto_connect_frameworks=dict.fromkeys(self.AUTOMATIC, False),
            auto_connect_streams=False,
            auto_resource_monitoring=False,
        )
        self.task.connect(config.model_dump(mode="json"), name="config")

    def epoch(self, entry: dict[str, Any]) -> None:
        for name, value in _curves(entry).items():
            title, _, series = name.rpartition("/")
            self.task.get_logger().report_scalar(title or series, series, value, entry["epoch"])

    def result(self, metrics: dict[str, Any]) -> None:
        for name, value in _results(metrics).items():
            self.task.get_logger().report_single_value(name, value)

    def close(self, finished: bool) -> None:
        if not finished:
            self.task.mark_stopped()
        self.task.close()


class MLflow:
    """An MLflow run, at MLFLOW_TRACKING_URI or else in the files of `mlruns/`.

    A run that goes on after a stop goes on in MLflow too.
    """

    HASH = "seqrec.config_hash"

    def __init__(self, config: RunConfig, folder: Path) -> None:
        # A copy on the own disk is what was asked for: no server, database or usage report.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # A server that does not answer shall not hold up a run for minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        uri = os.environ.get("MLFLOW_TRACKING_URI") or Path("mlruns").absolute().as_uri()
        if uri.startswith("file:"):
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        from mlflow import MlflowClient

        self.client = MlflowClient(uri)
        experiment = self._experiment(_experiment(folder))
        same = f"tags.`{self.HASH}` = '{config.hash()}' and attributes.status != 'FINISHED'"
        found = self.client.search_runs([experiment], same, max_results=1)
        if found:
            self.run = found[0].info.run_id
            self.client.update_run(self.run, status="RUNNING")
            return
        tags = {self.HASH: config.hash()}
        self.run = self.client.create_run(
            experiment, tags=tags, run_name=_title(config)
        ).info.run_id
        for name, value in _flat(config.model_dump(mode="json")):
            self.client.log_param(self.run, name, value)

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(name)
        if found is None:
            try:
                return self.client.create_experiment(name)
            except MlflowException:  # another run was faster
                found = self.client.get_experiment_by_name(name)
                if found is None:
                    raise
        return found.experiment_id

    def epoch(self, entry: dict[str, Any]) -> None:
        self._log(_curves(entry), entry["epoch"])

    def result(self, metrics: dict[str, Any]) -> None:
        self._log(_results(metrics), metrics["best_epoch"] or 0)

    def _log(self, values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            # MLflow refuses the @ of a name.
            self.client.log_metric(self.run, name.replace("@", "_at_"), value, step=step)

    def close(self, finished: bool) -> None:
        self.client.set_terminated(self.run, "FINISHED" if finished else "KILLED")


TRACKERS: dict[str, Callable[[RunConfig, Path], Tracker]] = {
    "tensorboard": TensorBoard,
    "clearml": ClearML,
    "mlflow": MLflow,
}


class Tracking:
    """The trackers of one run as one, none of which can do it any harm."""

    def __init__(self, names: Sequence[str], config: RunConfig, folder: Path) -> None:
        self.trackers: dict[str, Tracker] = {}
        self.finished = False
        for name in names:
            with self._harmless(name):
                self.trackers[name] = TRACKERS[name](config, folder)

    def epoch(self, entry: dict[str, Any]) -> None:
        self._each(lambda tracker: tracker.epoch(entry))

    def result(self, metrics: dict[str, Any]) -> None:
        self.finished = True
        self._each(lambda tracker: tracker.result(metrics))

    def __enter__(self) -> "Tracking":
        return self

    def __exit__(self, *error: object) -> None:
        self._each(lambda tracker: tracker.close(self.finished))

    def _each(self, call: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self.trackers.items()):
            with self._harmless(name):
                call(tracker)

    @contextmanager
    def _harmless(self, name: str) -> Iterator[None]:
        """Report what `name` raises and drop it; keep the signal handlers, which some replace."""
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
        handlers = {number: signal.getsignal(number) for number in numbers}
        try:
            yield
        except (Exception, SystemExit) as error:
            self.trackers.pop(name, None)
            lines = str(error).splitlines() or [type(error).__name__]
            remedy = (
                f" In the project's folder: pip install -e '.[{name}]'"
                if isinstance(error, ModuleNotFoundError)
                else ""
            )
            click.echo(
                f"{name}: dropped for the rest of this run, which goes on ({lines[0]}).{remedy}",
                err=True,
            )
        finally:
            for number, handler in handlers.items():
                if signal.getsignal(number) is not handler:
                    signal.signal(number, handler)


def _title(config: RunConfig) -> str:
    return f"{config.dataset} {config.model} seed {config.seed}"


def _experiment(folder: Path) -> str:
    """The experiment's name, from its run's folder."""
    return folder.absolute().parents[3].name


def _curves(entry: dict[str, Any]) -> dict[str, float]:
    """An epoch's values by name; metrics are those of validation."""
    plain = ("seconds", "training_loss")
    return {
        name if name in plain else f"validation/{name}": value
        for name, value in entry.items()
        if name != "epoch"
    }


def _results(metrics: dict[str, Any]) -> dict[str, float]:
    test = {f"test/{name}": value for name, value in metrics["test"].items()}
    return test | {"training_seconds": metrics["training_seconds"]}


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value

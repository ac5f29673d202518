"""Report a run's curve and result to experiment trackers: TensorBoard, ClearML, MLflow.

They get copies; the record stays the reference. A tracker is off unless asked for, is no part of a
run's configuration, and cannot make a run fail: one that raises, or does not answer for
`LIMIT_SECONDS`, is reported once and dropped.
"""

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import click

from seqrec.experiment.schema import RunConfig
from seqrec.experiment.settings import flat_settings
from seqrec.protocol.epoch import Epoch
from seqrec.records.record import Record
from seqrec.wording import shortened

LIMIT_SECONDS = 60.0
"""How long a tracker may take for one report."""


class Tracker(Protocol):
    """Interface of a tracker; built before training from the run's configuration and folder."""

    def epoch(self, epoch: Epoch) -> None:
        """Report one more epoch."""

    def result(self, record: Record) -> None:
        """Report the result of the run."""

    def close(self, finished: bool) -> None:
        """Close the tracker; `finished` tells whether the run has a result."""


class TensorBoard:
    """Writes event files into the run's folder.

    To see them: `tensorboard --logdir results/<experiment>/runs`.
    """

    def __init__(self, config: RunConfig, folder: Path) -> None:
        self.folder = folder
        self.writer: Any = None

    def epoch(self, epoch: Epoch) -> None:
        self._write(_curves(epoch), epoch.number)

    def result(self, record: Record) -> None:
        self._write(_results(record), record.best_epoch or 0)

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


class ClearML:
    """Makes a ClearML task on the server in `clearml.conf`.

    With CLEARML_OFFLINE_MODE=1, makes an archive instead.
    """

    # Switched off: nothing here uses the patches, and inspecting the repository can delay the end
    # of a run by five minutes, although the record names commit and code anyway.
    AUTOMATIC_FRAMEWORKS = (
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
        from clearml.backend_api import Session
        from clearml.config import config_obj

        # By itself ClearML tries 240 times, for five minutes each.
        retries = dict.fromkeys(("total", "connect", "read", "redirect", "status"), 1)
        http = {"retries": retries, "wait_on_maintenance_forever": False}
        config_obj.set_overrides({"api": {"http": http}})
        Session._session_timeout = Session._write_session_timeout = (3.0, 10.0)
        self.task: Any = Task.init(
            project_name=f"seqrec/{_experiment(folder)}",
            task_name=config.run.title,
            reuse_last_task_id=False,
            auto_connect_arg_parser=False,
            auto_connect_frameworks=dict.fromkeys(self.AUTOMATIC_FRAMEWORKS, False),
            auto_connect_streams=False,
            auto_resource_monitoring=False,
        )
        self.task.connect(config.model_dump(mode="json"), name="config")

    def epoch(self, epoch: Epoch) -> None:
        for name, value in _curves(epoch).items():
            title, _, series = name.rpartition("/")
            self.task.get_logger().report_scalar(title or series, series, value, epoch.number)

    def result(self, record: Record) -> None:
        for name, value in _results(record).items():
            self.task.get_logger().report_single_value(name, value)

    def close(self, finished: bool) -> None:
        if not finished:
            self.task.mark_stopped()
        self.task.close()


class MLflow:
    """Makes an MLflow run at MLFLOW_TRACKING_URI, or in the folder `mlruns/` if that is not set.

    A training that continues after a stop continues its MLflow run.
    """

    HASH_TAG = "seqrec.config_hash"

    def __init__(self, config: RunConfig, folder: Path) -> None:
        # The user asked for local files: no server, database or usage report.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # A server that does not answer must not delay a run by minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        uri = os.environ.get("MLFLOW_TRACKING_URI") or Path("mlruns").absolute().as_uri()
        if uri.startswith("file:"):
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        from mlflow import MlflowClient

        self.client = MlflowClient(uri)
        experiment = self._experiment(_experiment(folder))
        same = f"tags.`{self.HASH_TAG}` = '{config.hash()}' and attributes.status != 'FINISHED'"
        found = self.client.search_runs([experiment], same, max_results=1)
        if found:
            self.run = found[0].info.run_id
            self.client.update_run(self.run, status="RUNNING")
            return
        tags = {self.HASH_TAG: config.hash()}
        self.run = self.client.create_run(
            experiment, tags=tags, run_name=config.run.title
        ).info.run_id
        for name, value in flat_settings(config.model_dump(mode="json")).items():
            self.client.log_param(self.run, name, value)

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(name)
        if found is None:
            try:
                return self.client.create_experiment(name)
            except MlflowException:  # another run has just created it
                found = self.client.get_experiment_by_name(name)
                if found is None:
                    raise
        return found.experiment_id

    def epoch(self, epoch: Epoch) -> None:
        self._log(_curves(epoch), epoch.number)

    def result(self, record: Record) -> None:
        self._log(_results(record), record.best_epoch or 0)

    def _log(self, values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            # MLflow allows no @ in a name.
            self.client.log_metric(self.run, name.replace("@", "_at_"), value, step=step)

    def close(self, finished: bool) -> None:
        self.client.set_terminated(self.run, "FINISHED" if finished else "KILLED")


TRACKERS: dict[str, Callable[[RunConfig, Path], Tracker]] = {
    "tensorboard": TensorBoard,
    "clearml": ClearML,
    "mlflow": MLflow,
}


class Tracking:
    """All trackers of a run as one observer, from which no error escapes."""

    def __init__(self, names: Sequence[str], config: RunConfig, folder: Path) -> None:
        self.trackers: dict[str, Tracker] = {}
        self.finished = False
        for name in names:
            with self._harmless(name):
                self.trackers[name] = TRACKERS[name](config, folder)

    def epoch(self, epoch: Epoch) -> None:
        self._each(lambda tracker: tracker.epoch(epoch))

    def result(self, record: Record) -> None:
        self.finished = True
        self._each(lambda tracker: tracker.result(record))

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
        """Report and drop the tracker `name` if it raises or takes too long; restore signal
        handlers that it has replaced."""
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
        handlers = {number: signal.getsignal(number) for number in numbers}
        try:
            with _limited(LIMIT_SECONDS):
                yield
        except (Exception, SystemExit, _TooLate) as error:
            self.trackers.pop(name, None)
            lines = str(error).splitlines() or [type(error).__name__]
            remedy = (
                f" In the project's folder: pip install -e '.[{name}]'"
                if isinstance(error, ModuleNotFoundError)
                else ""
            )
            click.echo(
                f"{name}: dropped for the rest of this run, which goes on "
                f"({shortened(_without_password(lines[0]))}).{remedy}",
                err=True,
            )
        finally:
            for number, handler in handlers.items():
                if signal.getsignal(number) is not handler:
                    signal.signal(number, handler)


class _TooLate(BaseException):
    """Raised where a tracker waits too long; no Exception, which its library might swallow."""


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise `_TooLate` in the block after so many seconds, and every second from then on.

    Only the main thread can be interrupted; elsewhere there is no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise _TooLate(f"no answer for {seconds:.0f} seconds")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _without_password(text: str) -> str:
    """Leave out the user and password of the addresses in a text: logs are passed on."""
    return re.sub(r"(?<=://)[^/@\s]*@", "***@", text)


def _experiment(folder: Path) -> str:
    """Tell the experiment's name from the folder of its run."""
    return folder.absolute().parents[3].name


def _curves(epoch: Epoch) -> dict[str, float]:
    """Return the values of an epoch by name."""
    validation = {f"validation/{name}": value for name, value in epoch.validation.items()}
    return {"seconds": epoch.seconds, "training_loss": epoch.training_loss, **validation}


def _results(record: Record) -> dict[str, float]:
    test = {f"test/{name}": value for name, value in record.test.items()}
    return {**test, "training_seconds": record.training_seconds}

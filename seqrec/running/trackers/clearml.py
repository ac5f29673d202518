"""ClearML: a task for each run, on a server or in an archive."""

from pathlib import Path
from typing import Any

from seqrec.experiment.schema import RunConfig
from seqrec.protocol.epoch import Epoch
from seqrec.records.record import Record
from seqrec.running.trackers.tracker import curves, experiment_of, results


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
            project_name=f"seqrec/{experiment_of(folder)}",
            task_name=config.run.title,
            reuse_last_task_id=False,
            auto_connect_arg_parser=False,
            auto_connect_frameworks=dict.fromkeys(self.AUTOMATIC_FRAMEWORKS, False),
            auto_connect_streams=False,
            auto_resource_monitoring=False,
        )
        self.task.connect(config.model_dump(mode="json"), name="config")

    def epoch(self, epoch: Epoch) -> None:
        for name, value in curves(epoch).items():
            title, _, series = name.rpartition("/")
            self.task.get_logger().report_scalar(title or series, series, value, epoch.number)

    def result(self, record: Record) -> None:
        for name, value in results(record).items():
            self.task.get_logger().report_single_value(name, value)

    def close(self, finished: bool) -> None:
        if not finished:
            self.task.mark_stopped()
        self.task.close()

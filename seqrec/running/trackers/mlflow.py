"""MLflow: an MLflow run for each run, on a server or in local files."""

import os
from pathlib import Path

from seqrec.experiment.schema import RunConfig
from seqrec.experiment.settings import flat_settings
from seqrec.protocol.epoch import Epoch
from seqrec.records.record import Record
from seqrec.running.trackers.tracker import curves, experiment_of, results


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
        experiment = self._experiment(experiment_of(folder))
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
        self._log(curves(epoch), epoch.number)

    def result(self, record: Record) -> None:
        self._log(results(record), record.best_epoch or 0)

    def _log(self, values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            # MLflow allows no @ in a name.
            self.client.log_metric(self.run, name.replace("@", "_at_"), value, step=step)

    def close(self, finished: bool) -> None:
        self.client.set_terminated(self.run, "FINISHED" if finished else "KILLED")

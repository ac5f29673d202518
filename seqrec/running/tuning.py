"""Run one setting for a search of your own, such as Optuna's, and tell how good it is."""

from collections.abc import Mapping
from typing import Any

from seqrec.experiment.grid import load_setting
from seqrec.layout import ResultFiles, Run
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records.reading import read_record
from seqrec.records.survey import is_finished
from seqrec.running.folder_lock import alone_in
from seqrec.running.guard import require_place
from seqrec.running.logs import up_to_date_log
from seqrec.running.options import AUTOMATIC, EngineOptions
from seqrec.running.run import run as do_run


def validation_of(
    task: str,
    model: str,
    settings: Mapping[str, Any],
    *,
    experiment: str,
    name: str,
    seed: int = 0,
    options: EngineOptions = AUTOMATIC,
) -> float:
    """Train a model with some settings, unless that is done, and return its validation NDCG@10.

    `settings` are values by names such as `training.learning_rate`, and all others are as the
    `experiment` has them. The run is an ordinary record of `results/<name>/`, where the model has a
    name of its own, so `seqrec best` and `seqrec report` work on it. It holds its folder, goes on
    where it was stopped, and notes why it failed, as every run does. `task` is a dataset, whose log
    is made if it is not there, or `<dataset>@<split>`.

    Raises `SeqrecError` for a mistake in the settings and for a run that fails, and `Stopped` after
    a signal to stop.
    """
    config = load_setting(experiment, Run(task, model, seed), settings, name)
    require_place(config, name, experiment)
    data = up_to_date_log(config.dataset).folder
    folder = ResultFiles.of(name).run(*config.run).folder
    with alone_in(folder, wait=True):
        if not is_finished(folder, config.hash(), data, any_code=True):
            do_run(config, data, folder, options)
        return read_record(folder).validation[STOPPING_METRIC]

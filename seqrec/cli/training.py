"""Commands that train: train, execute."""

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqrec.cli import completion
from seqrec.cli.parameters import Folder, dataset_argument, run_options, settings_argument
from seqrec.errors import SeqrecError
from seqrec.files import date_back
from seqrec.layout import PAPER, LogFiles, ResultFiles, Run, RunFiles
from seqrec.running.folder_lock import alone_in
from seqrec.wording import metric_title

if TYPE_CHECKING:  # they take a moment to import
    from seqrec.experiment.schema import RunConfig
    from seqrec.protocol.epoch import Epoch
    from seqrec.records.record import Record
    from seqrec.running.options import EngineOptions


OWN_NAME = "train"
"""Name of its results then: it joins an experiment only when that is named."""


@click.command()
@dataset_argument
@click.argument("model", shell_complete=completion.models)
@settings_argument
@click.option(
    "--experiment",
    shell_complete=completion.experiments,
    help="Experiment whose settings to use and whose results to join.  [default: the settings of "
    f"{PAPER}, and results in {ResultFiles.of(OWN_NAME).folder}]",
)
@click.option(
    "--name", help="New name for the results; needed where SETTINGS change an --experiment."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed."
)
@click.option(
    "--retrain-stale", is_flag=True, help="Replace the run's record if other training code made it."
)
@run_options
def train(
    dataset: str,
    model: str,
    settings: tuple[str, ...],
    experiment: str | None,
    name: str | None,
    seed: int,
    retrain_stale: bool,
    track: tuple[str, ...],
    **engine: Any,
) -> None:
    """Train MODEL on DATASET and write a run record.

    Downloads and preprocesses the data if needed, also after a change of their YAML or of a file
    of your own. SETTINGS are key=value pairs. Of an experiment with several splits, DATASET names
    one, as in ml-100k@temporal. Examples:

    \b
    seqrec train demo sasrec+
    seqrec train demo sasrec+ --experiment demo
    seqrec train ml-1m sasrec+ training.learning_rate=0.01 --name fast-rate
    seqrec train ml-100k sasrec+ split.kind=global-temporal --name temporal
    seqrec train demo sasrec+ --experiment demo --retrain-stale
    """
    from seqrec.experiment.grid import load_run
    from seqrec.running.guard import require_place
    from seqrec.running.logs import up_to_date_log

    run = Run(dataset, model, seed)
    if experiment is None:
        experiment, name = PAPER, name or OWN_NAME
    title, config = load_run(experiment, run, settings, name)
    require_place(config, title, experiment)
    record = ResultFiles.of(title).run(*run)
    if record.metrics.exists() and not (retrain_stale and _is_stale(record.folder, config)):
        if retrain_stale:
            click.echo(f"{record.folder}: finished before, with today's training code.")
            return
        raise SeqrecError(
            f"{record.folder}: already holds a finished run, which is not overwritten. "
            "Give --name <new name>, another --seed, --retrain-stale (if older training code made "
            "it), or remove the folder."
        )
    log = up_to_date_log(run.dataset)
    _execute(config, log.folder, record.folder, track, engine)


def _is_stale(folder: Path, config: "RunConfig") -> bool:
    """Whether the record in `folder` is this run's, made by other training code than today's."""
    from seqrec.records.fingerprint import is_stale, training_code_fingerprint
    from seqrec.records.reading import read_record

    record = read_record(folder)
    if record.config_hash != config.hash():
        raise SeqrecError(
            f"{folder}: holds a run with another configuration, which is not overwritten. "
            "Give --name <new name>, or remove the folder."
        )
    return is_stale(record, training_code_fingerprint())


@click.command()
@click.option("--config", "config_json", required=True, help="A line of `seqrec check --json`.")
@click.option("--data", type=Folder(), required=True, help="Folder of the preprocessed log.")
@click.option("--output", type=Folder(), required=True, help="Folder of the run record.")
@click.option("--retrain-stale", is_flag=True, help="Replace a record from other training code.")
@run_options
def execute(
    config_json: str,
    data: Path,
    output: Path,
    retrain_stale: bool,
    track: tuple[str, ...],
    **engine: Any,
) -> None:
    """Do one run from its resolved configuration.

    The workflow calls this for each of its runs. A record of the same configuration and data is
    kept as the result. Example:

    \b
    seqrec check demo --json | head -1 > run.json
    seqrec execute --config "$(cat run.json)" --data data/processed/demo \\
        --output results/mine/runs/demo/popularity/seed-0
    """
    from seqrec.data.freshness import require_current
    from seqrec.experiment.schema import RunConfig
    from seqrec.records.survey import is_finished
    from seqrec.typed_yaml import check_values

    try:
        values = json.loads(config_json)
    except (ValueError, RecursionError) as error:
        raise SeqrecError(f"--config: not JSON ({error}).") from None
    config, log = check_values(RunConfig, values, "--config"), LogFiles(data)
    # A workflow that was killed leaves its cluster jobs behind; one of them may be this run.
    with alone_in(output, wait=True):
        require_current(log, config.dataset)
        if is_finished(output, config.hash(), data, any_code=not retrain_stale):
            # A failure noted there is that of another configuration.
            RunFiles(output).failure.unlink(missing_ok=True)
            click.echo(f"{output}: finished before with this configuration and data.")
        elif not retrain_stale and _evaluated_again(config, data, output, engine):
            RunFiles(output).failure.unlink(missing_ok=True)
        else:
            _execute(config, data, output, track, engine)
        date_back(log.digest, time.time())


class _Lines:
    """Prints the epochs of a run to stderr and its result to stdout."""

    def epoch(self, epoch: "Epoch") -> None:
        click.echo(
            f"epoch {epoch.number:3d}  loss {epoch.training_loss:.4f}  "
            f"validation {metric_title(epoch.stopped_by)} {epoch.stopping_metric:.4f}  "
            f"{epoch.seconds:.1f} s",
            err=True,
        )

    def result(self, record: "Record") -> None:
        from seqrec.protocol.metrics import STOPPING_METRIC

        test = record.test
        click.echo(
            f"{record.folder}: test NDCG@10 {test[STOPPING_METRIC]:.4f}, "
            f"HitRate@10 {test['hit_rate@10']:.4f}, "
            f"{record.training_seconds:.1f} s of training on {record.device}"
        )
        training = record.known_config.training
        if (
            training is not None
            and record.epochs is not None
            and record.best_epoch is not None
            and record.epochs == training.max_epochs
            and record.epochs - record.best_epoch < training.patience
        ):
            click.echo(
                f"{record.folder}: ended at training.max_epochs ({record.epochs}), and might "
                f"have improved further; the best epoch was {record.best_epoch}.",
                err=True,
            )


def _evaluated_again(config: "RunConfig", data: Path, folder: Path, engine: dict[str, Any]) -> bool:
    """Whether only the evaluation had changed, and the weights on disk were evaluated again."""
    from seqrec.running.reevaluation import evaluate_again

    record = evaluate_again(config, data, folder, _options(engine))
    if record:
        click.echo(f"{folder}: evaluated again; only `evaluation` has changed.", err=True)
        _Lines().result(record)
    return record is not None


def _options(engine: dict[str, Any]) -> "EngineOptions":
    from seqrec.running.options import EngineOptions

    return EngineOptions(**{key: value for key, value in engine.items() if value is not None})


def _execute(
    config: "RunConfig", data: Path, folder: Path, track: tuple[str, ...], engine: dict[str, Any]
) -> None:
    """Do the run; a signal that stops it has an exit code of its own."""
    from seqrec.errors import Stopped
    from seqrec.running.resume import STOPPED_EXIT_CODE
    from seqrec.running.run import run
    from seqrec.running.trackers.tracking import Tracking

    # The log of a run holds all attempts.
    click.echo(f"{datetime.now():%Y-%m-%d %H:%M:%S} {config.run.title}", err=True)
    try:
        with Tracking(track, config, folder) as tracking:
            run(config, data, folder, _options(engine), [tracking, _Lines()])
    except Stopped:
        click.echo(f"{folder}: stopped; the same command goes on from here.", err=True)
        sys.exit(STOPPED_EXIT_CODE)

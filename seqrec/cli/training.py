"""Commands that train: train, execute."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from seqrec.cli import completion
from seqrec.cli.parameters import PROCESSED, RESULTS, Folder, device_option
from seqrec.errors import SeqrecError


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where and how a run computes; none of it belongs to the configuration of the run."""
    for option in (
        click.option(
            "--track",
            type=click.Choice(["tensorboard", "clearml", "mlflow"]),
            multiple=True,
            help="Also report to this tracker; may be given again.",
        ),
        click.option("--compile/--no-compile", help="Pass the network through torch.compile."),
        click.option(
            "--logits-per-chunk",
            type=click.IntRange(min=1),
            help="Logits that a loss holds at a time; fewer need less memory.  [default: auto]",
        ),
        click.option(
            "--precision",
            type=click.Choice(["auto", "float32", "bfloat16"]),
            default="auto",
            show_default=True,
            help="Of a loss's products, on a GPU of all of training's; auto takes the faster one.",
        ),
        click.option(
            "--threads", type=click.IntRange(min=1), help="CPU threads.  [default: all cores]"
        ),
        click.option(
            "--runs-per-gpu",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="Wait for a GPU with fewer; where auto or cuda leaves a choice.",
        ),
        device_option,
    ):
        command = option(command)
    return command


@click.command()
@click.argument("dataset", shell_complete=completion.datasets)
@click.argument("model", shell_complete=completion.models)
@click.argument("settings", nargs=-1)
@click.option(
    "--experiment",
    default="paper",
    show_default=True,
    shell_complete=completion.experiments,
    help="Whose settings to use, and whose results to join.",
)
@click.option(
    "--name",
    help="Results of their own, by this name; needed where SETTINGS change the experiment.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all randomness."
)
@run_options
def train(
    dataset: str,
    model: str,
    settings: tuple[str, ...],
    experiment: str,
    name: str | None,
    seed: int,
    track: tuple[str, ...],
    **engine: Any,
) -> None:
    """Train MODEL on DATASET and write a run record.

    The data are downloaded and preprocessed if needed, also after a change of their YAML or of a
    file of your own. SETTINGS are key=value pairs. Examples:

    \b
    seqrec train demo sasrec+ --experiment demo
    seqrec train ml-1m sasrec+ training.learning_rate=0.01 --name fast-rate
    """
    from seqrec.data.datasets import load_dataset
    from seqrec.data.download import download as fetch
    from seqrec.data.manifest import replaced_file
    from seqrec.data.preprocessing import is_made_by
    from seqrec.data.preprocessing import preprocess as process
    from seqrec.experiment.grid import load_run
    from seqrec.running.folder_lock import alone_in

    title, config = load_run(experiment, dataset, model, seed, settings, name)
    entry, log = load_dataset(dataset), PROCESSED / dataset

    def as_it_should_be() -> bool:
        return is_made_by(log, entry) and not replaced_file(dataset)

    if not as_it_should_be():
        with alone_in(log, wait=True, doing="preprocessing this dataset"):
            if not as_it_should_be():  # nor after whoever was waited for
                process(dataset, entry, fetch(dataset, entry), log)
    folder = RESULTS / title / config.folder
    if (folder / "metrics.json").exists():
        raise SeqrecError(
            f"{folder}: already holds a finished run, which is not overwritten. "
            "Give --name <new name>, another --seed, or remove the folder."
        )
    _execute(config, log, folder, track, engine)


@click.command()
@click.option("--config", "config_json", required=True, help="A line of `seqrec check`.")
@click.option("--data", type=Folder(), required=True, help="A preprocessed log.")
@click.option("--output", type=Folder(), required=True, help="The folder of the run record.")
@click.option("--retrain-stale", is_flag=True, help="Do not keep a record of older code.")
@run_options
def execute(
    config_json: str,
    data: Path,
    output: Path,
    retrain_stale: bool,
    track: tuple[str, ...],
    **engine: Any,
) -> None:
    """Do one run that is fully described.

    The workflow calls this for each of its runs. A record of the same configuration and data is
    the result, and is kept. Example:

    \b
    seqrec check demo | head -1 > run.json
    seqrec execute --config "$(cat run.json)" --data data/processed/demo \\
        --output results/mine/runs/demo/popularity/seed-0
    """
    from seqrec.data.preprocessing import require_current
    from seqrec.experiment.schema import RunConfig
    from seqrec.files import date_back
    from seqrec.records.survey import is_finished
    from seqrec.running.folder_lock import alone_in
    from seqrec.typed_yaml import check_values

    try:
        values = json.loads(config_json)
    except ValueError as error:
        raise SeqrecError(f"--config: not JSON ({error}).") from None
    config = check_values(RunConfig, values, "--config")
    # A workflow that was killed leaves jobs on a cluster behind, and one of them may be this run.
    with alone_in(output, wait=True):
        require_current(data, config.dataset)
        if is_finished(output, config.hash(), data, any_code=not retrain_stale):
            (output / "failure.json").unlink(missing_ok=True)  # of another configuration, then
            click.echo(f"{output}: finished before with this configuration and data.")
        else:
            _execute(config, data, output, track, engine)
        date_back([data / "digest.json"], time.time())


def _execute(
    config: Any, data: Path, folder: Path, track: tuple[str, ...], engine: dict[str, Any]
) -> None:
    from seqrec.running.device import EngineOptions
    from seqrec.running.resume import STOPPED_EXIT_CODE, Stopped
    from seqrec.running.run import run
    from seqrec.running.trackers import Tracking

    def report(epoch: dict[str, Any]) -> None:
        click.echo(
            f"epoch {epoch['epoch']:3d}  loss {epoch['training_loss']:.4f}  "
            f"validation NDCG@10 {epoch['ndcg@10']:.4f}  {epoch['seconds']:.1f} s",
            err=True,
        )
        tracking.epoch(epoch)

    click.echo(f"{config.dataset} {config.model} seed {config.seed}", err=True)
    options = EngineOptions(**{key: value for key, value in engine.items() if value is not None})
    try:
        with Tracking(track, config, folder) as tracking:
            metrics = run(config, data, folder, options, report)
            tracking.result(metrics)
    except Stopped:
        click.echo(f"{folder}: stopped; the same command goes on from here.", err=True)
        sys.exit(STOPPED_EXIT_CODE)
    test = metrics["test"]
    click.echo(
        f"{folder}: test NDCG@10 {test['ndcg@10']:.4f}, HitRate@10 {test['hit_rate@10']:.4f}, "
        f"{metrics['training_seconds']:.1f} s of training on {metrics['device']}"
    )

"""The command line: each step of the workflow as a command that also works on its own."""

import functools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import seqrec
from seqrec.errors import SeqrecError

RESULTS = Path("results")
PROCESSED = Path("data/processed")

Folder = functools.partial(click.Path, file_okay=False, path_type=Path)


class Commands(click.Group):
    """Prints a user's mistake as one message and exits with 1; anything else is a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except SeqrecError as error:
            click.echo(f"Error: {error}", err=True)
            context.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(seqrec.__version__)
def main() -> None:
    """Sequential-recommendation experiments: data, training, tables and figures.

    Run it from the project's folder. Example: seqrec train demo sasrec+
    """


@contextmanager
def noting_failure(folder: Path | None, dataset: str) -> Iterator[None]:
    """Leave the reason why `dataset` cannot be had in `folder`, or clear it on success."""
    from seqrec.files import write_text

    try:
        yield
    except SeqrecError as error:
        if folder is not None:
            # Tables say what failed and what to do; the log has what lies between.
            first, *others = str(error).splitlines()
            reason = {
                "dataset": dataset,
                "error": first.removesuffix(" Tried:"),
                "remedy": others[-1] if others else "",
            }
            write_text(folder / f"{dataset}.json", json.dumps(reason, indent=2) + "\n")
        raise
    if folder is not None:
        (folder / f"{dataset}.json").unlink(missing_ok=True)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where and how a run computes; none of it belongs to the configuration of the run."""
    for option in (
        click.option("--compile/--no-compile", help="Pass the network through torch.compile."),
        click.option(
            "--logits-per-chunk",
            type=click.IntRange(min=1),
            help="Logits that a loss holds at a time; fewer need less memory.",
        ),
        click.option(
            "--precision",
            type=click.Choice(["auto", "float32", "bfloat16"]),
            default="auto",
            show_default=True,
            help="Of products with the item table in training; auto takes the faster one.",
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
        click.option(
            "--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:<number>."
        ),
    ):
        command = option(command)
    return command


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where raw files lie, and where a failure is noted for the tables of an experiment."""
    raw = click.option("--raw", type=Folder(), default=Path("data/raw"), show_default=True)
    failures = click.option(
        "--failures", type=Folder(), help="Also leave the reason of a failure in this folder."
    )
    return raw(failures(command))


@main.command()
@click.argument("dataset")
@data_options
def download(dataset: str, raw: Path, failures: Path | None) -> None:
    """Fetch and verify DATASET.

    Sources in order: $SEQREC_MIRROR, a file you put in data/raw/, the public addresses.
    Example: seqrec download ml-1m
    """
    from seqrec.datasets import load_dataset
    from seqrec.download import download as fetch

    with noting_failure(failures, dataset):
        click.echo(fetch(dataset, load_dataset(dataset), raw))


@main.command()
@click.argument("dataset")
@data_options
@click.option("--output", type=Folder(), help="[default: data/processed/DATASET]")
def preprocess(dataset: str, raw: Path, failures: Path | None, output: Path | None) -> None:
    """Check DATASET line by line and write its compact log and statistics.

    Example: seqrec preprocess ml-1m
    """
    from seqrec.datasets import load_dataset
    from seqrec.interactions import preprocess as process

    output = output or PROCESSED / dataset
    with noting_failure(failures, dataset):
        statistics = process(dataset, load_dataset(dataset), raw / f"{dataset}.json", output)
    click.echo(
        f"{output}: {statistics.users:,} users, {statistics.items:,} items, "
        f"{statistics.interactions:,} interactions, mean length {statistics.mean_length:.1f}"
    )


@main.command()
@click.option("--like", metavar="DATASET", help="Draw the size of this dataset.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--users", type=click.IntRange(min=1), help="Instead of --like: number of users.")
@click.option("--items", type=click.IntRange(min=3), help="Number of items.")
@click.option("--mean-length", type=click.FloatRange(min=3), help="Interactions per user.")
@click.option("--max-length", type=click.IntRange(min=3), help="No user has more.")
def simulate(like: str | None, output: Path, seed: int, **sizes: Any) -> None:
    """Write a simulated log of `user item` lines: drifting interests, long-tailed items.

    Examples:

    \b
    seqrec simulate --like ml-20m --output data/raw/like-ml-20m.txt
    seqrec simulate --users 500 --items 100 --mean-length 20 --max-length 60 --output log.txt
    """
    from seqrec.datasets import Simulation
    from seqrec.simulation import simulate_dataset, simulate_like, write_text_log
    from seqrec.strict import validate

    given = {key: value for key, value in sizes.items() if value is not None}
    if bool(like) == bool(given):
        raise SeqrecError("simulate: give either --like DATASET or the sizes.")
    if like:
        items, offsets = simulate_like(like, seed)
    else:
        settings = validate(Simulation, {**given, "seed": seed}, "simulate")
        items, offsets = simulate_dataset(settings)
    write_text_log(output, items, offsets)
    click.echo(f"{output}: {len(offsets) - 1:,} users, {len(items):,} interactions")


@main.command()
@click.argument("experiment")
@click.argument("settings", nargs=-1)
@click.option("--name", help="New name of the changed experiment.")
def check(experiment: str, settings: tuple[str, ...], name: str | None) -> None:
    """Check EXPERIMENT and print its runs, one resolved configuration a line.

    Example: seqrec check paper
    """
    from seqrec.experiment import load_experiment

    for run in load_experiment(experiment, settings, name).runs:
        click.echo(run.json())


@main.command()
@click.argument("experiment")
@click.argument("settings", nargs=-1)
@click.option("--name", help="New name of the changed experiment.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
def grid(experiment: str, settings: tuple[str, ...], name: str | None, output: Path) -> None:
    """Write which runs EXPERIMENT asks for, so that tables can tell what is missing.

    Example: seqrec grid paper --output results/paper/grid.json
    """
    from seqrec.experiment import load_experiment
    from seqrec.files import write_text

    write_text(output, load_experiment(experiment, settings, name).json() + "\n")


@main.command()
@click.argument("dataset")
@click.argument("model")
@click.argument("settings", nargs=-1)
@click.option("--experiment", default="paper", show_default=True, help="Whose settings to use.")
@click.option("--name", help="Name for the results; needed where SETTINGS change the experiment.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@run_options
def train(
    dataset: str,
    model: str,
    settings: tuple[str, ...],
    experiment: str,
    name: str | None,
    seed: int,
    **engine: Any,
) -> None:
    """Train MODEL on DATASET, downloading and preprocessing it if needed; write a run record.

    SETTINGS are key=value pairs. Examples:

    \b
    seqrec train demo sasrec+ --experiment demo
    seqrec train ml-1m sasrec+ training.learning_rate=0.01 --name fast-rate
    """
    from seqrec.datasets import load_dataset
    from seqrec.download import download as fetch
    from seqrec.experiment import load_run
    from seqrec.interactions import preprocess as process

    title, config = load_run(experiment, dataset, model, seed, settings, name)
    if not (PROCESSED / dataset / "digest.json").exists():
        entry = load_dataset(dataset)
        process(dataset, entry, fetch(dataset, entry), PROCESSED / dataset)
    folder = RESULTS / title / config.folder
    if (folder / "metrics.json").exists():
        raise SeqrecError(
            f"{folder}: already holds a finished run, which is not overwritten. "
            "Give --name <new name>, another --seed, or remove the folder."
        )
    _execute(config, PROCESSED / dataset, folder, engine)


@main.command()
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
    **engine: Any,
) -> None:
    """Do one run that is fully described; what the workflow calls for each of its runs.

    A record of the same configuration and data is the result, and is kept.
    """
    from seqrec.experiment import RunConfig
    from seqrec.lease import alone_in
    from seqrec.records import is_finished
    from seqrec.strict import validate

    try:
        values = json.loads(config_json)
    except ValueError as error:
        raise SeqrecError(f"--config: not JSON ({error}).") from None
    config = validate(RunConfig, values, "--config")
    # A workflow that was killed leaves jobs on a cluster behind, and one of them may be this run.
    with alone_in(output, wait=True):
        if is_finished(output, config.hash(), data, any_code=not retrain_stale):
            (output / "metrics.json").touch()
            click.echo(f"{output}: finished before with this configuration and data.")
            return
        _execute(config, data, output, engine)


def _execute(config: Any, data: Path, folder: Path, engine: dict[str, Any]) -> None:
    from seqrec.engine import EngineOptions
    from seqrec.runs import run
    from seqrec.sidecar import STOPPED_EXIT_CODE, Stopped

    def report(epoch: dict[str, Any]) -> None:
        click.echo(
            f"epoch {epoch['epoch']:3d}  loss {epoch['training_loss']:.4f}  "
            f"validation NDCG@10 {epoch['ndcg@10']:.4f}  {epoch['seconds']:.1f} s",
            err=True,
        )

    click.echo(f"{config.dataset} {config.model} seed {config.seed}", err=True)
    options = EngineOptions(**{key: value for key, value in engine.items() if value is not None})
    try:
        metrics = run(config, data, folder, options, report)
    except Stopped:
        click.echo(f"{folder}: stopped; the same command goes on from here.", err=True)
        sys.exit(STOPPED_EXIT_CODE)
    test = metrics["test"]
    click.echo(
        f"{folder}: test NDCG@10 {test['ndcg@10']:.4f}, HitRate@10 {test['hit_rate@10']:.4f}, "
        f"{metrics['training_seconds']:.1f} s of training on {metrics['device']}"
    )


@main.command()
@click.argument("results", type=Folder(exists=True))
def tables(results: Path) -> None:
    """Write RESULTS/results.csv and RESULTS/tables/ from the run records in RESULTS.

    Example: seqrec tables results/demo
    """
    from seqrec.tables import write_tables

    for path in write_tables(results):
        click.echo(path)


@main.command()
@click.argument("results", type=Folder(exists=True))
def figures(results: Path) -> None:
    """Draw RESULTS/figures/ from the run records in RESULTS.

    Example: seqrec figures results/demo
    """
    from seqrec.figures import write_figures

    for path in write_figures(results):
        click.echo(path)


@main.command()
@click.argument("results", type=Folder(exists=True))
def missing(results: Path) -> None:
    """List the runs that RESULTS lacks and why; exits with 1 if there are any.

    Example: seqrec missing results/paper
    """
    from seqrec.records import missing_runs

    found = missing_runs(results)
    for run in found:
        remedy = f" {run.remedy}" if run.remedy else ""
        click.echo(f"{run.dataset} {run.model} seed {run.seed}: {run.reason}{remedy}", err=True)
    if found:
        missing = "1 run is" if len(found) == 1 else f"{len(found)} runs are"
        click.echo(f"{missing} missing from {results}.", err=True)
        sys.exit(1)
    click.echo(f"{results}: every run is there.")


@main.command()
@click.argument("results", type=Folder())
def stale(results: Path) -> None:
    """List the records in RESULTS that other training code than today's has made.

    Example: snakemake --config experiment=paper --forcerun $(seqrec stale results/paper)
    """
    from seqrec.records import stale_records

    for path in stale_records(results):
        click.echo(path)


@main.command()
@click.argument("results", type=Folder(exists=True))
@click.option("--replace", is_flag=True, help="Let records take the place of different ones.")
def promote(results: Path, replace: bool) -> None:
    """Copy the finished records of RESULTS, without weights, into results/reference.

    Example: seqrec promote results/paper
    """
    from seqrec.records import promote as copy

    for path in copy(results, replace=replace):
        click.echo(path)


@main.command()
def schema() -> None:
    """Write the JSON Schemas that editors check configuration files with, to config/schema/."""
    from seqrec.experiment import json_schemas
    from seqrec.files import write_text

    for path, text in json_schemas().items():
        write_text(path, text)
        click.echo(path)


if __name__ == "__main__":
    main()

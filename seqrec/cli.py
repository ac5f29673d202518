"""The command line: each step of the workflow as a command that also works on its own."""

import functools
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

import seqrec
from seqrec import completion
from seqrec.errors import SeqrecError

RESULTS = Path("results")
PROCESSED = Path("data/processed")

Folder = functools.partial(click.Path, file_okay=False, path_type=Path)
File = functools.partial(click.Path, dir_okay=False, path_type=Path)


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
    """Sequential-recommendation experiments: data, training, tables, figures, recommendations.

    Run it from the project's folder. Every command explains itself and has an example: seqrec
    train --help. Tab completion, for bash (or zsh_source, fish_source):

    \b
    eval "$(_SEQREC_COMPLETE=bash_source seqrec)"
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
            with suppress(SeqrecError):  # on a full disk the first error is the one to be told
                write_text(folder / f"{dataset}.json", json.dumps(reason, indent=2) + "\n")
        raise
    if folder is not None:
        (folder / f"{dataset}.json").unlink(missing_ok=True)


device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:<number>."
)


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


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where raw files lie, and where a failure is noted for the tables of an experiment."""
    raw = click.option(
        "--raw",
        type=Folder(),
        default=Path("data/raw"),
        show_default=True,
        help="Where raw files lie.",
    )
    failures = click.option(
        "--failures", type=Folder(), help="Also leave the reason of a failure in this folder."
    )
    return raw(failures(command))


@main.command()
@click.argument("dataset", shell_complete=completion.datasets)
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
@click.argument("dataset", shell_complete=completion.datasets)
@data_options
@click.option(
    "--output", type=Folder(), help="Where the log goes.  [default: data/processed/DATASET]"
)
def preprocess(dataset: str, raw: Path, failures: Path | None, output: Path | None) -> None:
    """Check DATASET line by line and write its compact log.

    With the log come its statistics and original ids.

    Example: seqrec preprocess ml-1m
    """
    from seqrec.datasets import load_dataset
    from seqrec.interactions import preprocess as process
    from seqrec.lease import alone_in

    output = output or PROCESSED / dataset
    with (
        noting_failure(failures, dataset),
        alone_in(output, wait=True, doing="preprocessing this dataset"),
    ):
        statistics = process(dataset, load_dataset(dataset), raw / f"{dataset}.json", output)
    click.echo(
        f"{output}: {statistics.users:,} users, {statistics.items:,} items, "
        f"{statistics.interactions:,} interactions, mean length {statistics.mean_length:.1f}"
    )


@main.command()
@click.option(
    "--like",
    metavar="DATASET",
    shell_complete=completion.datasets,
    help="Draw the size of this dataset.",
)
@click.option("--output", type=File(), required=True, help="The file to write.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all that is drawn."
)
@click.option("--users", type=click.IntRange(min=1), help="Instead of --like: number of users.")
@click.option("--items", type=click.IntRange(min=3), help="Number of items.")
@click.option("--mean-length", type=click.FloatRange(min=3), help="Interactions per user.")
@click.option("--max-length", type=click.IntRange(min=3), help="No user has more.")
def simulate(like: str | None, output: Path, seed: int, **sizes: Any) -> None:
    """Write a simulated log, a line `user item` each.

    Interests drift, and the popularity of items has a long tail. Examples:

    \b
    seqrec simulate --like ml-20m --output log.txt
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
        # What there is no option for gives way to what was asked for.
        small = {}
        if "items" in given:
            small["genres"] = min(Simulation.model_fields["genres"].default, given["items"])
        if "mean_length" in given:
            shortest = Simulation.model_fields["min_length"].default
            small["min_length"] = min(shortest, int(given["mean_length"]))
        settings = validate(Simulation, {**small, **given, "seed": seed}, "simulate")
        items, offsets = simulate_dataset(settings)
    write_text_log(output, items, offsets)
    click.echo(f"{output}: {len(offsets) - 1:,} users, {len(items):,} interactions")


@main.command()
@click.argument("experiment", shell_complete=completion.experiments)
@click.argument("settings", nargs=-1)
@click.option("--name", help="New name of the changed experiment.")
def check(experiment: str, settings: tuple[str, ...], name: str | None) -> None:
    """Check EXPERIMENT and print its runs.

    Each is a line with the resolved configuration.

    Example: seqrec check paper
    """
    from seqrec.experiment import load_experiment

    for run in load_experiment(experiment, settings, name).runs:
        click.echo(run.json())


@main.command()
@click.argument("experiment", shell_complete=completion.experiments)
@click.argument("settings", nargs=-1)
@click.option("--name", help="New name of the changed experiment.")
@click.option("--output", type=File(), required=True, help="The file to write.")
def grid(experiment: str, settings: tuple[str, ...], name: str | None, output: Path) -> None:
    """Write down which runs EXPERIMENT asks for.

    Tables and status tell by it what is missing.

    Example: seqrec grid paper --output results/paper/grid.json
    """
    from seqrec.experiment import load_experiment
    from seqrec.files import write_text

    write_text(output, load_experiment(experiment, settings, name).json() + "\n")


@main.command()
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
    from seqrec.datasets import load_dataset
    from seqrec.download import download as fetch
    from seqrec.download import replaced_file
    from seqrec.experiment import load_run
    from seqrec.interactions import is_made_by
    from seqrec.interactions import preprocess as process
    from seqrec.lease import alone_in

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
    from seqrec.experiment import RunConfig
    from seqrec.files import date_back
    from seqrec.interactions import require_current
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
    from seqrec.engine import EngineOptions
    from seqrec.runs import run
    from seqrec.sidecar import STOPPED_EXIT_CODE, Stopped
    from seqrec.trackers import Tracking

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


@main.command()
@click.argument("run", type=Folder(), shell_complete=completion.runs)
@click.option("--history", help="Item ids in order of time, separated by commas.")
@click.option("--users", type=File(), help="CSV or Parquet: user, item and maybe timestamp.")
@click.option("-k", type=click.IntRange(min=1), default=10, show_default=True, help="How many.")
@click.option("--output", type=File(), help="CSV or Parquet.  [default: to the terminal]")
@click.option("--data", type=Folder(), help="The run's log.  [default: data/processed/DATASET]")
@device_option
def recommend(
    run: Path,
    history: str | None,
    users: Path | None,
    k: int,
    output: Path | None,
    data: Path | None,
    device: str,
) -> None:
    """Recommend what comes next, by a finished RUN.

    RUN is its folder. Items go in and come out by the dataset's own ids: of one history, or of a
    file of many with a line for each interaction. A file with the column user alone names users of
    the dataset. Items of a history are not recommended again. Examples:

    \b
    seqrec recommend results/demo/runs/demo/sasrec+/seed-0 --history 12,87,3 -k 5
    seqrec recommend results/demo/runs/demo/sasrec+/seed-0 --users users.csv --output top.parquet
    """
    from seqrec.recommend import Recommender, read_users, write_recommendations

    if (history is None) == (users is None):
        raise SeqrecError("recommend: give either --history or --users.")
    table = read_users(users) if users else None
    recommender = Recommender.load(run, data, device)
    if table is None:
        found = recommender.recommend([i.strip() for i in (history or "").split(",") if i], k)
    else:
        found = recommender.recommend_users(table, k, str(users))
    if output:
        write_recommendations(output, found)
        click.echo(f"{output}: {len(found):,} recommendations")
    elif users:
        click.echo(found.to_csv(index=False, lineterminator="\n"), nl=False)
    else:
        click.echo(found.to_string(index=False, float_format="{:.4f}".format))


@main.command()
@click.argument("results", type=Folder(exists=True), shell_complete=completion.results)
def tables(results: Path) -> None:
    """Write the tables of RESULTS from its run records.

    They are RESULTS/tables/ and RESULTS/results.csv. Example: seqrec tables results/demo
    """
    from seqrec.tables import write_tables

    for path in write_tables(results):
        click.echo(path)


@main.command()
@click.argument("results", type=Folder(exists=True), shell_complete=completion.results)
def figures(results: Path) -> None:
    """Draw the figures of RESULTS.

    They go into RESULTS/figures/ and show its run records. Example: seqrec figures results/demo
    """
    from seqrec.figures import write_figures

    for path in write_figures(results):
        click.echo(path)


@main.command()
@click.argument("a", type=Folder(exists=True))
@click.argument("b", type=Folder(exists=True))
def compare(a: Path, b: Path) -> None:
    """Tell which differences are real.

    A and B are folders with run records, anywhere: a run's, a model's with its seeds, or an
    experiment's, of which what both have is compared. Printed are intervals over users and a paired
    test. Examples:

    \b
    seqrec compare results/paper/runs/ml-1m/sasrec+ results/paper/runs/ml-1m/bert4rec
    seqrec compare results/reference ~/colleague/results/paper
    """
    from seqrec.evidence import compare as find
    from seqrec.rendering import markdown
    from seqrec.tables import comparison_table

    click.echo(markdown(comparison_table(f"A: {a}, B: {b}", find(a, b))))
    for results in (a, b):
        _tell_left_out(results)


def _tell_left_out(results: Path) -> None:
    """Say which records cannot be read, as what was printed is without them."""
    from seqrec.records import damaged_runs

    for run in damaged_runs(results):
        click.echo(f"{results}: left out: {run.reason}", err=True)


@main.command()
@click.argument("results", type=Folder(exists=True), shell_complete=completion.results)
def best(results: Path) -> None:
    """Choose among the models of RESULTS by validation.

    Of those with one network and kind of loss, on each dataset, the one with the best validation
    NDCG@10; with its test metrics, which have no say. Example: seqrec best results/rates
    """
    from seqrec.evidence import choose
    from seqrec.records import read_records
    from seqrec.rendering import markdown
    from seqrec.tables import choice_table

    click.echo(markdown(choice_table(f"Best in {results}", choose(read_records(results)))))


@main.command()
@click.argument("results", type=Folder(exists=True), shell_complete=completion.results)
@click.argument("cutoffs", type=click.IntRange(min=1), nargs=-1, required=True)
def metrics(results: Path, cutoffs: tuple[int, ...]) -> None:
    """Print the test metrics of RESULTS at any CUTOFFS, as CSV.

    A line a finished run, from the ranks in its record: neither model nor data are needed.
    Example: seqrec metrics results/reference 1 5 20
    """
    from seqrec.records import read_records
    from seqrec.tables import metrics_table

    click.echo(metrics_table(read_records(results), cutoffs).to_csv(index=False), nl=False)
    _tell_left_out(results)


@main.command()
@click.argument("results", type=Folder(exists=True), shell_complete=completion.results)
def missing(results: Path) -> None:
    """List the runs that RESULTS lacks and why.

    Exits with 1 if there are any. Example: seqrec missing results/paper
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
@click.argument("results", type=Folder(), shell_complete=completion.results)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--watch", is_flag=True, help="Refresh until every run is done, or Ctrl-C.")
def status(results: Path, command: tuple[str, ...], watch: bool) -> None:
    """Show which runs of RESULTS are done, running or failed.

    And those that wait or were stopped. Works from any terminal and host that sees the folder.
    Times left are estimates: the least if no epoch is better than the best so far, the most if
    early stopping never fires. With a COMMAND it is shown for as long as that runs. Examples:

    \b
    seqrec status results/paper --watch
    seqrec status results/paper -- snakemake runs --quiet --config experiment=paper
    """
    from seqrec import status as progress

    console = progress.screen()
    if command:
        sys.exit(progress.watch_during(results, command, console))
    if not watch:
        progress.show(results, console)
        return
    try:
        progress.watch(results, console)
    except KeyboardInterrupt:
        return


@main.command()
@click.argument("results", type=Folder(), shell_complete=completion.results)
def stale(results: Path) -> None:
    """List the records in RESULTS that other code has made.

    Other training code than today's, that is. Printed is what the workflow makes for each, which
    names the run to Snakemake. Example, which trains them again:

    \b
    snakemake runs --config experiment=paper retrain=stale \\
      --forcerun $(seqrec stale results/paper)
    """
    from seqrec.records import stale_records

    for path in stale_records(results):
        click.echo(path)


@main.command()
@click.argument("results", type=Folder(exists=True), shell_complete=completion.results)
@click.option("--replace", is_flag=True, help="Let records take the place of different ones.")
def promote(results: Path, replace: bool) -> None:
    """Copy the records of RESULTS into results/reference.

    Those that are finished, without weights. Example: seqrec promote results/paper
    """
    from seqrec.records import promote as copy

    for path in copy(results, replace=replace):
        click.echo(path)


@main.command()
def schema() -> None:
    """Write the JSON Schemas of configuration files.

    Editors check the files by them; they are in config/schema/. Example: seqrec schema
    """
    from seqrec.experiment import json_schemas
    from seqrec.files import write_text

    for path, text in json_schemas().items():
        write_text(path, text)
        click.echo(path)


if __name__ == "__main__":
    main()

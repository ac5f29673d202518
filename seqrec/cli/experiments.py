"""Commands for experiments: check, prepare, grid, choose, schema."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seqrec.cli.parameters import experiment_parameters, output_option, results_argument
from seqrec.errors import SeqrecError
from seqrec.files import write_text
from seqrec.layout import CONFIG_FILES, LogFiles, Run

if TYPE_CHECKING:
    from seqrec.running.costs import LogSize


@click.command()
@experiment_parameters
@click.option("--json", "as_json", is_flag=True, help="Print the configuration of each run.")
def check(experiment: str, settings: tuple[str, ...], name: str | None, as_json: bool) -> None:
    """Check EXPERIMENT and show its runs.

    They are shown with an estimate of the time and memory that they need. SETTINGS are key=value
    pairs. With --json, each line is the resolved configuration of one run. Examples:

    \b
    seqrec check paper
    seqrec check paper --json | head -1
    """
    from seqrec.experiment.grid import load_experiment

    grid = load_experiment(experiment, settings, name)
    if as_json:
        for run in grid.runs:
            click.echo(run.json())
        return
    from seqrec.running.device_places import visible_gpus
    from seqrec.running.display import terminal
    from seqrec.running.overview import overview

    found = {dataset: _size(dataset) for dataset in grid.datasets}
    sizes = {dataset: size for dataset, size in found.items() if size}
    terminal().print(overview(grid, sizes, gpu=bool(visible_gpus())))


def _size(dataset: str) -> "LogSize | None":
    """Find the size of a dataset's log: read, simulated or published; None if it is not known."""
    from seqrec.data.datasets import load_dataset
    from seqrec.report.paper import read_published
    from seqrec.running.costs import LogSize

    with suppress(OSError, SeqrecError):  # of a log that is not there, or is damaged
        return LogSize.read(LogFiles.of(dataset))
    if simulate := load_dataset(dataset).simulate:
        return LogSize(simulate.items, round(simulate.users * simulate.mean_length))
    with suppress(SeqrecError, KeyError):  # not a dataset of the paper
        published = read_published(CONFIG_FILES.published("datasets"), "dataset")[dataset,]
        return LogSize(round(published["items"]), round(published["interactions"]))
    return None


@click.command()
@experiment_parameters
@output_option
def grid(experiment: str, settings: tuple[str, ...], name: str | None, output: Path) -> None:
    """Write the list of runs that EXPERIMENT asks for.

    Tables and status compare it with the records to tell what is missing.

    Example: seqrec grid paper --output results/paper/grid.json
    """
    from seqrec.experiment.grid import load_experiment
    from seqrec.records.grid_file import GridFile

    GridFile.of(load_experiment(experiment, settings, name)).write(output)


@click.command()
@results_argument()
@click.argument("task")
@click.argument("model")
@click.option("--seed", type=click.IntRange(min=0), required=True, help="Random seed.")
def choose(results: Path, task: str, model: str, seed: int) -> None:
    """Print a run's configuration by what a search has chosen.

    The workflow calls this when all trials have finished, and `seqrec execute` takes what it
    prints. TASK is a dataset, or DATASET@SPLIT; MODEL ends with .tuned. Example:

    \b
    seqrec choose results/tuning ml-100k sasrec+.tuned --seed 1
    """
    from seqrec.records.choice import choose as choose_setting

    click.echo(choose_setting(results, Run(task, model, seed)).json())


@click.command()
@experiment_parameters
def prepare(experiment: str, settings: tuple[str, ...], name: str | None) -> None:
    """Prepare the files of EXPERIMENT for Snakemake.

    Repairs what Snakemake would overlook, and prints a line for each file that it removes or dates
    back: a success without its record, a log made with other settings, a note of a failure since
    overcome, a file dated in the future. Files that a running experiment uses are left alone.

    Example: seqrec prepare paper
    """
    from seqrec.running import preparation
    from seqrec.running.planning import Plan

    plan = Plan.load(experiment, list(settings), name or "")
    preparation.require_room()
    for line in preparation.prepare(plan):
        click.echo(line)


@click.command()
def schema() -> None:
    """Write the JSON Schemas of configuration files.

    They go to config/schema/, where editors find them. Example: seqrec schema
    """
    from seqrec.experiment.schema import json_schemas

    for path, text in json_schemas().items():
        write_text(path, text)
        click.echo(path)

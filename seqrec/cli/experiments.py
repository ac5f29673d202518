"""Commands for experiments: check, prepare, grid, schema."""

from pathlib import Path

import click

from seqrec.cli.parameters import experiment_parameters, output_option
from seqrec.files import write_text


@click.command()
@experiment_parameters
def check(experiment: str, settings: tuple[str, ...], name: str | None) -> None:
    """Check EXPERIMENT and print its runs.

    Each line is the resolved configuration of one run. SETTINGS are key=value pairs.

    Example: seqrec check paper
    """
    from seqrec.experiment.grid import load_experiment

    for run in load_experiment(experiment, settings, name).runs:
        click.echo(run.json())


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
@experiment_parameters
def prepare(experiment: str, settings: tuple[str, ...], name: str | None) -> None:
    """Prepare the files of EXPERIMENT for Snakemake.

    Repairs what Snakemake would overlook, and prints a line for each file that it removes or dates
    back: a success without its record, a log made with other settings, a note of a failure since
    overcome, a file dated in the future. Files that a running experiment uses are left alone.

    Example: seqrec prepare paper
    """
    from seqrec.running.planning import Plan
    from seqrec.running import preparation

    for line in preparation.prepare(Plan.load(experiment, list(settings), name or "")):
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

"""Commands for experiments: check, grid, schema."""

from pathlib import Path

import click

from seqrec.cli import completion
from seqrec.cli.parameters import File


@click.command()
@click.argument("experiment", shell_complete=completion.experiments)
@click.argument("settings", nargs=-1)
@click.option("--name", help="New name of the changed experiment.")
def check(experiment: str, settings: tuple[str, ...], name: str | None) -> None:
    """Check EXPERIMENT and print its runs.

    Each is a line with the resolved configuration.

    Example: seqrec check paper
    """
    from seqrec.experiment.grid import load_experiment

    for run in load_experiment(experiment, settings, name).runs:
        click.echo(run.json())


@click.command()
@click.argument("experiment", shell_complete=completion.experiments)
@click.argument("settings", nargs=-1)
@click.option("--name", help="New name of the changed experiment.")
@click.option("--output", type=File(), required=True, help="The file to write.")
def grid(experiment: str, settings: tuple[str, ...], name: str | None, output: Path) -> None:
    """Write down which runs EXPERIMENT asks for.

    Tables and status tell by it what is missing.

    Example: seqrec grid paper --output results/paper/grid.json
    """
    from seqrec.experiment.grid import load_experiment
    from seqrec.files import write_text

    write_text(output, load_experiment(experiment, settings, name).json() + "\n")


@click.command()
def schema() -> None:
    """Write the JSON Schemas of configuration files.

    Editors check the files by them; they are in config/schema/. Example: seqrec schema
    """
    from seqrec.experiment.schema import json_schemas
    from seqrec.files import write_text

    for path, text in json_schemas().items():
        write_text(path, text)
        click.echo(path)

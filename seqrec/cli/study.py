"""The command that makes a folder for a study of one's own: init."""

from pathlib import Path

import click

from seqrec.cli.parameters import Folder


@click.command()
@click.argument("folder", type=Folder())
def init(folder: Path) -> None:
    """Make FOLDER for a study of your own.

    It holds an experiment, an example log, network and loss, the workflow, and its profiles.
    Datasets, models and experiments of the package can be used there by name; a file of the same
    name in the study's config/ is used instead. FOLDER must be new or empty.

    Example: seqrec init my-study
    """
    from seqrec.running.study import make_study

    make_study(folder)
    click.echo(
        f"{folder}: ready, see its README.md. Next: cd {folder}; seqrec check study; snakemake"
    )

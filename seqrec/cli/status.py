"""The command that shows how far an experiment is."""

import sys
from pathlib import Path

import click

from seqrec.cli import completion
from seqrec.cli.parameters import Folder


@click.command()
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
    from seqrec.running import display
    from seqrec.running import watch as watching

    console = display.screen()
    if command:
        sys.exit(watching.watch_during(results, command, console))
    if not watch:
        display.show(results, console)
        return
    try:
        watching.watch(results, console)
    except KeyboardInterrupt:
        return

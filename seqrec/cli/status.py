"""The command that shows how far an experiment has come."""

import sys
from contextlib import suppress
from pathlib import Path

import click

from seqrec.cli.parameters import results_argument
from seqrec.errors import SeqrecError


@click.command()
@results_argument(exists=False)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--watch", is_flag=True, help="Refresh until every run is done, or Ctrl-C.")
def status(results: Path, command: tuple[str, ...], watch: bool) -> None:
    """Show which runs of RESULTS are done, running or failed.

    Stopped and waiting runs are shown, too. Works from any terminal and any host that shares the
    disk. The time left is a range: the least if no later epoch is better than the best so far, the
    most if early stopping never sets in. With a COMMAND, shows the status while it runs, and exits
    with 1 if runs failed, with 2 if the command failed before any run ended. Examples:

    \b
    seqrec status results/paper --watch
    seqrec status results/paper -- snakemake runs --quiet --config experiment=paper
    """
    from seqrec.running import display
    from seqrec.running import watch as watching

    console = display.terminal()
    if command:
        try:
            sys.exit(watching.watch_during(results, command, console))
        except SeqrecError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(watching.NOTHING_DONE)
    if watch:
        with suppress(KeyboardInterrupt):
            watching.watch(results, console)
    else:
        display.show(results, console)

"""The command line: each step of the workflow as a command that also works on its own."""

from typing import Any

import click

import seqrec
from seqrec.cli import data, experiments, recommend, results, status, training
from seqrec.errors import SeqrecError


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


for command in (
    data.download,
    data.preprocess,
    data.simulate,
    experiments.check,
    experiments.grid,
    training.train,
    training.execute,
    recommend.recommend,
    results.tables,
    results.figures,
    results.compare,
    results.best,
    results.metrics,
    results.missing,
    status.status,
    results.stale,
    results.promote,
    experiments.schema,
):
    main.add_command(command)

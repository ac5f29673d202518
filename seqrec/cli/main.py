"""The command line: every step of the workflow as a command that also works on its own."""

import errno
import os
from typing import Any

import click

import seqrec
from seqrec.cli import (
    audit,
    data,
    experiments,
    export,
    recommend,
    records,
    report,
    score,
    split,
    status,
    study,
    training,
)
from seqrec.errors import SeqrecError, explained, printable

COMMANDS = {
    "Data": (data.download, data.preprocess, audit.audit, split.split, data.simulate),
    "Experiments": (
        *(study.init, experiments.check, experiments.prepare, experiments.grid),
        *(experiments.choose, experiments.schema),
    ),
    "Training": (training.train, training.execute, status.status),
    "Results": (
        *(report.summary, report.tables, report.figures, report.report),
        *(report.compare, report.best, report.metrics, score.score),
    ),
    "Records": (records.missing, records.stale, records.promote),
    "Recommendations": (recommend.recommend, export.export),
}
"""The commands in the order of the work, under the headings of `seqrec --help`."""


class Commands(click.Group):
    """Prints a `SeqrecError` as one message and exits with 1; other errors show a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except click.UsageError as error:
            raise click.UsageError(printable(error.format_message()), error.ctx) from None
        except SeqrecError as error:
            click.echo(f"Error: {error}", err=True)
            context.exit(1)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # whoever reads the output has ended; click knows what to do
            click.echo(f"Error: {explained(error)}", err=True)
            context.exit(1)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        limit = formatter.width - max(map(len, self.commands)) - 6
        for heading, commands in COMMANDS.items():
            with formatter.section(heading):
                formatter.write_dl([(str(c.name), c.get_short_help_str(limit)) for c in commands])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(seqrec.__version__)
def main() -> None:
    """Sequential recommendation: data, training, tables, figures, recommendations.

    Run commands from the project's folder. Each has a help page with an example, such as seqrec
    train --help. To complete names with the TAB key in bash (for others: zsh_source, fish_source):

    \b
    eval "$(_SEQREC_COMPLETE=bash_source seqrec)"
    """
    # OpenMP reads this when torch is loaded. Threads that wait for each other by spinning, its
    # default, take the core that the awaited one needs. Beside other work a training step is faster
    # so, and alone it is slower: tests/benchmarks/waiting.py measures both.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


for command in (command for commands in COMMANDS.values() for command in commands):
    main.add_command(command)

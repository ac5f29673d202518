"""The command that shows what a split makes of a dataset: split."""

import json

import click

from seqrec.cli.parameters import dataset_argument, settings_argument


@click.command()
@dataset_argument
@settings_argument
def split(dataset: str, settings: tuple[str, ...]) -> None:
    """Print what a split makes of DATASET, as JSON.

    Counts who trains, who is validated and tested, and what is cold; says how much of training
    happens after the test targets. Downloads and preprocesses the data if needed. Examples:

    \b
    seqrec split ml-100k
    seqrec split ml-100k split.kind=global-temporal split.quantile=0.8
    """
    from seqrec.data.interactions import Interactions
    from seqrec.experiment.settings import split_rule
    from seqrec.protocol.splitting import describe_split
    from seqrec.running.logs import up_to_date_log

    rule = split_rule(settings)
    log = Interactions.load(up_to_date_log(dataset).folder)
    content = {"dataset": dataset, "split": rule.written(), **describe_split(log, rule)}
    click.echo(json.dumps(content, indent=2))

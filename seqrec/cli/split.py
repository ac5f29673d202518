"""The command that shows what a split makes of a dataset, and writes its parts: split."""

import json
from pathlib import Path

import click

from seqrec.cli.parameters import Folder, dataset_argument, settings_argument
from seqrec.cli.report import say_what_was_written


@click.command()
@dataset_argument
@settings_argument
@click.option("--write", type=Folder(), help="Write the parts into this folder, as Parquet files.")
def split(dataset: str, settings: tuple[str, ...], write: Path | None) -> None:
    """Print what a split makes of DATASET, as JSON.

    Counts who trains, who is validated and tested, and what is cold; says how much of training
    happens after the test targets. Downloads and preprocesses the data if needed. With --write, the
    train, validation and test parts are written by original ids, for other libraries to train on;
    seqrec score judges what these predict. Examples:

    \b
    seqrec split ml-100k
    seqrec split ml-100k --write parts
    seqrec split ml-100k split.kind=global-temporal split.quantile=0.8
    """
    from seqrec.data.interactions import Interactions
    from seqrec.experiment.settings import split_rule
    from seqrec.protocol.splitting import describe_split
    from seqrec.running.logs import up_to_date_log
    from seqrec.running.split_files import write_split

    rule = split_rule(settings)
    log = Interactions.load(up_to_date_log(dataset).folder)
    content = {"dataset": dataset, "split": rule.written(), **describe_split(log, rule)}
    if write:
        say_what_was_written(write_split(log, rule, write, {**content, "data_sha256": log.digest}))
    else:
        click.echo(json.dumps(content, indent=2))

"""The command that exports vectors of the model of a finished run."""

from pathlib import Path

import click

from seqrec.cli import completion
from seqrec.cli.parameters import (
    File,
    Folder,
    device_option,
    log_option,
    saying_what_is_skipped,
    strict_option,
    trust_option,
)
from seqrec.cli.report import say_what_was_written
from seqrec.errors import SeqrecError


@click.command()
@click.argument("run", type=Folder(), shell_complete=completion.runs)
@click.option("--output", type=Folder(), required=True, help="Folder for the vectors.")
@click.option(
    "--users",
    type=File(),
    help="Also export the users of this CSV or Parquet file with columns user, item, [timestamp].",
)
@click.option("--all-users", is_flag=True, help="Also export all users of the dataset.")
@click.option(
    "--onnx",
    is_flag=True,
    help="Also export the encoder, which computes users' vectors from their histories, as ONNX.",
)
@strict_option
@log_option
@trust_option
@device_option
def export(
    run: Path,
    output: Path,
    users: Path | None,
    all_users: bool,
    onnx: bool,
    strict: bool,
    data: Path | None,
    trust: bool,
    device: str,
) -> None:
    """Export the vectors of a finished RUN, and its encoder.

    RUN is the folder of its record. Writes ids and vectors of all items as Parquet, and the vectors
    alone as NumPy's .npy, in the same order. The model's scores are the plain products of a user's
    vector with those of the items. Examples:

    \b
    seqrec export results/demo/runs/demo/sasrec+/seed-0 --output vectors
    seqrec export results/demo/runs/demo/sasrec+/seed-0 --all-users --output vectors
    seqrec export results/demo/runs/demo/sasrec+/seed-0 --onnx --output vectors
    """
    import pandas as pd

    from seqrec.running.export import export as write
    from seqrec.running.recommend import Recommender
    from seqrec.running.user_tables import read_users

    if users and all_users:
        raise SeqrecError("export: give either --users or --all-users.")
    table = read_users(users) if users else None
    recommender = Recommender.load(run, data, device, trust)
    if all_users:
        table = pd.DataFrame({"user": recommender.log.user_ids()})
    with saying_what_is_skipped():
        where = str(users or "users")
        say_what_was_written(write(recommender, output, table, where, strict, onnx))

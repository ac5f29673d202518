"""The command that recommends items with the model of a finished run."""

from pathlib import Path
from typing import Any, get_args

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
from seqrec.errors import SeqrecError
from seqrec.running.options import Seen


@click.command()
@click.argument("run", type=Folder(), shell_complete=completion.runs)
@click.option("--history", help="Item ids, the oldest first, separated by commas.")
@click.option(
    "--users", type=File(), help="CSV or Parquet file with columns user, item, [timestamp]."
)
@click.option(
    "-k", type=click.IntRange(min=1), default=10, show_default=True, help="Items per user."
)
@click.option(
    "--only", type=File(), help="CSV or Parquet file; recommend nothing but its column item."
)
@click.option(
    "--without", type=File(), help="CSV or Parquet file; recommend nothing of its column item."
)
@click.option(
    "--seen",
    type=click.Choice(get_args(Seen)),
    help="Leave out items of a user's own history, or let them come again.  [default: as the "
    "run was evaluated]",
)
@strict_option
@click.option("--output", type=File(), help="CSV or Parquet file.  [default: the terminal]")
@log_option
@trust_option
@device_option
def recommend(
    run: Path,
    history: str | None,
    users: Path | None,
    k: int,
    only: Path | None,
    without: Path | None,
    output: Path | None,
    data: Path | None,
    trust: bool,
    device: str,
    **choices: Any,
) -> None:
    """Recommend the next items with a finished RUN.

    RUN is the folder of its record. Items are read and printed by the dataset's own ids. Give
    either one history, where an id that holds a comma stands in quotes, or a file with one line per
    interaction. A file with only the column user names users of the dataset. Items that the dataset
    does not have are skipped and counted. Examples:

    \b
    seqrec recommend results/demo/runs/demo/sasrec+/seed-0 --history 12,87,3 -k 5
    seqrec recommend results/demo/runs/demo/sasrec+/seed-0 --users users.csv --output top.parquet
    """
    from seqrec.running.recommend import Recommender
    from seqrec.running.user_tables import (
        read_history,
        read_items,
        read_users,
        write_recommendations,
    )

    if (history is None) == (users is None):
        raise SeqrecError("recommend: give either --history or --users.")
    table = read_users(users) if users else None
    choices["only"] = read_items(only) if only else None
    choices["without"] = read_items(without) if without else ()
    recommender = Recommender.load(run, data, device, trust)
    with saying_what_is_skipped():
        if table is None:
            found = recommender.recommend(read_history(history or ""), k, **choices)
            if found.empty:
                raise SeqrecError(
                    "recommend: no item is left for this history. Give more items in --only or "
                    "fewer in --without, or let items of the history come again by --seen keep."
                )
        else:
            found = recommender.recommend_users(table, k, str(users), **choices)
    if output:
        write_recommendations(output, found)
        click.echo(f"{output}: {len(found):,} recommendations")
    elif users:
        click.echo(found.to_csv(index=False, lineterminator="\n"), nl=False)
    else:
        click.echo(found.to_string(index=False, float_format="{:.4f}".format))

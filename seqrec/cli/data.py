"""Commands for data: download, preprocess, simulate."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from seqrec.cli import completion
from seqrec.cli.parameters import PROCESSED, File, Folder
from seqrec.errors import SeqrecError


@contextmanager
def noting_failure(folder: Path | None, dataset: str) -> Iterator[None]:
    """Leave the reason why `dataset` cannot be had in `folder`, or clear it on success."""
    from seqrec.files import write_text

    try:
        yield
    except SeqrecError as error:
        if folder is not None:
            # Tables say what failed and what to do; the log has what lies between.
            first, *others = str(error).splitlines()
            reason = {
                "dataset": dataset,
                "error": first.removesuffix(" Tried:"),
                "remedy": others[-1] if others else "",
            }
            with suppress(SeqrecError):  # on a full disk the first error is the one to be told
                write_text(folder / f"{dataset}.json", json.dumps(reason, indent=2) + "\n")
        raise
    if folder is not None:
        (folder / f"{dataset}.json").unlink(missing_ok=True)


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where raw files lie, and where a failure is noted for the tables of an experiment."""
    raw = click.option(
        "--raw",
        type=Folder(),
        default=Path("data/raw"),
        show_default=True,
        help="Where raw files lie.",
    )
    failures = click.option(
        "--failures", type=Folder(), help="Also leave the reason of a failure in this folder."
    )
    return raw(failures(command))


@click.command()
@click.argument("dataset", shell_complete=completion.datasets)
@data_options
def download(dataset: str, raw: Path, failures: Path | None) -> None:
    """Fetch and verify DATASET.

    Sources in order: $SEQREC_MIRROR, a file you put in data/raw/, the public addresses.
    Example: seqrec download ml-1m
    """
    from seqrec.data.datasets import load_dataset
    from seqrec.data.download import download as fetch

    with noting_failure(failures, dataset):
        click.echo(fetch(dataset, load_dataset(dataset), raw))


@click.command()
@click.argument("dataset", shell_complete=completion.datasets)
@data_options
@click.option(
    "--output", type=Folder(), help="Where the log goes.  [default: data/processed/DATASET]"
)
def preprocess(dataset: str, raw: Path, failures: Path | None, output: Path | None) -> None:
    """Check DATASET line by line and write its compact log.

    With the log come its statistics and original ids.

    Example: seqrec preprocess ml-1m
    """
    from seqrec.data.datasets import load_dataset
    from seqrec.data.preprocessing import preprocess as process
    from seqrec.running.folder_lock import alone_in

    output = output or PROCESSED / dataset
    with (
        noting_failure(failures, dataset),
        alone_in(output, wait=True, doing="preprocessing this dataset"),
    ):
        statistics = process(dataset, load_dataset(dataset), raw / f"{dataset}.json", output)
    click.echo(
        f"{output}: {statistics.users:,} users, {statistics.items:,} items, "
        f"{statistics.interactions:,} interactions, mean length {statistics.mean_length:.1f}"
    )


@click.command()
@click.option(
    "--like",
    metavar="DATASET",
    shell_complete=completion.datasets,
    help="Draw the size of this dataset.",
)
@click.option("--output", type=File(), required=True, help="The file to write.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all that is drawn."
)
@click.option("--users", type=click.IntRange(min=1), help="Instead of --like: number of users.")
@click.option("--items", type=click.IntRange(min=3), help="Number of items.")
@click.option("--mean-length", type=click.FloatRange(min=3), help="Interactions per user.")
@click.option("--max-length", type=click.IntRange(min=3), help="No user has more.")
def simulate(like: str | None, output: Path, seed: int, **sizes: Any) -> None:
    """Write a simulated log, a line `user item` each.

    Interests drift, and the popularity of items has a long tail. Examples:

    \b
    seqrec simulate --like ml-20m --output log.txt
    seqrec simulate --users 500 --items 100 --mean-length 20 --max-length 60 --output log.txt
    """
    from seqrec.data.datasets import Simulation
    from seqrec.data.simulation import simulate_dataset, simulate_like, write_text_log
    from seqrec.typed_yaml import check_values

    given = {key: value for key, value in sizes.items() if value is not None}
    if bool(like) == bool(given):
        raise SeqrecError("simulate: give either --like DATASET or the sizes.")
    if like:
        items, offsets = simulate_like(like, seed)
    else:
        # What there is no option for gives way to what was asked for.
        small = {}
        if "items" in given:
            small["genres"] = min(Simulation.model_fields["genres"].default, given["items"])
        if "mean_length" in given:
            shortest = Simulation.model_fields["min_length"].default
            small["min_length"] = min(shortest, int(given["mean_length"]))
        settings = check_values(Simulation, {**small, **given, "seed": seed}, "simulate")
        items, offsets = simulate_dataset(settings)
    write_text_log(output, items, offsets)
    click.echo(f"{output}: {len(offsets) - 1:,} users, {len(items):,} interactions")

"""Commands for data: download, preprocess, simulate."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from seqrec.cli import completion
from seqrec.cli.parameters import Folder, dataset_argument, output_option
from seqrec.errors import SeqrecError
from seqrec.files import require_inside
from seqrec.layout import RAW, LogFiles, ResultFiles, manifest
from seqrec.running.folder_lock import alone_in


@contextmanager
def noting_failure(results: Path | None, dataset: str) -> Iterator[None]:
    """Note in `results` why `dataset` could not be obtained, and remove the note on success.

    The tables of the experiment then show the reason for each run that lacks its data.
    """
    note = ResultFiles(results).data_failure(dataset) if results else None
    if results and note:
        require_inside(note, results)
    try:
        yield
    except SeqrecError as error:
        if note:
            from seqrec.records.failure import Reason, write_failure

            # Tables say what failed and what to do; the log has the attempts between.
            first, *others = str(error).splitlines()
            why = Reason(first.removesuffix(" Tried:"), others[-1] if others else "")
            with suppress(SeqrecError):  # on a full disk, the first error is the one to report
                write_failure(note, why, dataset=dataset)
        raise
    if note:
        note.unlink(missing_ok=True)


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Take the folder of raw files, and the results in which to note a failure."""
    raw = click.option(
        "--raw", type=Folder(), default=RAW, show_default=True, help="Folder of raw files."
    )
    results = click.option(
        "--results", type=Folder(), help="Also note a failure here, for the experiment's tables."
    )
    return raw(results(command))


@click.command()
@dataset_argument
@data_options
def download(dataset: str, raw: Path, results: Path | None) -> None:
    """Download DATASET and verify its checksum.

    Sources are tried in this order: $SEQREC_MIRROR, a file that you put in data/raw/, the public
    addresses. Example: seqrec download ml-1m
    """
    from seqrec.data.datasets import load_dataset
    from seqrec.data.download import download as fetch

    with (
        noting_failure(results, dataset),
        alone_in(LogFiles.of(dataset).folder, wait=True, doing="preparing this dataset"),
    ):
        click.echo(fetch(dataset, load_dataset(dataset), raw))


@click.command()
@dataset_argument
@data_options
@click.option(
    "--output", type=Folder(), help="Folder for the log.  [default: data/processed/DATASET]"
)
def preprocess(dataset: str, raw: Path, results: Path | None, output: Path | None) -> None:
    """Check DATASET line by line and write its log.

    The log is compact, and comes with statistics and the original ids.

    Example: seqrec preprocess ml-1m
    """
    from seqrec.audit.meaning import in_short
    from seqrec.data.datasets import load_dataset
    from seqrec.data.interactions import Interactions
    from seqrec.data.preprocessing import preprocess as process

    output = output or LogFiles.of(dataset).folder
    with (
        noting_failure(results, dataset),
        alone_in(output, wait=True, doing="preprocessing this dataset"),
    ):
        statistics = process(dataset, load_dataset(dataset), manifest(dataset, raw), output)
        summary = in_short(Interactions.load(output))
    click.echo(
        f"{output}: {statistics.users:,} users, {statistics.items:,} items, "
        f"{statistics.interactions:,} interactions, mean length {statistics.mean_length:.1f}"
    )
    for said in (statistics.account(), statistics.period(), *statistics.warnings()):
        if said:
            click.echo(f"{dataset}: {said}.")
    click.echo(f"{dataset}: {summary}. `seqrec audit {dataset}` says more.")


@click.command()
@click.option(
    "--like",
    metavar="DATASET",
    shell_complete=completion.datasets,
    help="Simulate a log of the size of this dataset.",
)
@output_option
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed."
)
@click.option("--users", type=click.IntRange(min=1), help="Number of users, instead of --like.")
@click.option("--items", type=click.IntRange(min=3), help="Number of items.")
@click.option("--mean-length", type=click.FloatRange(min=3), help="Mean interactions per user.")
@click.option("--max-length", type=click.IntRange(min=3), help="Most interactions per user.")
def simulate(like: str | None, output: Path, seed: int, **sizes: Any) -> None:
    """Write a simulated log: one `user item` per line.

    Users' interests drift, and the popularity of items has a long tail. Examples:

    \b
    seqrec simulate --like ml-20m --output log.txt
    seqrec simulate --users 500 --items 100 --mean-length 20 --max-length 60 --output log.txt
    """
    from seqrec.data.simulation import simulate_dataset, simulate_like, write_text_log

    given = {key: value for key, value in sizes.items() if value is not None}
    if bool(like) == bool(given):
        raise SeqrecError("simulate: give either --like DATASET or the sizes.")
    log = simulate_like(like, seed) if like else simulate_dataset(_simulation(given, seed))
    write_text_log(output, log)
    click.echo(f"{output}: {log.num_users:,} users, {len(log.items):,} interactions")


def _simulation(given: dict[str, Any], seed: int) -> Any:
    """Complete the `given` sizes by defaults; those without an option adapt to what is given."""
    from seqrec.data.datasets import Simulation
    from seqrec.typed_yaml import check_values

    sizes = {**given, "seed": seed}
    if "items" in given:
        sizes["genres"] = min(Simulation.model_fields["genres"].default, given["items"])
    if "mean_length" in given:
        shortest = Simulation.model_fields["min_length"].default
        sizes["min_length"] = min(shortest, int(given["mean_length"]))
    return check_values(Simulation, sizes, "simulate")

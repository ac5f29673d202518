"""Commands for results: tables, figures, compare, best, metrics, missing, stale, promote."""

import sys
from pathlib import Path

import click

from seqrec.cli import completion
from seqrec.cli.parameters import Folder


@click.command()
@click.argument("results", type=Folder(exists=True), shell_complete=completion.results)
def tables(results: Path) -> None:
    """Write the tables of RESULTS from its run records.

    They are RESULTS/tables/ and RESULTS/results.csv. Example: seqrec tables results/demo
    """
    from seqrec.report.tables import write_tables

    for path in write_tables(results):
        click.echo(path)


@click.command()
@click.argument("results", type=Folder(exists=True), shell_complete=completion.results)
def figures(results: Path) -> None:
    """Draw the figures of RESULTS.

    They go into RESULTS/figures/ and show its run records. Example: seqrec figures results/demo
    """
    from seqrec.report.figures import write_figures

    for path in write_figures(results):
        click.echo(path)


@click.command()
@click.argument("a", type=Folder(exists=True))
@click.argument("b", type=Folder(exists=True))
def compare(a: Path, b: Path) -> None:
    """Tell which differences are real.

    A and B are folders with run records, anywhere: a run's, a model's with its seeds, or an
    experiment's, of which what both have is compared. Printed are intervals over users and a paired
    test. Examples:

    \b
    seqrec compare results/paper/runs/ml-1m/sasrec+ results/paper/runs/ml-1m/bert4rec
    seqrec compare results/reference ~/colleague/results/paper
    """
    from seqrec.report.comparison import compare as find
    from seqrec.report.rendering import markdown
    from seqrec.report.tables import comparison_table

    click.echo(markdown(comparison_table(f"A: {a}, B: {b}", find(a, b))))
    for results in (a, b):
        tell_left_out(results)


def tell_left_out(results: Path) -> None:
    """Say which records cannot be read, as what was printed is without them."""
    from seqrec.records.survey import damaged_runs

    for damaged in damaged_runs(results):
        click.echo(f"{results}: left out: {damaged.reason}", err=True)


@click.command()
@click.argument("results", type=Folder(exists=True), shell_complete=completion.results)
def best(results: Path) -> None:
    """Choose among the models of RESULTS by validation.

    Of those with one network and kind of loss, on each dataset, the one with the best validation
    NDCG@10; with its test metrics, which have no say. Example: seqrec best results/rates
    """
    from seqrec.records.survey import read_records
    from seqrec.report.comparison import choose
    from seqrec.report.rendering import markdown
    from seqrec.report.tables import choice_table

    click.echo(markdown(choice_table(f"Best in {results}", choose(read_records(results)))))


@click.command()
@click.argument("results", type=Folder(exists=True), shell_complete=completion.results)
@click.argument("cutoffs", type=click.IntRange(min=1), nargs=-1, required=True)
def metrics(results: Path, cutoffs: tuple[int, ...]) -> None:
    """Print the test metrics of RESULTS at any CUTOFFS, as CSV.

    A line a finished run, from the ranks in its record: neither model nor data are needed.
    Example: seqrec metrics results/reference 1 5 20
    """
    from seqrec.records.survey import read_records
    from seqrec.report.tables import metrics_table

    click.echo(metrics_table(read_records(results), cutoffs).to_csv(index=False), nl=False)
    tell_left_out(results)


@click.command()
@click.argument("results", type=Folder(exists=True), shell_complete=completion.results)
def missing(results: Path) -> None:
    """List the runs that RESULTS lacks and why.

    Exits with 1 if there are any. Example: seqrec missing results/paper
    """
    from seqrec.records.survey import missing_runs

    found = missing_runs(results)
    for run, reason, remedy in found:
        shown = f"{reason} {remedy}" if remedy else reason
        click.echo(f"{run.dataset} {run.model} seed {run.seed}: {shown}", err=True)
    if found:
        missing = "1 run is" if len(found) == 1 else f"{len(found)} runs are"
        click.echo(f"{missing} missing from {results}.", err=True)
        sys.exit(1)
    click.echo(f"{results}: every run is there.")


@click.command()
@click.argument("results", type=Folder(), shell_complete=completion.results)
def stale(results: Path) -> None:
    """List the records in RESULTS that other code has made.

    Other training code than today's, that is. Printed is what the workflow makes for each, which
    names the run to Snakemake. Example, which trains them again:

    \b
    snakemake runs --config experiment=paper retrain=stale \\
      --forcerun $(seqrec stale results/paper)
    """
    from seqrec.records.survey import stale_records

    for path in stale_records(results):
        click.echo(path)


@click.command()
@click.argument("results", type=Folder(exists=True), shell_complete=completion.results)
@click.option("--replace", is_flag=True, help="Let records take the place of different ones.")
def promote(results: Path, replace: bool) -> None:
    """Copy the records of RESULTS into results/reference.

    Those that are finished, without weights. Example: seqrec promote results/paper
    """
    from seqrec.records.promote import promote as copy

    for path in copy(results, replace=replace):
        click.echo(path)

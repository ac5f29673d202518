"""Commands for run records: missing, stale, promote."""

import sys
from pathlib import Path

import click

from seqrec.cli.parameters import results_argument


@click.command()
@results_argument()
def missing(results: Path) -> None:
    """List the runs that RESULTS lacks, with reasons.

    Exits with 1 if there are any. Example: seqrec missing results/paper
    """
    from seqrec.records.survey import done_in_short, missing_in_short, survey

    found = survey(results)
    summary = done_in_short(results, len(found.records), len(found.runs))
    if not found.missing:
        click.echo(summary)
        return
    for line in [*missing_in_short(found), f"{summary}, {len(found.missing)} missing"]:
        click.echo(line, err=True)
    sys.exit(1)


@click.command()
@results_argument(exists=False)
def stale(results: Path) -> None:
    """List the records in RESULTS from other training code.

    These are the records that today's code would not reproduce. Prints the file by which the
    workflow knows each of their runs, to be passed to Snakemake. This example trains them again:

    \b
    snakemake runs --config experiment=paper retrain=stale \\
      --forcerun $(seqrec stale results/paper)
    """
    from seqrec.records.survey import stale_records

    for path in stale_records(results):
        click.echo(path)


@click.command()
@results_argument()
@click.option("--replace", is_flag=True, help="Replace records that differ.")
def promote(results: Path, replace: bool) -> None:
    """Copy the records of RESULTS into results/reference.

    Copies finished records, without weights. Only plain runs of the paper's experiment join the
    records there; every other experiment, search or comparison of splits gets a folder of its own,
    results/reference/NAME. Example: seqrec promote results/paper
    """
    from seqrec.records.promote import promote as copy

    for path in copy(results, replace=replace):
        click.echo(path)

"""Commands that report results: tables, figures, compare, best, metrics."""

from pathlib import Path

import click

from seqrec.cli.parameters import Folder, results_argument


@click.command()
@results_argument()
def tables(results: Path) -> None:
    """Write the tables of RESULTS from its run records.

    They go to RESULTS/tables/ and RESULTS/results.csv. Example: seqrec tables results/demo
    """
    from seqrec.report.tables import write_tables

    for path in write_tables(results):
        click.echo(path)


@click.command()
@results_argument()
def figures(results: Path) -> None:
    """Draw the figures of RESULTS from its run records.

    They go to RESULTS/figures/. Example: seqrec figures results/demo
    """
    from seqrec.report.figures import write_figures

    for path in write_figures(results):
        click.echo(path)


@click.command()
@click.argument("a", type=Folder(exists=True))
@click.argument("b", type=Folder(exists=True))
def compare(a: Path, b: Path) -> None:
    """Test whether the results A and B really differ.

    Prints confidence intervals over users and the paired test that the tables use, with the scatter
    between seeds of the experiments that A and B lie in. A and B are folders of run records
    anywhere: of a run, of a model with its seeds, or of an experiment. Two experiments are compared
    in what both contain. Examples:

    \b
    seqrec compare results/paper/runs/ml-1m/sasrec+ results/paper/runs/ml-1m/bert4rec
    seqrec compare results/reference ~/colleague/results/paper
    """
    from seqrec.report.comparison import compare as find
    from seqrec.report.rendering import text
    from seqrec.report.tables import comparison_table

    click.echo(text(comparison_table(f"A: {a}, B: {b}", find(a, b))))
    for results in (a, b):
        warn_of_damaged_records(results)


def warn_of_damaged_records(results: Path) -> None:
    """Name the records that the printed results leave out because they cannot be read."""
    from seqrec.records.survey import damaged_runs

    for damaged in damaged_runs(results):
        click.echo(f"{results}: left out: {damaged.reason}", err=True)


@click.command()
@results_argument()
def best(results: Path) -> None:
    """Choose among the models of RESULTS by validation.

    For each dataset, network and kind of loss, prints the model with the best validation NDCG@10.
    Its test metrics are shown but play no part in the choice. Example: seqrec best results/rates
    """
    from seqrec.records.survey import read_records
    from seqrec.report.choice import choose
    from seqrec.report.rendering import text
    from seqrec.report.tables import choice_table

    click.echo(text(choice_table(f"Best in {results}", choose(read_records(results)))))


@click.command()
@results_argument()
@click.argument("cutoffs", type=click.IntRange(min=1), nargs=-1, required=True)
def metrics(results: Path, cutoffs: tuple[int, ...]) -> None:
    """Print the test metrics of RESULTS at any CUTOFFS, as CSV.

    One line a finished run. Metrics follow from the recorded ranks, so neither the model nor the
    data are needed. Example: seqrec metrics results/reference 1 5 20
    """
    from seqrec.records.survey import read_records
    from seqrec.report.tables import metrics_table

    click.echo(metrics_table(read_records(results), cutoffs).to_csv(index=False), nl=False)
    warn_of_damaged_records(results)

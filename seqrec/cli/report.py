"""Commands that report results: summary, tables, figures, report, compare, best, metrics."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqrec.cli import completion
from seqrec.cli.parameters import Folder, results_argument

if TYPE_CHECKING:
    from seqrec.records.record import Record


class FolderOrCutoff(click.ParamType):
    """A whole number, which is a cutoff, or else a folder that exists."""

    name = "folder or cutoff"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> Path | int:
        if str(value).isdecimal():
            return click.IntRange(min=1).convert(value, parameter, context)
        return Path(Folder(exists=True).convert(value, parameter, context))


@click.command()
@results_argument()
def tables(results: Path) -> None:
    """Write the tables of RESULTS from its run records.

    They go to RESULTS/tables/ and RESULTS/results.csv. Example: seqrec tables results/demo
    """
    from seqrec.report.tables import write_tables

    say_what_was_written(write_tables(results))


@click.command()
@results_argument()
def figures(results: Path) -> None:
    """Draw the figures of RESULTS from its run records.

    They go to RESULTS/figures/. Example: seqrec figures results/demo
    """
    from seqrec.report.figures import write_figures

    say_what_was_written(write_figures(results))


@click.command()
@results_argument()
def report(results: Path) -> None:
    """Write a page of what RESULTS found.

    It shows all tables and charts, and goes to RESULTS/report.html: a single file that opens in any
    browser, needs no network, and can be mailed. RESULTS may be those of an experiment or of seqrec
    train. Example: seqrec report results/demo
    """
    from seqrec.report.page import write_page

    click.echo(write_page(results))


@click.command()
@results_argument()
def summary(results: Path) -> None:
    """Show what RESULTS found, and what to do next.

    That is a table, what stands out in it, where all else is, and commands to go on with.
    Fits a terminal of 80 columns. Example: seqrec summary results/demo
    """
    from seqrec.layout import CONFIG_FILES
    from seqrec.report.evidence import read_evidence
    from seqrec.report.summary import summary as lay_out
    from seqrec.report.summary import way_on
    from seqrec.running.display import terminal

    evidence = read_evidence(results, CONFIG_FILES)
    terminal().print(lay_out(results, evidence))
    if commands := way_on(results, evidence):
        click.echo(commands)


def say_what_was_written(paths: Sequence[Path]) -> None:
    """Name files in a few lines: those of one folder that differ in their endings in one word."""
    folders: dict[Path, dict[str, list[str]]] = {}
    for path in paths:
        folders.setdefault(path.parent, {}).setdefault(path.stem, []).append(path.suffix[1:])
    for folder, names in folders.items():
        forms: dict[str, list[str]] = {}
        for name, endings in names.items():
            forms.setdefault(", ".join(endings), []).append(name)
        for form, some in forms.items():
            click.echo(f"{folder}/: {', '.join(some)} ({form})")


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
@click.argument(
    "results",
    type=Folder(exists=True),
    nargs=-1,
    required=True,
    shell_complete=completion.results,
)
def best(results: tuple[Path, ...]) -> None:
    """Choose among the models of RESULTS by validation.

    For each dataset, network and kind of loss, prints the model with the best validation NDCG@10.
    Its test metrics are shown but play no part in the choice. RESULTS are folders of run records:
    experiments, models or single runs; of several, the best of all is chosen. Example:

    \b
    seqrec best results/rates
    """
    from seqrec.report.choice import choose
    from seqrec.report.rendering import text
    from seqrec.report.tables import choice_table

    title = f"Best in {', '.join(map(str, results))}"
    click.echo(text(choice_table(title, choose(read_all(results)))))


@click.command()
@click.argument(
    "results",
    type=FolderOrCutoff(),
    nargs=-1,
    required=True,
    metavar="RESULTS... CUTOFFS...",
    shell_complete=completion.results,
)
def metrics(results: tuple[Path | int, ...]) -> None:
    """Print the test metrics of RESULTS at any CUTOFFS, as CSV.

    One line for each finished run. Metrics follow from the recorded ranks, so neither the model nor
    the data are needed. RESULTS are folders of run records: experiments, models or single runs.
    Examples:

    \b
    seqrec metrics results/reference 1 5 20
    seqrec metrics results/paper/runs/ml-1m/sasrec results/paper/runs/ml-1m/sasrec+ 20
    """
    from seqrec.report.tables import metrics_table

    cutoffs = [one for one in results if isinstance(one, int)]
    folders = [one for one in results if isinstance(one, Path)]
    if not (cutoffs and folders):
        raise click.UsageError("Name folders, then cutoffs, as in results/reference 1 5 20.")
    click.echo(metrics_table(read_all(folders), cutoffs).to_csv(index=False), nl=False)
    for folder in folders:
        warn_of_damaged_records(folder)


def read_all(folders: Iterable[Path]) -> "list[Record]":
    """Read the finished records in some folders, each once; see `records_in`."""
    from seqrec.records.survey import records_in

    found = [record for folder in folders for record in records_in(folder)]
    return list({record.folder.resolve(): record for record in found}.values())

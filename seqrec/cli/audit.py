"""The command that audits a dataset."""

from pathlib import Path

import click

from seqrec.cli import completion
from seqrec.cli.parameters import Folder, dataset_argument, device_option, trust_option


@click.command()
@dataset_argument
@click.option(
    "--run",
    type=Folder(),
    shell_complete=completion.runs,
    help="Also test the model of this finished run on shuffled histories.",
)
@trust_option
@device_option
def audit(dataset: str, run: Path | None, trust: bool, device: str) -> None:
    """Say what the numbers of DATASET mean for results on it.

    Long tails, repeats, ties in time, what leave-one-out leaks, how popularity drifts, and whether
    histories are sequential at all. The page and its numbers go to audit.html and audit.json in
    data/processed/DATASET/. Examples:

    \b
    seqrec audit ml-1m
    seqrec audit ml-1m --run results/paper/runs/ml-1m/sasrec+/seed-0
    """
    from seqrec.audit.audit import audit_log, earlier_shuffling, write_audit
    from seqrec.audit.meaning import verdicts
    from seqrec.data.interactions import Interactions
    from seqrec.report.page.audit import write_audit_page
    from seqrec.running.logs import up_to_date_log

    files = up_to_date_log(dataset)
    log = Interactions.load(files.folder)
    if run is None:
        shuffling = earlier_shuffling(log)
    else:
        from seqrec.running.shuffling import measure_shuffling

        shuffling = measure_shuffling(run, dataset, files.folder, device, trust)
    found = audit_log(dataset, log, shuffling)
    write_audit(files, found)
    write_audit_page(files.audit_page, found)
    for line in verdicts(found):
        click.echo(line)
    click.echo(files.audit_page)

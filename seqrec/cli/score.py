"""The command that judges the predictions of another library: score."""

from pathlib import Path

import click

from seqrec.cli.parameters import File, dataset_argument, settings_argument
from seqrec.cli.training import OWN_NAME
from seqrec.errors import SeqrecError


@click.command()
@dataset_argument
@click.argument("predictions", type=File(exists=True))
@settings_argument
@click.option("--model", required=True, help="Name of the model in tables and figures.")
@click.option("--name", help="Results to join.  [default: those of seqrec train]")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Which of several trainings of the model this is.",
)
@click.option(
    "--validation", type=File(exists=True), help="Predictions for the validation users, as well."
)
def score(
    dataset: str,
    predictions: Path,
    settings: tuple[str, ...],
    model: str,
    name: str | None,
    seed: int,
    validation: Path | None,
) -> None:
    """Judge the PREDICTIONS of another library on DATASET.

    PREDICTIONS is a CSV or Parquet file with the columns user, item, and score or rank: a list for
    each test user, of at least ten items or of all, by original ids and without seen items. Writes
    a run record, so that the model stands in tables, figures and tests beside those of seqrec.
    SETTINGS are those of the split; where the results have several, DATASET names one, as in
    ml-100k@temporal. `seqrec split --write` makes files to train on. Examples:

    \b
    seqrec score ml-100k top100.parquet --model rectools-sasrec
    seqrec score ml-100k top100.csv split.kind=global-temporal --model als --name temporal
    """
    from seqrec.experiment.schema import RunSplit
    from seqrec.experiment.settings import require_results_name, split_rule
    from seqrec.layout import ResultFiles, Run
    from seqrec.protocol.metrics import STOPPING_METRIC
    from seqrec.running.judging import judge
    from seqrec.running.logs import up_to_date_log
    from seqrec.typed_yaml import require_name

    run = Run(dataset, model, seed)
    require_name(model, "model name")
    if run.split is not None:
        require_name(run.split, "name of a split")
    results = ResultFiles.of(name or OWN_NAME)
    if name:
        require_results_name(name)
    if run.split is not None and not settings:
        raise SeqrecError(
            f"score {run.task}: the name alone does not say what the split is. Give its settings, "
            "as in split.kind=global-temporal or split.kind=leave-one-out."
        )
    rule = RunSplit(name=run.split, **split_rule(settings).written())
    log = up_to_date_log(run.dataset)
    judged = judge(run, rule, log.folder, results.folder, predictions, validation)
    record, lists = judged.record, judged.lists
    if lists.shorter:
        click.echo(
            f"{predictions}: {lists.shorter:,} of {len(lists.lengths):,} lists are shorter than "
            f"the longest, {lists.length}; targets that they lack are misses.",
            err=True,
        )
    click.echo(
        f"{record.folder}: test NDCG@10 {record.test[STOPPING_METRIC]:.4f}, "
        f"HitRate@10 {record.test['hit_rate@10']:.4f}, trained elsewhere"
    )

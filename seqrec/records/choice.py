"""Choose among trials by validation alone, and configure the runs of what was chosen."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from seqrec.errors import SeqrecError
from seqrec.experiment.schema import RunConfig
from seqrec.experiment.variants import untuned_name
from seqrec.layout import ResultFiles, Run
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records.grid_file import GridFile
from seqrec.records.record import Record
from seqrec.records.survey import grouped, survey
from seqrec.typed_yaml import check_values
from seqrec.wording import counted


def validation(seeds: Sequence[Record]) -> float:
    """Average the validation metric of a setting over its seeds."""
    return fmean(record.validation[STOPPING_METRIC] for record in seeds)


def best_by_validation(settings: Iterable[Sequence[Record]]) -> Sequence[Record]:
    """Choose the setting with the best validation; of equal ones, the first.

    The test plays no part: the best of many on the test set would owe that to luck, too.
    """
    return max(settings, key=validation)


def same_but_name(one: Record, other: Record) -> bool:
    """Whether two records are of one setting, under whatever names and seeds."""
    apart = ("model", "seed")
    first, second = (
        {key: value for key, value in record.config.items() if key not in apart}
        for record in (one, other)
    )
    return first == second


def choose(results: Path, run: Run) -> RunConfig:
    """Configure a run of the setting that the trials of its model choose.

    Raises `SeqrecError` while a trial has no record of the setting that is asked for, and for a run
    that is of no search.
    """
    grid, found = GridFile.read(results), survey(results)
    base = untuned_name(run.model)
    trials = {
        asked: config_hash
        for asked, config_hash in grid.wanted().items()
        if asked.task == run.task and grid.trials.get(asked.model) == base
    }
    if not trials or run not in grid.wanted():
        raise SeqrecError(f"{results}: {run.title} is no run of a setting that a search chooses.")
    finished = [record for record in found.records if trials.get(record.run) == record.config_hash]
    if missing := [asked for asked in trials if asked not in {one.run for one in finished}]:
        names = ", ".join(asked.title for asked in missing[:3])
        names += ", ..." if len(missing) > 3 else ""
        raise SeqrecError(
            f"{ResultFiles(results).grid}: {counted(len(missing), 'trial')} of {base} on "
            f"{run.task} still to finish ({names}). `seqrec missing {results}` says why."
        )
    best = best_by_validation(grouped(finished, lambda record: record.model).values())[0]
    return check_values(
        RunConfig, best.config | {"model": run.model, "seed": run.seed}, str(best.files.metrics)
    )

"""Choose among the settings of a network, or among the trials of a search, by validation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seqrec.experiment.naming import dataset_order
from seqrec.experiment.variants import tuned_name
from seqrec.records.choice import best_by_validation, same_but_name
from seqrec.records.record import Record
from seqrec.records.survey import Survey, grouped
from seqrec.report.experiments import Experiments
from seqrec.report.settings import differing_settings


class Choice(NamedTuple):
    """The best model of one network and kind of loss on one dataset, or the best trial."""

    records: list[Record]
    """Its seeds."""
    candidates: int
    """How many models it was chosen from."""
    settings: dict[str, Any]
    """Its settings that vary among the candidates."""
    tested: list[Record]
    """The runs whose test metrics are shown: of a search that asks for new seeds, those."""
    title: str
    """What tables call it."""
    is_trial: bool
    """Whether it is a trial of a search."""


def choose(records: Sequence[Record]) -> list[Choice]:
    """Choose the best trial of each model, and the best model of each network and kind of loss.

    That is on each dataset, and by validation alone, averaged over seeds: the best of many on the
    test set would owe that to luck, too. Models of one name in several experiments are several
    models. A search's runs with new seeds are no candidates, and neither are predictions of another
    library, whose settings are unknown.
    """
    experiments, chosen = Experiments(), []
    records = [record for record in records if record.predictions is None]
    tuned, others = _split_off_tuned(records, experiments)
    for candidates in grouped(others, lambda one: _rivals(one, experiments.of(one))).values():
        settings = dict(
            zip((r.folder for r in candidates), differing_settings(candidates), strict=True)
        )
        models = grouped(candidates, _folder_of_model).values()
        best = [*best_by_validation(models)]
        first, found = best[0], experiments.of(best[0])
        tested, title = best, experiments.title(first)
        base = found.trials.get(first.model) if found else None
        if found and base:
            title = f"{found.title(base)} {first.model.removeprefix(base + '.')}"
            if any(run[:2] == (first.task, tuned_name(base)) for run in found.runs):
                rerun = tuned.get((first.folder.parents[1], tuned_name(base)), [])
                tested = [one for one in rerun if same_but_name(one, first)]
        chosen.append(Choice(best, len(models), settings[first.folder], tested, title, bool(base)))
    return sorted(chosen, key=lambda one: dataset_order(one.records[0].task))


def _split_off_tuned(
    records: Sequence[Record], experiments: Experiments
) -> tuple[dict[tuple[Path, str], list[Record]], list[Record]]:
    """Set the runs of chosen settings apart, by the folder of their task and their model."""
    tuned: list[Record] = []
    others: list[Record] = []
    for record in records:
        found = experiments.of(record)
        bases = found.trials.values() if found else ()
        is_tuned = record.model in {tuned_name(base) for base in bases}
        (tuned if is_tuned else others).append(record)
    return grouped(tuned, lambda one: (one.folder.parents[1], one.model)), others


def _rivals(record: Record, found: Survey | None) -> tuple[object, ...]:
    """Return what a record shares with those that it competes with."""
    base = found.trials.get(record.model) if found else None
    if base:
        return record.data.sha256, record.task, base
    config = record.known_config
    return record.data.sha256, record.task, config.implementation, config.loss_kind


def _folder_of_model(record: Record) -> Path:
    return record.folder.parent

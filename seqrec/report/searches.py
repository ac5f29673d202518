"""Searches as their records show them: the trials, what they choose, and what is shown of them.

The test metrics of a trial that was not chosen are of no table or figure about models.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from seqrec.experiment.variants import tuned_name
from seqrec.records.choice import best_by_validation, same_but_name, validation
from seqrec.records.record import Record
from seqrec.records.survey import Survey, grouped
from seqrec.report.measured import measure
from seqrec.report.settings import differing_settings


class Trial(NamedTuple):
    """A trial that has finished, with all of its seeds."""

    name: str
    """The model's name."""
    records: Sequence[Record]

    @property
    def number(self) -> str:
        """The trial's part of its name, such as `t03`."""
        return self.name.rpartition(".")[2]

    @property
    def validation(self) -> float:
        """The metric by which the choice is made, averaged over seeds."""
        return validation(self.records)

    @property
    def seconds(self) -> float:
        """How long its trainings took in all."""
        return sum(record.training_seconds for record in self.records)

    def test(self, metric: str) -> float:
        """Mean of a test metric over users and seeds."""
        return measure(self.records, [metric]).mean(metric)


@dataclass(frozen=True)
class ModelSearch:
    """The search of one model on one task."""

    task: str
    base: str
    """The model, as the experiment's file names it."""
    asked: int
    """How many trials there are to be."""
    trials: Sequence[Trial]
    """Those that have finished, in their order."""
    tuned: Sequence[Record]
    """Runs of the chosen setting with new seeds."""
    is_reseeded: bool
    """Whether the experiment asks for such runs."""

    @cached_property
    def chosen(self) -> Trial | None:
        """The trial with the best validation; None while none has finished."""
        if not self.trials:
            return None
        best = best_by_validation([trial.records for trial in self.trials])
        return next(trial for trial in self.trials if trial.records is best)

    @cached_property
    def settings(self) -> Mapping[str, Mapping[str, Any]]:
        """The settings that vary among the trials, of each."""
        first = [trial.records[0] for trial in self.trials]
        return {
            trial.name: settings
            for trial, settings in zip(self.trials, differing_settings(first), strict=True)
        }

    @property
    def reported(self) -> Sequence[Record]:
        """The records that stand for the tuned model: those with new seeds where there are any."""
        if self.is_reseeded:
            return self.tuned
        return self.chosen.records if self.chosen else []

    @property
    def outdated(self) -> list[Record]:
        """Runs with new seeds of another setting than the one that is chosen now."""
        best = self.chosen
        return [one for one in self.tuned if best and not same_but_name(one, best.records[0])]


def searches(found: Survey) -> list[ModelSearch]:
    """Collect the searches of an experiment, by task and model in their order."""
    asked = grouped(
        (run for run in found.runs if run.model in found.trials),
        lambda run: (run.task, found.trials[run.model]),
    )
    finished = grouped(found.records, lambda record: (record.task, record.model))
    every = {(run.task, run.model) for run in found.runs}
    made = []
    for (task, base), runs in asked.items():
        names = dict.fromkeys(run.model for run in runs)
        trials = [Trial(name, finished[task, name]) for name in names if (task, name) in finished]
        tuned = task, tuned_name(base)
        made.append(
            ModelSearch(
                task, base, len(names), trials, finished.get(tuned, []), is_reseeded=tuned in every
            )
        )
    return made


def with_tuned_models_alone(found: Survey, made: Iterable[ModelSearch]) -> Survey:
    """Leave out the trials, but for the chosen ones that no runs with new seeds stand for."""
    shown = {
        (search.task, search.chosen.name if search.chosen else f"{search.base}.t00")
        for search in made
        if not search.is_reseeded
    }
    outdated = {record.run for search in made for record in search.outdated}

    def is_shown(task: str, model: str) -> bool:
        return model not in found.trials or (task, model) in shown

    return replace(
        found,
        records=[one for one in found.records if is_shown(one.task, one.model)],
        missing=[one for one in found.missing if is_shown(one.run.task, one.run.model)],
        outdated=found.outdated | outdated,
    )

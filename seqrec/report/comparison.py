"""Compare two runs, models or experiments, wherever they lie.

The test is that of an experiment's tables: two runs of one experiment are judged by how much all of
its models of their kind scatter between seeds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from seqrec.errors import SeqrecError
from seqrec.experiment.settings import flat_settings
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records.record import Record
from seqrec.records.survey import (
    Survey,
    grouped,
    records_in,
    task_and_model,
)
from seqrec.report.differences import of_unknown_scatter, scatters, share
from seqrec.report.experiments import Experiments
from seqrec.report.inference import Difference, Scatter, difference, holm
from seqrec.report.measured import (
    Measured,
    measure,
    measure_dataset,
    require_same_users,
    without_misfits,
    without_short_lists,
)


class Overlap(StrEnum):
    """In which way two sides of a comparison are not two independent results."""

    SAME = "A and B are the same records"
    SHARED = "A and B have records in common"
    COPIES = "A and B rank every test target alike: copies, or trainings that were repeated"


@dataclass(frozen=True)
class Side:
    """A model on a dataset, among the models of the experiment that it belongs to."""

    measured: Measured
    experiment: Mapping[str, Measured]
    """By name: the models of this dataset and log, or this one alone outside of an experiment."""
    title: str
    """What the experiment calls the model."""

    @property
    def model(self) -> str:
        return self.measured.records[0].model

    @property
    def scatter_is_known(self) -> bool:
        """Whether the experiment shows how much this model scatters between seeds."""
        return self.model not in of_unknown_scatter(self.experiment)

    def scatter(self, metric: str, least: float) -> Scatter:
        """How much this model scatters, in a test whose worse model has the mean `least`."""
        return scatters(self.experiment, metric).of(self.model, least)


@dataclass(frozen=True)
class Comparison:
    """One metric of one model on one dataset in each of two places."""

    sides: tuple[Side, Side]
    metric: str
    difference: Difference
    """The first minus the second."""
    p: float
    """Corrected by Holm's method over everything compared."""

    @property
    def relative(self) -> float:
        """The difference as a share of the second side's value; NaN if that is 0."""
        return share(self.difference.value, self.other.mean(self.metric))

    @property
    def one(self) -> Measured:
        return self.sides[0].measured

    @property
    def other(self) -> Measured:
        return self.sides[1].measured

    def settings_that_differ(self) -> list[str]:
        """List where the two configurations differ; nothing if they are of different models."""
        ours, theirs = (flat_settings(side.records[0].config) for side in (self.one, self.other))
        if ours["model"] != theirs["model"]:
            return []
        keys = [key for key in {**ours, **theirs} if key != "seed"]
        return [
            f"{key} {ours.get(key, 'unset')} and {theirs.get(key, 'unset')}"
            for key in keys
            if ours.get(key) != theirs.get(key)
        ]

    def overlap(self) -> Overlap | None:
        """Tell whether the two sides are the same records, or copies; None if they are neither."""
        ours, theirs = (
            {record.folder.resolve() for record in side.records} for side in (self.one, self.other)
        )
        if ours == theirs:
            return Overlap.SAME
        if ours & theirs:
            return Overlap.SHARED
        if len(ours) == len(theirs) and all(
            np.array_equal(a.ranks(), b.ranks())
            for a, b in zip(self.one.records, self.other.records, strict=True)
        ):
            return Overlap.COPIES
        return None


def compare(one: Path, other: Path) -> list[Comparison]:
    """Compare what two folders hold; see `records_in`.

    Two runs or models of one dataset are compared whatever their models are; experiments are
    compared in what both have finished. The metrics are those that the experiments show. Raises
    `SeqrecError` if a folder holds no finished run, if they have none in common, or if their users
    differ.
    """
    compared = []
    measuring = _Sides()
    for ours, theirs in _matched(one, other):
        require_same_users([ours[0], *theirs])
        metrics = measuring.experiments.shown([ours[0], theirs[0]])
        sides = measuring.side(ours, metrics), measuring.side(theirs, metrics)
        for metric in metrics:
            a, b = (side.measured.scores[metric] for side in sides)
            least = min(a.mean, b.mean)
            tested = difference(a, b, [side.scatter(metric, least) for side in sides])
            compared.append((sides, metric, tested))
    adjusted = holm([tested.p for *_, tested in compared])
    return [Comparison(*row, p) for row, p in zip(compared, adjusted, strict=True)]


class _Sides:
    """Measures sides, each of an experiment's models once."""

    def __init__(self) -> None:
        self.experiments = Experiments()
        self._models: dict[tuple[object, ...], Mapping[str, Measured]] = {}

    def side(self, records: list[Record], metrics: Sequence[str]) -> Side:
        """Measure a model from its records, and find the models that it may scatter like."""
        first = records[0]
        metrics = list(dict.fromkeys([*metrics, STOPPING_METRIC]))
        measured = measure(records, metrics)
        models = {first.model: measured}
        if found := self.experiments.of(first):
            key = id(found), first.task, first.data.sha256, *metrics
            if key not in self._models:
                self._models[key] = _with_several_seeds(found, first, metrics)
            models |= self._models[key]
        return Side(measured, models, self.experiments.title(first))


def _with_several_seeds(
    found: Survey, like: Record, metrics: Sequence[str]
) -> Mapping[str, Measured]:
    """Measure the models with several seeds on the data of a record."""
    of_data = like.task, like.data.sha256
    records = [r for r in found.records if (r.task, r.data.sha256) == of_data]
    of_model = grouped(records, task_and_model)
    several = [r for r in records if len(of_model[task_and_model(r)]) > 1]
    fitting = without_misfits(replace(found, records=several))
    kept = without_short_lists(fitting, metrics).records
    return measure_dataset(kept, like.task, metrics)


def _matched(one: Path, other: Path) -> list[tuple[list[Record], list[Record]]]:
    """Pair the models of two folders."""
    ours, theirs = (grouped(records_in(path), task_and_model) for path in (one, other))
    if len(ours) == len(theirs) == 1 and _datasets(ours) == _datasets(theirs):
        return list(zip(ours.values(), theirs.values(), strict=True))
    matched = [(ours[key], theirs[key]) for key in ours if key in theirs]
    if not matched:
        has = [
            ", ".join(f"{dataset} {model}" for dataset, model in side) for side in (ours, theirs)
        ]
        raise SeqrecError(
            f"{one} and {other}: have no finished run in common. The first has {has[0]}; the "
            f"second has {has[1]}."
        )
    return matched


def _datasets(models: Iterable[tuple[str, str]]) -> set[str]:
    return {dataset for dataset, _ in models}

"""Compare two runs or experiments, and choose among settings by validation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from seqrec.errors import SeqrecError
from seqrec.experiment.naming import run_order
from seqrec.records.record import Record, Run, read_record
from seqrec.records.survey import dataset_and_model, grouped, survey
from seqrec.report.differences import scatters
from seqrec.report.inference import Difference, difference, holm
from seqrec.report.measured import METRICS, QUALITY, Measured, measure, require_same_users


class Choice(NamedTuple):
    """Of the models of one network and loss on one dataset, the one to take."""

    records: list[Record]
    """Its seeds."""
    models: int
    """How many it was chosen from."""
    settings: dict[str, Any]
    """Its own in what these differ."""


def choose(records: Sequence[Record]) -> list[Choice]:
    """By the validation alone, averaged over seeds: the best of many on the test would be so by
    luck, too."""
    chosen = []
    for family in grouped(records, _data_network_and_loss).values():
        settings = dict(zip((r.run for r in family), differing_settings(family), strict=True))
        models = grouped(family, dataset_and_model).values()
        best = max(models, key=lambda seeds: fmean(r.validation[QUALITY] for r in seeds))
        chosen.append(Choice(best, len(models), settings[best[0].run]))
    return sorted(chosen, key=lambda one: run_order(*one.records[0].run))


def _data_network_and_loss(record: Record) -> tuple[object, ...]:
    loss = record.config.get("loss") or {}
    return record.data.sha256, record.config.get("implementation"), loss.get("kind")


def differing_settings(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Of each record, those settings that are not the same in all; nested ones as in
    `training.learning_rate`."""
    configs = [flat_settings(record.config) for record in records]
    names = dict.fromkeys(name for config in configs for name in config if name not in Run._fields)
    differ = [name for name in names if any(c.get(name) != configs[0].get(name) for c in configs)]
    return [{name: config.get(name) for name in differ} for config in configs]


@dataclass(frozen=True)
class Comparison:
    """One model on one dataset in each of two places, in one metric."""

    one: Measured
    other: Measured
    metric: str
    difference: Difference
    """`one` minus `other`."""
    p: float
    """Corrected by Holm's method over everything compared."""

    def settings_that_differ(self) -> list[str]:
        """Of the resolved configurations, where both sides are the same model."""
        ours, theirs = (flat_settings(side.records[0].config) for side in (self.one, self.other))
        if ours["model"] != theirs["model"]:
            return []
        keys = [key for key in {**ours, **theirs} if key != "seed"]
        return [
            f"{key} {ours.get(key, 'unset')} and {theirs.get(key, 'unset')}"
            for key in keys
            if ours.get(key) != theirs.get(key)
        ]


def compare(one: Path, other: Path) -> list[Comparison]:
    """Two runs, models or experiments, wherever they lie.

    A run is a folder with `metrics.json`, a model one of `seed-<n>` folders, an experiment one with
    `runs/`. Two runs or models of one dataset are compared whatever their models are; experiments
    are compared in what both have finished.
    """
    sides = [_models_in(one), _models_in(other)]
    if len(sides[0]) == len(sides[1]) == 1 and _datasets(sides[0]) == _datasets(sides[1]):
        matched = [(*sides[0].values(), *sides[1].values())]
    else:
        matched = [(sides[0][key], sides[1][key]) for key in sides[0] if key in sides[1]]
    if not matched:
        has = [", ".join(f"{dataset} {model}" for dataset, model in side) for side in sides]
        raise SeqrecError(
            f"{one} and {other}: have no finished run in common. The first has {has[0]}; the "
            f"second has {has[1]}."
        )
    compared = []
    for ours, theirs in matched:
        require_same_users([ours[0], *theirs])
        one_side, other_side = measure(ours), measure(theirs)
        for metric in METRICS:
            tested = difference(
                one_side.scores[metric],
                other_side.scores[metric],
                list(scatters({"one": one_side, "other": other_side}, metric).values()),
            )
            compared.append((one_side, other_side, metric, tested))
    adjusted = holm([tested.p for *_, tested in compared])
    return [Comparison(*row, p) for row, p in zip(compared, adjusted, strict=True)]


def _models_in(path: Path) -> dict[tuple[str, str], list[Record]]:
    """The finished records in a folder, by dataset and model."""
    if (path / "metrics.json").is_file():
        records = [read_record(path)]
    elif (path / "runs").is_dir():
        records = survey(path).records
    else:
        records = [read_record(file.parent) for file in sorted(path.glob("seed-*/metrics.json"))]
    if not records:
        raise SeqrecError(
            f"{path}: holds no finished run. Name a run's folder (with metrics.json), a model's "
            "(with seed-0, ...) or an experiment's (with runs/)."
        )
    found = grouped(records, dataset_and_model)
    return {key: found[key] for key in sorted(found, key=lambda key: run_order(*key))}


def _datasets(models: Mapping[tuple[str, str], object]) -> set[str]:
    return {dataset for dataset, _ in models}


def flat_settings(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as `training.learning_rate: 0.001`."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        flat |= flat_settings(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat

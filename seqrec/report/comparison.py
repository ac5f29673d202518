"""Compare two runs, models or experiments, wherever they lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from seqrec.errors import SeqrecError
from seqrec.experiment.naming import run_order
from seqrec.layout import ResultFiles, RunFiles
from seqrec.protocol.metrics import REPORTED_METRICS
from seqrec.records.record import Record, read_record
from seqrec.records.survey import dataset_and_model, grouped, survey
from seqrec.report.differences import scatters
from seqrec.report.inference import Difference, difference, holm
from seqrec.report.measured import Measured, measure, require_same_users
from seqrec.report.settings import flat_settings

Models: TypeAlias = Mapping[tuple[str, str], list[Record]]
"""The seeds of each model, by dataset and model."""


@dataclass(frozen=True)
class Comparison:
    """One metric of one model on one dataset in each of two places."""

    one: Measured
    other: Measured
    metric: str
    difference: Difference
    """`one` minus `other`."""
    p: float
    """Corrected by Holm's method over everything compared."""

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


def compare(one: Path, other: Path) -> list[Comparison]:
    """Compare what two folders hold.

    The folder of a run holds `metrics.json`, that of a model `seed-<n>` folders, and that of an
    experiment `runs/`. Two runs or models of one dataset are compared whatever their models are;
    experiments are compared in what both have finished. Raises `SeqrecError` if a folder holds no
    finished run, if they have none in common, or if their users differ.
    """
    compared = []
    for ours, theirs in _matched(one, other):
        require_same_users([ours[0], *theirs])
        sides = measure(ours), measure(theirs)
        for metric in REPORTED_METRICS:
            scatter = list(scatters({"one": sides[0], "other": sides[1]}, metric).values())
            tested = difference(sides[0].scores[metric], sides[1].scores[metric], scatter)
            compared.append((*sides, metric, tested))
    adjusted = holm([tested.p for *_, tested in compared])
    return [Comparison(*row, p) for row, p in zip(compared, adjusted, strict=True)]


def _matched(one: Path, other: Path) -> list[tuple[list[Record], list[Record]]]:
    """Pair the models of two folders."""
    ours, theirs = _models_in(one), _models_in(other)
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


def _models_in(path: Path) -> Models:
    """Read the finished records in a folder."""
    if RunFiles(path).metrics.is_file():
        records = [read_record(path)]
    elif ResultFiles(path).runs.is_dir():
        records = survey(path).records
    else:
        folders = sorted(path.glob("seed-*"))
        records = [read_record(folder) for folder in folders if RunFiles(folder).metrics.is_file()]
    if not records:
        raise SeqrecError(
            f"{path}: holds no finished run. Name a run's folder (with metrics.json), a model's "
            "(with seed-0, ...) or an experiment's (with runs/)."
        )
    found = grouped(records, dataset_and_model)
    return {key: found[key] for key in sorted(found, key=lambda key: run_order(*key))}


def _datasets(models: Models) -> set[str]:
    return {dataset for dataset, _ in models}

"""An experiment as its folder shows it: which runs have finished, and why others have not."""

import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, NonNegativeInt

from seqrec.errors import SeqrecError
from seqrec.records.fingerprint import is_current, training_code_fingerprint
from seqrec.records.json_files import read_json, sentence
from seqrec.records.record import (
    Record,
    Run,
    delete_hint,
    failure_in,
    place_of,
    read_failure,
    read_record,
    run_of,
)
from seqrec.typed_yaml import Name, check_values

NEVER_STARTED = "not run."
"""The reason why a run that nobody has started is missing."""


class Missing(NamedTuple):
    """A run without a finished record, why, and what to do about it."""

    run: Run
    reason: str
    remedy: str


@dataclass(frozen=True)
class Survey:
    """An experiment as its folder shows it: every run it wants is finished or missing."""

    records: list[Record]
    missing: list[Missing]
    outdated: set[Run]
    """Finished runs whose configuration is not what the experiment asks for, or differs in more
    than the seed from that of the same model's other runs."""
    stale: set[Run]
    """Finished runs that other training code than today's has made, or another version of an own
    model's file."""
    other_settings: dict[Run, list[str]] = field(default_factory=dict)
    """Finished runs by a name of the paper that are not what it stands for, and in which settings.
    Tables fill it in, by `evidence.other_settings`."""

    @property
    def runs(self) -> list[Run]:
        return sorted(
            [record.run for record in self.records] + [missing.run for missing in self.missing]
        )


class _GridRun(BaseModel):
    """A line of somebody's grid: its names become those of files, so they reach no other folder."""

    dataset: Name
    model: Name
    seed: NonNegativeInt
    config_hash: str | None = None


class _Grid(BaseModel):
    settings: list[str] = []
    runs: list[_GridRun]


Item = TypeVar("Item")


Key = TypeVar("Key", bound=Hashable)


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """The items of each key, both in the order in which they come."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def dataset_and_model(record: Record) -> tuple[str, str]:
    """What the seeds of one model have in common."""
    return record.dataset, record.model


def holds_experiment(results: Path) -> bool:
    """Whether the folder is that of an experiment that has been begun."""
    return (results / "grid.json").is_file() or any(folders_of_runs(results))


def survey(results: Path) -> Survey:
    """Everything known about an experiment's runs; one damaged record does not hide the others."""
    if not results.is_dir():
        raise SeqrecError(
            f"{results}: no such folder. Name an experiment that has been run, as in "
            "results/paper; `snakemake` with its configuration makes it."
        )
    if not holds_experiment(results):
        raise SeqrecError(
            f"{results}: holds no experiment: neither grid.json nor runs/. Name one, as in "
            "results/paper."
        )
    records = []
    missing = []
    wanted = read_grid(results / "grid.json")
    for folder in folders_of_runs(results):
        run = run_of(folder)
        if (folder / "metrics.json").is_file():
            try:
                records.append(read_record(folder))
            except SeqrecError as error:
                # Relative to the experiment, so that its tables are the same wherever it lies.
                reason = str(error).removesuffix(delete_hint(folder)).replace(f"{results}/", "")
                missing.append(Missing(run, sentence(reason), delete_hint(folder, results)))
        elif failure := failure_in(folder):
            missing.append(Missing(run, *failure))
    known = {record.run for record in records} | {run for run, *_ in missing}
    for run in wanted.keys() - known:
        data_failure = results / "data-failures" / f"{run.dataset}.json"
        if data_failure.is_file():
            missing.append(Missing(run, *read_failure(data_failure)))
        else:
            missing.append(Missing(run, NEVER_STARTED, "Run the experiment again."))
    outdated = {
        record.run for record in records if wanted.get(record.run) not in (None, record.config_hash)
    }
    for group in grouped(records, dataset_and_model).values():
        asked = [r.settings for r in group if wanted.get(r.run) == r.config_hash]
        outdated |= {r.run for r in group if r.settings not in (asked or [group[0].settings])}
    code = training_code_fingerprint()
    stale = {record.run for record in records if not is_current(record, code)}
    return Survey(sorted(records, key=lambda record: record.run), sorted(missing), outdated, stale)


def promoted_datasets(reference: Path = Path("results/reference")) -> list[str]:
    """The datasets of promoted records, which have no experiment to name them."""
    return sorted({run.dataset for run in read_grid(reference / "grid.json")})


def settings_of(results: Path) -> list[str]:
    """The `key=value` settings that an experiment of a name of its own was last made with."""
    path = results / "grid.json"
    return check_values(_Grid, read_json(path), str(path)).settings if path.is_file() else []


def read_records(results: Path) -> list[Record]:
    """The finished, readable records of an experiment by dataset, model and seed."""
    return survey(results).records


def missing_runs(results: Path) -> list[Missing]:
    """The runs that the experiment wants and that have no readable record, with reasons."""
    return survey(results).missing


def damaged_runs(results: Path) -> list[Missing]:
    """The runs of an experiment that have a record which cannot be read."""
    if not holds_experiment(results):
        return []
    return [
        missing
        for missing in missing_runs(results)
        if (results / "runs" / place_of(missing.run) / "metrics.json").is_file()
    ]


def is_finished(folder: Path, config_hash: str, data: Path, any_code: bool) -> bool:
    """Whether `folder` holds a record of this configuration and of the log in `data`.

    With `any_code` false, a record that other training code than today's has made does not count.
    """
    try:
        record = read_record(folder)
        digest = read_json(data / "digest.json")["sha256"]
    except (SeqrecError, KeyError, OSError, ValueError):
        return False
    same_run = (record.config_hash, record.data.sha256) == (config_hash, digest)
    return same_run and (any_code or is_current(record, training_code_fingerprint()))


def stale_records(results: Path) -> list[Path]:
    """The `.success` of every record that other training code than today's has made: what the
    workflow makes for each run. Where there is a grid, among the runs that it asks for: the
    workflow knows no others."""
    found = survey(results)
    wanted = read_grid(results / "grid.json") or found.stale
    stale = found.stale.intersection(wanted)
    return [record.folder / ".success" for record in found.records if record.run in stale]


def folders_of_runs(results: Path) -> Iterator[Path]:
    """What lies in `runs/` by the name of a run; not a copy that somebody made beside it."""
    folders = sorted(results.glob("runs/*/*/seed-*"))
    return (folder for folder in folders if re.fullmatch(r"seed-(0|[1-9]\d*)", folder.name))


def read_grid(path: Path) -> dict[Run, str | None]:
    """The runs that are wanted, with the hash of their configuration where the grid names it."""
    if not path.is_file():
        return {}
    grid = check_values(_Grid, read_json(path), str(path))
    return {Run(run.dataset, run.model, run.seed): run.config_hash for run in grid.runs}

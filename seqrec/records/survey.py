"""An experiment as its folder shows it: which runs have finished, and why others have not."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from seqrec.errors import SeqrecError
from seqrec.experiment.naming import dataset_order, model_order, model_title
from seqrec.experiment.schema import Report
from seqrec.json_files import read_json
from seqrec.layout import LogFiles, ResultFiles, Run, RunFiles
from seqrec.records.errors import DamagedRecord, UnusableRecord
from seqrec.records.failure import RUN_AGAIN, failure_in, read_failure, sentence
from seqrec.records.fingerprint import is_stale, training_code_fingerprint
from seqrec.records.grid_file import GridFile
from seqrec.records.reading import has_record, read_record
from seqrec.records.record import Record
from seqrec.wording import counted

NEVER_STARTED = "not run."
"""The reason why a run that nobody has started is missing."""
PROMOTE = "Train it in an experiment, then `seqrec promote` adds it."
"""What to do about it among promoted records, where nothing is trained."""


class Missing(NamedTuple):
    """A run without a finished record, why it has none, and what to do about it."""

    run: Run
    reason: str
    remedy: str


@dataclass(frozen=True)
class Survey:
    """An experiment as its folder shows it: every run that it wants is finished or missing."""

    records: list[Record]
    missing: list[Missing]
    outdated: set[Run]
    """Finished runs whose configuration is not the one that the experiment asks for, or differs
    from that of the model's other runs in more than the seed."""
    stale: set[Run]
    """Finished runs made by other training code than today's, or by another version of a custom
    model's file."""
    places: Mapping[str, int] = field(default_factory=dict)
    """The places of models: those of the experiment's file in its order, then others, the paper's
    before those that are not."""
    shown: Report = field(default_factory=Report)
    """What tables and figures show."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """Titles that the experiment gives to models, by their names."""
    trials: Mapping[str, str] = field(default_factory=dict)
    """The trials of a search by their names, with the model that each is a trial of."""

    @property
    def runs(self) -> list[Run]:
        """All runs, finished or missing, in order."""
        runs = [one.run for one in self.records] + [one.run for one in self.missing]
        return sorted(runs, key=self.order)

    def order(self, run: Run) -> tuple[Any, ...]:
        """Sort key of runs: by dataset in the paper's order, split, model as `places`, and seed."""
        place = self.places.get(run.model, len(self.places))
        return *dataset_order(run.task), place, run.model, run.seed

    def title(self, model: str) -> str:
        """Return what tables and figures call a model."""
        return self.titles.get(model) or model_title(model)


ItemT = TypeVar("ItemT")
KeyT = TypeVar("KeyT", bound=Hashable)


def grouped(items: Iterable[ItemT], key: Callable[[ItemT], KeyT]) -> dict[KeyT, list[ItemT]]:
    """Group items by their key; keys and items keep the order in which they come."""
    groups: dict[KeyT, list[ItemT]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def task_and_model(record: Record) -> tuple[str, str]:
    """The key that all seeds of one model on one task share."""
    return record.task, record.model


def holds_experiment(results: Path) -> bool:
    """Tell whether an experiment has been begun in this folder."""
    files = ResultFiles(results)
    return files.grid.is_file() or any(files.run_folders())


def survey(results: Path) -> Survey:
    """Find out about every run of an experiment; a damaged record does not hide the others.

    Raises `SeqrecError` if there is no experiment in the folder, or if its grid is damaged.
    """
    if not results.is_dir():
        raise SeqrecError(
            f"{results}: no such folder. Name an experiment that has been run, as in "
            "results/paper; `snakemake` with its configuration makes it."
        )
    files = ResultFiles(results)
    if not holds_experiment(results):
        raise SeqrecError(
            f"{results}: holds no experiment: neither {files.grid.name} nor {files.runs.name}/. "
            "Name one, as in results/paper."
        )
    grid = GridFile.read(results)
    wanted = grid.wanted()
    records, missing = _found(files)
    known = {one.run for one in records} | {one.run for one in missing}
    remedy = PROMOTE if grid.is_promoted else RUN_AGAIN
    missing += [_not_found(files, run, remedy) for run in wanted.keys() - known]
    code = training_code_fingerprint()
    found = Survey(
        records,
        missing,
        outdated=_outdated(records, wanted),
        stale={record.run for record in records if is_stale(record, code)},
        places=_places(grid, {run.model for run in known | wanted.keys()}),
        shown=grid.report,
        titles=grid.titles,
        trials=grid.trials,
    )
    return replace(
        found,
        records=sorted(records, key=lambda record: found.order(record.run)),
        missing=sorted(missing, key=lambda lost: (found.order(lost.run), lost)),
    )


def _places(grid: GridFile, models: Iterable[str]) -> dict[str, int]:
    """Place all models: those of the file first, then others in the paper's order."""
    listed = dict.fromkeys([*grid.models_in_order(), *sorted(models, key=model_order)])
    return {model: place for place, model in enumerate(listed)}


def _found(files: ResultFiles) -> tuple[list[Record], list[Missing]]:
    """Read the folders of runs: finished records, and runs that failed or are damaged."""
    records, missing = [], []
    for folder in files.run_folders():
        run = Run.of(folder)
        if has_record(folder):
            try:
                records.append(read_record(folder))
            except UnusableRecord as error:
                # Relative to the experiment, so that its tables are the same wherever it lies.
                reason = sentence(error.problem.replace(f"{files.folder}/", ""))
                remedy = error.remedy(folder.relative_to(files.folder))
                missing.append(Missing(run, reason, remedy))
        elif failure := failure_in(folder):
            missing.append(Missing(run, *failure))
    return records, missing


def _not_found(files: ResultFiles, run: Run, remedy: str) -> Missing:
    if failure := read_failure(files.data_failure(run.dataset)):
        return Missing(run, *failure)
    return Missing(run, NEVER_STARTED, remedy)


def in_short(runs: Iterable[Run], title: Callable[[str], str] = str) -> str:
    """List runs of one task, such as `sasrec (seed 0, 1), sasrec+ (seed 0)`."""
    models = grouped(runs, lambda run: run.model)
    return ", ".join(
        f"{title(model)} (seed {', '.join(str(run.seed) for run in seeds)})"
        for model, seeds in models.items()
    )


def _outdated(records: Sequence[Record], wanted: Mapping[Run, str | None]) -> set[Run]:
    outdated = {
        record.run for record in records if wanted.get(record.run) not in (None, record.config_hash)
    }
    for group in grouped(records, task_and_model).values():
        asked = [r.settings for r in group if wanted.get(r.run) == r.config_hash]
        outdated |= {r.run for r in group if r.settings not in (asked or [group[0].settings])}
    return outdated


def read_records(results: Path | str) -> list[Record]:
    """Read the finished records of an experiment, such as `results/reference`.

    They are ordered by dataset, model and seed; damaged ones are skipped. Raises `SeqrecError` if
    there is no experiment in the folder.
    """
    return survey(Path(results)).records


def records_in(path: Path) -> list[Record]:
    """Read the finished records in a folder: of a run, of a model with its seeds, of an experiment.

    The folder of a run holds `metrics.json`, that of a model `seed-<n>` folders, and that of an
    experiment `runs/`. Damaged records of an experiment are skipped. Raises `SeqrecError` if there
    is no record.
    """
    if RunFiles(path).metrics.is_file():
        records = [read_record(path)]
    elif ResultFiles(path).runs.is_dir():
        records = read_records(path)
    else:
        folders = sorted(path.glob("seed-*"))
        records = [read_record(folder) for folder in folders if RunFiles(folder).metrics.is_file()]
    if not records:
        raise SeqrecError(
            f"{path}: holds no finished run. Name a run's folder (with "
            f"{RunFiles(path).metrics.name}), a model's (with seed-0, ...) or an experiment's "
            f"(with {ResultFiles(path).runs.name}/)."
        )
    return records


def missing_runs(results: Path) -> list[Missing]:
    """List the runs that the experiment wants and that have no readable record, with reasons."""
    return survey(results).missing


def missing_in_short(found: Survey) -> list[str]:
    """Say which runs have no readable record and why, in one line for each reason and remedy."""
    return by_reason(found.missing, Counter(run.task for run in found.runs))


def by_reason(missing: Iterable[Missing], asked: Mapping[str, int]) -> list[str]:
    """Say which runs are missing in one line for each reason and remedy.

    `asked` says how many runs there are of each task, finished or not.
    """
    lines = []
    for why, lost in grouped(missing, lambda one: (one.reason, one.remedy)).items():
        names = [
            f"{task} (all {len(some)} runs)"
            if len(some) == asked[task] > 1
            else f"{task} {in_short(some)}"
            for task, some in grouped((one.run for one in lost), lambda r: r.task).items()
        ]
        lines.append(f"{', '.join(names)}: {' '.join(filter(None, why))}")
    return lines


def done_in_short(results: Path, done: int, asked: int) -> str:
    """Say how many runs have finished, such as `results/demo: 3 of 10 runs done`."""
    return f"{results}: {done} of {counted(asked, 'run')} done"


def damaged_runs(results: Path) -> list[Missing]:
    """List the runs of an experiment whose record cannot be read."""
    if not holds_experiment(results):
        return []
    files = ResultFiles(results)
    return [lost for lost in missing_runs(results) if has_record(files.run(*lost.run).folder)]


def is_finished(folder: Path, config_hash: str, data: Path, any_code: bool) -> bool:
    """Tell whether `folder` holds a record of this configuration and of the log in `data`.

    Unless `any_code`, a record counts only if today's training code would make the same. Raises
    `UnusableRecord` for a record that is not ours to replace: unreadable, or of a later format.
    """
    if not has_record(folder):
        return False
    try:
        record = read_record(folder)
    except DamagedRecord:
        return False
    try:
        digest = read_json(LogFiles(data).digest)["sha256"]
    except (OSError, SeqrecError, KeyError):
        return False  # whoever needs the log says what is wrong with it
    same_run = (record.config_hash, record.data.sha256) == (config_hash, digest)
    return same_run and (any_code or not is_stale(record, training_code_fingerprint()))


def stale_records(results: Path) -> list[Path]:
    """List the `.success` file, which the workflow makes, of every record made by other code.

    Where there is a grid, these are only runs that it asks for, as the workflow knows no others.
    """
    found = survey(results)
    stale = found.stale.intersection(GridFile.read(results).wanted() or found.stale)
    return [record.files.success for record in found.records if record.run in stale]

"""Run records: what a finished or failed training leaves behind, and all that tables read.

A record is a folder `<results>/runs/<dataset>/<model>/seed-<n>/`. It is finished once it holds
`metrics.json`, which is therefore written last; `failure.json` in its place says why there is none.
"""

import hashlib
import json
import math
import re
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, FiniteFloat, NonNegativeInt, PositiveInt

from seqrec.errors import SeqrecError
from seqrec.files import replacing, write_text
from seqrec.metrics import GAINS, user_metric
from seqrec.strict import Name, validate

PACKAGE = Path(__file__).parent

TRAINING_CODE = (
    "batches.py",
    "evaluation.py",
    "losses.py",
    "metrics.py",
    "models/*.py",
    "negatives.py",
    "splits.py",
    "tasks.py",
    "training.py",
)
"""The sources that decide what a training results in, relative to the package."""

SAME_RESULTS = {
    # Drawing negatives for sequences that fill most of a small pool: raised, now draws.
    "b0c0f7707314547f08b95ba55b0b7ce9787ba48798510840dd40cc82b42af1c4": (
        "d494b05688444eca0225523ea0cf7399c5dc02386eed2250cae02efaa794050a"
    ),
    # Ranks are read back once an evaluation; the largest logit is found by its bits.
    "d494b05688444eca0225523ea0cf7399c5dc02386eed2250cae02efaa794050a": (
        "abc3dda3830b2046943c1206558aa0b40bcb5041f0f966848d4094a34a92f6f7"
    ),
    # Evaluation sums up attention in another order. Weights are the same bits; of ml-1m's ranks at
    # most 1 in 6,040 moved, of beauty's 49 in 40,226, each to a neighbouring one.
    "abc3dda3830b2046943c1206558aa0b40bcb5041f0f966848d4094a34a92f6f7": (
        "5e57c0a60f8e6c3f4033827ac12c9b31c1c637c500b937ae5e9e7df936049566"
    ),
}
"""Fingerprints of training code, and of the next one, which gives every record of theirs bit for
bit, or but for the rounding by which two kinds of CPU differ, too. Only for changes of which that
was shown, as by doing epochs of committed records again."""

PROMOTED = ("config.yaml", "history.csv", "ranks.npy", "target_counts.npy", "metrics.json")
"""The files of a record that are kept for good, `metrics.json` last; checkpoints are not."""

NOT_RUN = "not run."
"""The reason of a run that nobody has tried."""

ROUNDING = 1e-9
"""By how much a sum may differ that was added up in another order."""

HISTORY_COLUMNS = ("epoch", "seconds", "training_loss")


class Run(NamedTuple):
    """One training of an experiment's grid."""

    dataset: str
    model: str
    seed: int


class Missing(NamedTuple):
    """A run without a finished record, why, and what to do about it."""

    dataset: str
    model: str
    seed: int
    reason: str
    remedy: str


class _Part(BaseModel):
    """A part of a record: checked where tables depend on it, and otherwise kept as it is."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)


class Data(_Part):
    """What the run was trained on."""

    sha256: str
    statistics: dict[str, Any]


class Provenance(_Part):
    """Which code trained the run."""

    version: str
    commit: str | None
    training_code: str
    model_code: str | None = None
    """Of a model of one's own: `model_code` of its implementation."""


def _with_metrics_at_10(test: dict[str, float]) -> dict[str, float]:
    """The metrics that every table and figure shows."""
    if lacking := {"hit_rate@10", "ndcg@10"} - test.keys():
        raise ValueError(f"lacks {', '.join(sorted(lacking))}")
    return test


class Record(_Part):
    """The content of a finished record's `metrics.json`, and the way to its other files."""

    folder: Path
    format: Literal[1]
    dataset: str
    model: str
    negatives: PositiveInt | None
    seed: NonNegativeInt
    config: dict[str, Any]
    config_hash: str
    data: Data
    seqrec: Provenance
    device: str
    device_kind: str
    threads: PositiveInt
    runs_sharing_device: PositiveInt
    precision: str
    peak_memory_bytes: NonNegativeInt
    epochs: PositiveInt | None
    best_epoch: PositiveInt | None
    training_seconds: FiniteFloat
    validation: dict[str, FiniteFloat]
    test: Annotated[dict[str, FiniteFloat], AfterValidator(_with_metrics_at_10)]

    @property
    def run(self) -> Run:
        return Run(self.dataset, self.model, self.seed)

    def history(self) -> pd.DataFrame:
        """One line an epoch; no lines for a model without epochs."""
        path = self.folder / "history.csv"
        if not path.is_file():
            return pd.DataFrame(columns=list(HISTORY_COLUMNS))
        try:
            history = pd.read_csv(path)
            damage = ", ".join(sorted(set(HISTORY_COLUMNS) - set(history.columns)))
            damage = f"it lacks the column {damage}" if damage else _not_a_number(history)
        except (OSError, ValueError) as error:
            damage = str(error)
        if damage:
            raise SeqrecError(f"{path}: is no training history ({damage}). {_delete(self.folder)}")
        return history

    def ranks(self) -> npt.NDArray[np.int32]:
        """The test rank of every user's target, from 1, as `[users]`."""
        return self._number_of_each_user("ranks.npy", "rank")

    def target_counts(self) -> npt.NDArray[np.int32]:
        """How often every user's test target occurs in the train part, as `[users]`."""
        return self._number_of_each_user("target_counts.npy", "count")

    def _number_of_each_user(self, name: str, title: str) -> npt.NDArray[np.int32]:
        path = self.folder / name
        try:
            numbers = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise SeqrecError(
                f"{path}: cannot be read ({error}). {_delete(self.folder)}"
            ) from error
        if numbers.ndim != 1 or numbers.dtype != np.int32 or not len(numbers):
            raise SeqrecError(
                f"{path}: holds {numbers.dtype} of shape {numbers.shape}, not an int32 {title} of "
                f"each user. {_delete(self.folder)}"
            )
        return numbers

    @property
    def users(self) -> int:
        """How many users were ranked for."""
        return len(self.ranks())

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration without the seed: what all seeds of a model have in common."""
        return {key: value for key, value in self.config.items() if key != "seed"}


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
        return sorted([record.run for record in self.records] + [Run(*m[:3]) for m in self.missing])


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


# Reading


def place_of(run: Run) -> Path:
    """Where a run's folder lies below `runs/`."""
    return Path(run.dataset, run.model, f"seed-{run.seed}")


def run_of(folder: Path) -> Run:
    """The run whose folder this is, by its name."""
    return Run(folder.parts[-3], folder.parts[-2], int(folder.name.removeprefix("seed-")))


def read_record(folder: Path) -> Record:
    """The finished record in `folder`; a `SeqrecError` if it is damaged or not in its place."""
    path = folder / "metrics.json"
    try:
        record = validate(Record, {**_read_json(path), "folder": folder}, str(path))
        if folder.absolute().parts[-3:] != place_of(record.run).parts:
            raise SeqrecError(
                f"{path}: holds dataset {record.dataset!r}, model {record.model!r} and seed "
                f"{record.seed}, which belong in runs/{place_of(record.run).as_posix()}/."
            )
    except SeqrecError as error:
        raise SeqrecError(f"{error} {_delete(folder)}") from None
    ranks = record.ranks()
    if (best := ranks.min()) < 1:
        raise SeqrecError(
            f"{folder / 'ranks.npy'}: holds rank {best}, and ranks count from 1. {_delete(folder)}"
        )
    if len(ranks) != len(record.target_counts()):
        raise SeqrecError(
            f"{folder / 'target_counts.npy'}: holds other users than ranks.npy. {_delete(folder)}"
        )
    for metric, found in _metrics(record.test, ranks).items():
        if not math.isclose(record.test[metric], found, rel_tol=ROUNDING, abs_tol=ROUNDING):
            raise SeqrecError(
                f"{path}: has {metric} {record.test[metric]:.6f} in the test, and ranks.npy gives "
                f"{found:.6f}: the two are not of one run. {_delete(folder)}"
            )
    epochs = record.history()["epoch"].tolist()
    if record.epochs is None and epochs:
        raise SeqrecError(
            f"{folder / 'history.csv'}: holds epochs, and metrics.json says that there were none. "
            f"{_delete(folder)}"
        )
    if record.epochs is not None and record.best_epoch not in epochs:
        raise SeqrecError(
            f"{folder / 'history.csv'}: lacks the best epoch, {record.best_epoch}. "
            f"{_delete(folder)}"
        )
    return record


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
    wanted = _read_grid(results / "grid.json")
    for folder in folders_of_runs(results):
        run = run_of(folder)
        if (folder / "metrics.json").is_file():
            try:
                records.append(read_record(folder))
            except SeqrecError as error:
                # Relative to the experiment, so that its tables are the same wherever it lies.
                reason = str(error).removesuffix(_delete(folder)).replace(f"{results}/", "")
                missing.append(Missing(*run, _sentence(reason), _delete(folder, results)))
        elif failure := failure_in(folder):
            missing.append(Missing(*run, *failure))
    known = {record.run for record in records} | {Run(*m[:3]) for m in missing}
    for run in wanted.keys() - known:
        data_failure = results / "data-failures" / f"{run.dataset}.json"
        if data_failure.is_file():
            missing.append(Missing(*run, *_failure(data_failure)))
        else:
            missing.append(Missing(*run, NOT_RUN, "Run the experiment again."))
    outdated = {
        record.run for record in records if wanted.get(record.run) not in (None, record.config_hash)
    }
    for group in grouped(records, dataset_and_model).values():
        asked = [r.settings for r in group if wanted.get(r.run) == r.config_hash]
        outdated |= {r.run for r in group if r.settings not in (asked or [group[0].settings])}
    code = training_code_fingerprint()
    stale = {record.run for record in records if not _is_made_by(record, code)}
    return Survey(sorted(records, key=lambda record: record.run), sorted(missing), outdated, stale)


def promoted_datasets(reference: Path = Path("results/reference")) -> list[str]:
    """The datasets of promoted records, which have no experiment to name them."""
    return sorted({run.dataset for run in _read_grid(reference / "grid.json")})


def settings_of(results: Path) -> list[str]:
    """The `key=value` settings that an experiment of a name of its own was last made with."""
    path = results / "grid.json"
    return validate(_Grid, _read_json(path), str(path)).settings if path.is_file() else []


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
        run
        for run in missing_runs(results)
        if (results / "runs" / place_of(Run(*run[:3])) / "metrics.json").is_file()
    ]


def is_finished(folder: Path, config_hash: str, data: Path, any_code: bool) -> bool:
    """Whether `folder` holds a record of this configuration and of the log in `data`.

    With `any_code` false, a record that other training code than today's has made does not count.
    """
    try:
        record = read_record(folder)
        digest = _read_json(data / "digest.json")["sha256"]
    except (SeqrecError, KeyError, OSError, ValueError):
        return False
    same_run = (record.config_hash, record.data.sha256) == (config_hash, digest)
    return same_run and (any_code or _is_made_by(record, training_code_fingerprint()))


# Writing


def write_record(
    folder: Path,
    metrics: dict[str, Any],
    history: pd.DataFrame | list[dict[str, Any]],
    ranks: npt.NDArray[np.integer],
    target_counts: npt.NDArray[np.integer],
) -> None:
    """Write a finished record: its files together, and only if it can be read again."""
    path = folder / "metrics.json"
    # Checked is what a reader will see: plain values.
    plain = json.loads(json.dumps(metrics, default=_plain))
    for place, value in _not_finite(plain):
        raise SeqrecError(
            f"{path}: not written, {place} is {value}. The training has probably diverged: "
            "try a smaller learning rate."
        )
    validate(Record, {**plain, "folder": folder}, f"{path}: not written")
    if isinstance(history, list):
        history = pd.DataFrame(history, columns=None if history else list(HISTORY_COLUMNS))
    with ExitStack() as stack:
        # The parts take their names in the reverse of this order, once all of them are whole.
        metrics_part = stack.enter_context(replacing(path))
        arrays = {"ranks.npy": ranks, "target_counts.npy": target_counts}
        parts = {name: stack.enter_context(replacing(folder / name)) for name in arrays}
        history_part = stack.enter_context(replacing(folder / "history.csv"))
        metrics_part.write_text(_json(plain), encoding="utf-8", newline="")
        for name, part in parts.items():
            with part.open("wb") as file:
                np.save(file, np.asarray(arrays[name], dtype=np.int32))
        history.to_csv(history_part, index=False, lineterminator="\n")
        # From here to the end there is no record, rather than one of old and new files.
        path.unlink(missing_ok=True)
    (folder / "failure.json").unlink(missing_ok=True)


def write_failure(
    folder: Path, *, dataset: str, model: str, seed: int, error: str, where: str, remedy: str
) -> None:
    """Leave word of a failed run. A finished record in the folder stays, and stays the truth."""
    failure = {"dataset": dataset, "model": model, "seed": seed}
    failure |= {"error": _one_line(error), "where": where, "remedy": remedy}
    write_text(folder / "failure.json", _json(failure))


# Code


def _is_made_by(record: Record, code: str) -> bool:
    """Whether this training code has made it, or one of the same results, and its own model's file,
    if any, is as it was."""
    own, made_by = model_code(str(record.config.get("implementation"))), record.seqrec.training_code
    while made_by != code and made_by in SAME_RESULTS:
        made_by = SAME_RESULTS[made_by]
    return made_by == code and own in (None, record.seqrec.model_code)


def training_code_fingerprint(package: Path = PACKAGE) -> str:
    """SHA-256 over the training code, the same whatever line ends a checkout gives its files."""
    digest = hashlib.sha256()
    paths = {path for pattern in TRAINING_CODE for path in package.glob(pattern)}
    for name, path in sorted((path.relative_to(package).as_posix(), path) for path in paths):
        source = _source(path)
        digest.update(f"{name}\0{len(source)}\0".encode() + source)
    return digest.hexdigest()


def model_code(implementation: str) -> str | None:
    """SHA-256 of the file of an own model, `package.module:Class`; not of what that imports.

    None for the package's models, and where no such file is found.
    """
    path = own_module(implementation)
    return None if path is None else hashlib.sha256(_source(path)).hexdigest()


def own_module(implementation: str) -> Path | None:
    """The file of an own model, looked for as Python does, from the folder that one is in; without
    importing it, which takes seconds."""
    module, colon, _ = implementation.partition(":")
    for folder in (Path(), *map(Path, sys.path)) if colon else ():
        place = folder.joinpath(*module.split("."))
        for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if path.is_file():
                return path
    return None


def _source(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n")


def stale_records(results: Path) -> list[Path]:
    """The `.success` of every record that other training code than today's has made: what the
    workflow makes for each run. Where there is a grid, among the runs that it asks for: the
    workflow knows no others."""
    found = survey(results)
    wanted = _read_grid(results / "grid.json") or found.stale
    stale = found.stale.intersection(wanted)
    return [record.folder / ".success" for record in found.records if record.run in stale]


# Promotion


def promote(
    source: Path, reference: Path = Path("results/reference"), *, replace: bool = False
) -> list[Path]:
    """Copy the finished records of `source` into `reference`, without checkpoints.

    Returns the `metrics.json` of each record that is new there. A record that would take the place
    of a different one is refused, before anything is copied, unless `replace`; so is one that
    differs in more than the seed from the records of its model that stay.
    """
    if source.resolve() == reference.resolve():
        raise SeqrecError(f"{source}: is the reference itself. Name the experiment to promote.")
    found = survey(source)
    if not found.records:
        raise SeqrecError(f"{source}: holds no finished record. Run the experiment first.")
    copies = [
        (record.folder, target)
        for record in found.records
        if _contents(record.folder)
        != _contents(target := reference / "runs" / place_of(record.run))
    ]
    taken = [target for _, target in copies if _contents(target)]
    if taken and not replace:
        raise SeqrecError(
            "\n".join(f"{target}: holds a different record already." for target in taken)
            + f"\nNothing was copied. Add --replace to put the records of {source} in their place."
        )
    promoted = {record.run for record in found.records}
    kept = read_records(reference) if holds_experiment(reference) else []
    kept = [record for record in kept if record.run not in promoted]
    for group in grouped([*found.records, *kept], dataset_and_model).values():
        first = group[0]
        for record in group[1:]:
            if record.settings != first.settings:
                raise SeqrecError(
                    f"{record.folder}: differs in more than the seed from {first.folder}, so the "
                    "two are not seeds of one model. Nothing was copied. `seqrec compare` of the "
                    "two says in which settings; train all seeds alike and promote them together."
                )
    for folder, target in copies:
        (target / "metrics.json").unlink(missing_ok=True)
        for name in PROMOTED:
            if (folder / name).is_file():
                with replacing(target / name) as part:
                    part.write_bytes((folder / name).read_bytes())
            else:
                (target / name).unlink(missing_ok=True)
    wanted = _read_grid(reference / "grid.json").keys() | set(found.runs)
    grid = {"experiment": "reference", "runs": [run._asdict() for run in sorted(wanted)]}
    write_text(reference / "grid.json", _json(grid))
    return [target / "metrics.json" for _, target in copies]


# Details


def _metrics(names: Iterable[str], ranks: npt.NDArray[np.int32]) -> dict[str, float]:
    """Those of the metrics `<name>@<k>` that follow from 1-based `ranks` `[users]`."""
    parts = [(metric, *metric.partition("@")[::2]) for metric in names]
    asked = [(metric, name, int(k)) for metric, name, k in parts if name in GAINS and k.isdecimal()]
    # The others add nothing, and are most of them.
    hits = ranks[ranks <= max((k for *_, k in asked), default=0)]
    return {metric: user_metric(hits, name, k).sum() / len(ranks) for metric, name, k in asked}


def folders_of_runs(results: Path) -> Iterator[Path]:
    """What lies in `runs/` by the name of a run; not a copy that somebody made beside it."""
    folders = sorted(results.glob("runs/*/*/seed-*"))
    return (folder for folder in folders if re.fullmatch(r"seed-(0|[1-9]\d*)", folder.name))


def _contents(folder: Path) -> Sequence[tuple[str, bytes]]:
    paths = [folder / name for name in PROMOTED]
    return [(path.name, path.read_bytes()) for path in paths if path.is_file()]


def _read_grid(path: Path) -> dict[Run, str | None]:
    """The runs that are wanted, with the hash of their configuration where the grid names it."""
    if not path.is_file():
        return {}
    grid = validate(_Grid, _read_json(path), str(path))
    return {Run(run.dataset, run.model, run.seed): run.config_hash for run in grid.runs}


def failure_in(folder: Path) -> tuple[str, str] | None:
    """Reason and remedy of what failed last in a run's folder; a record there is older."""
    path = folder / "failure.json"
    return _failure(path) if path.is_file() else None


def _failure(path: Path) -> tuple[str, str]:
    """Reason and remedy of a failed run or dataset."""
    remedy = "Run the experiment again."
    try:
        failure = _read_json(path)
    except SeqrecError:
        return f"failed; {path.name} does not say why, it cannot be read.", remedy
    reason = _sentence(str(failure.get("error") or "failed"))
    return reason, _sentence(str(failure.get("remedy") or remedy))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError) as error:
        raise SeqrecError(f"{path}: is not whole JSON ({error}).") from None
    if not isinstance(data, dict):
        raise SeqrecError(f"{path}: must hold one JSON object, not {type(data).__name__}.")
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _json(data: dict[str, Any]) -> str:
    text = json.dumps(data, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False)
    return text + "\n"


def _plain(value: Any) -> Any:
    """Numpy's and torch's scalars as Python's own."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no place in a run record: {value!r}")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _sentence(text: str) -> str:
    """One line that another can follow."""
    line = _one_line(text)
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _delete(folder: Path, base: Path | None = None) -> str:
    shown = folder.relative_to(base) if base else folder
    return f"Delete {shown} and run the experiment again."


def _not_finite(value: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """The places in JSON-like data that hold NaN or an infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        yield place, value
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _not_finite(item, f"{place}.{key}" if place else str(key))


def _not_a_number(history: pd.DataFrame) -> str:
    for name in history.columns:
        if len(history) and not pd.api.types.is_numeric_dtype(history[name]):
            return f"its column {name!r} holds something other than numbers"
    return ""

"""One run record: what a finished or failed training leaves, read and written."""

import json
import math
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, FiniteFloat, NonNegativeInt, PositiveInt

from seqrec.errors import SeqrecError
from seqrec.files import replacing, write_text
from seqrec.protocol.metrics import GAINS, user_metric
from seqrec.records.json_files import (
    as_json,
    not_finite,
    one_line,
    plain_value,
    read_json,
    sentence,
)
from seqrec.typed_yaml import check_values

ROUNDING = 1e-9
"""By how much a sum may differ that was added up in another order."""


HISTORY_COLUMNS = ("epoch", "seconds", "training_loss")


class Run(NamedTuple):
    """One training of an experiment's grid."""

    dataset: str
    model: str
    seed: int


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
            raise SeqrecError(
                f"{path}: is no training history ({damage}). {delete_hint(self.folder)}"
            )
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
                f"{path}: cannot be read ({error}). {delete_hint(self.folder)}"
            ) from error
        if numbers.ndim != 1 or numbers.dtype != np.int32 or not len(numbers):
            raise SeqrecError(
                f"{path}: holds {numbers.dtype} of shape {numbers.shape}, not an int32 {title} of "
                f"each user. {delete_hint(self.folder)}"
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
        record = check_values(Record, {**read_json(path), "folder": folder}, str(path))
        if folder.absolute().parts[-3:] != place_of(record.run).parts:
            raise SeqrecError(
                f"{path}: holds dataset {record.dataset!r}, model {record.model!r} and seed "
                f"{record.seed}, which belong in runs/{place_of(record.run).as_posix()}/."
            )
    except SeqrecError as error:
        raise SeqrecError(f"{error} {delete_hint(folder)}") from None
    ranks = record.ranks()
    if (best := ranks.min()) < 1:
        raise SeqrecError(
            f"{folder / 'ranks.npy'}: holds rank {best}, and ranks count from 1. {delete_hint(folder)}"
        )
    if len(ranks) != len(record.target_counts()):
        raise SeqrecError(
            f"{folder / 'target_counts.npy'}: holds other users than ranks.npy. {delete_hint(folder)}"
        )
    for metric, found in _metrics(record.test, ranks).items():
        if not math.isclose(record.test[metric], found, rel_tol=ROUNDING, abs_tol=ROUNDING):
            raise SeqrecError(
                f"{path}: has {metric} {record.test[metric]:.6f} in the test, and ranks.npy gives "
                f"{found:.6f}: the two are not of one run. {delete_hint(folder)}"
            )
    epochs = record.history()["epoch"].tolist()
    if record.epochs is None and epochs:
        raise SeqrecError(
            f"{folder / 'history.csv'}: holds epochs, and metrics.json says that there were none. "
            f"{delete_hint(folder)}"
        )
    if record.epochs is not None and record.best_epoch not in epochs:
        raise SeqrecError(
            f"{folder / 'history.csv'}: lacks the best epoch, {record.best_epoch}. "
            f"{delete_hint(folder)}"
        )
    return record


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
    plain = json.loads(json.dumps(metrics, default=plain_value))
    for place, value in not_finite(plain):
        raise SeqrecError(
            f"{path}: not written, {place} is {value}. The training has probably diverged: "
            "try a smaller learning rate."
        )
    check_values(Record, {**plain, "folder": folder}, f"{path}: not written")
    if isinstance(history, list):
        history = pd.DataFrame(history, columns=None if history else list(HISTORY_COLUMNS))
    with ExitStack() as stack:
        # The parts take their names in the reverse of this order, once all of them are whole.
        metrics_part = stack.enter_context(replacing(path))
        arrays = {"ranks.npy": ranks, "target_counts.npy": target_counts}
        parts = {name: stack.enter_context(replacing(folder / name)) for name in arrays}
        history_part = stack.enter_context(replacing(folder / "history.csv"))
        metrics_part.write_text(as_json(plain), encoding="utf-8", newline="")
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
    failure |= {"error": one_line(error), "where": where, "remedy": remedy}
    write_text(folder / "failure.json", as_json(failure))


def _metrics(names: Iterable[str], ranks: npt.NDArray[np.int32]) -> dict[str, float]:
    """Those of the metrics `<name>@<k>` that follow from 1-based `ranks` `[users]`."""
    parts = [(metric, *metric.partition("@")[::2]) for metric in names]
    asked = [(metric, name, int(k)) for metric, name, k in parts if name in GAINS and k.isdecimal()]
    # The others add nothing, and are most of them.
    hits = ranks[ranks <= max((k for *_, k in asked), default=0)]
    return {metric: user_metric(hits, name, k).sum() / len(ranks) for metric, name, k in asked}


def failure_in(folder: Path) -> tuple[str, str] | None:
    """Reason and remedy of what failed last in a run's folder; a record there is older."""
    path = folder / "failure.json"
    return read_failure(path) if path.is_file() else None


def read_failure(path: Path) -> tuple[str, str]:
    """Reason and remedy of a failed run or dataset."""
    remedy = "Run the experiment again."
    try:
        failure = read_json(path)
    except SeqrecError:
        return f"failed; {path.name} does not say why, it cannot be read.", remedy
    reason = sentence(str(failure.get("error") or "failed"))
    return reason, sentence(str(failure.get("remedy") or remedy))


def delete_hint(folder: Path, base: Path | None = None) -> str:
    shown = folder.relative_to(base) if base else folder
    return f"Delete {shown} and run the experiment again."


def _not_a_number(history: pd.DataFrame) -> str:
    for name in history.columns:
        if len(history) and not pd.api.types.is_numeric_dtype(history[name]):
            return f"its column {name!r} holds something other than numbers"
    return ""

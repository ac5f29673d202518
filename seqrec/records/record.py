"""The record of a finished run: what it holds, and how it is read and checked."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    computed_field,
    model_validator,
)

from seqrec.errors import SeqrecError
from seqrec.layout import Run, RunFiles, run_folder
from seqrec.protocol.metrics import GAINS, REPORTED_METRICS, user_metric
from seqrec.records.json_files import plain_values, read_json
from seqrec.typed_yaml import check_values

TOLERANCE = 1e-9
"""How much a metric may differ when its sum is taken in another order."""

HISTORY_COLUMNS = ("epoch", "seconds", "training_loss")
"""The columns that every history has; validation metrics follow them."""


class DamagedRecord(SeqrecError):
    """A record that cannot be used; the remedy is to delete it and to train again."""

    def __init__(self, folder: Path, problem: str) -> None:
        self.problem = problem
        super().__init__(f"{problem} {delete_hint(folder)}")


def delete_hint(folder: Path) -> str:
    """Say how to get rid of a damaged record."""
    return f"Delete {folder} and run the experiment again."


class _Part(BaseModel):
    """A part of `metrics.json`. Keys that this version does not know are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _without_numpy(cls, data: Any) -> Any:
        return plain_values(data)


class Data(_Part):
    """The data that a run was trained on."""

    sha256: str
    """Digest of the preprocessed log."""
    statistics: dict[str, Any]


class Provenance(_Part):
    """The code that trained a run."""

    version: str
    commit: str | None
    training_code: str
    """Fingerprint of the package's training code."""
    model_code: str | None = None
    """SHA-256 of a custom model's file; None for the package's models and in older records."""


def _with_reported_metrics(test: dict[str, float]) -> dict[str, float]:
    if lacking := [name for name in REPORTED_METRICS if name not in test]:
        raise ValueError(f"lacks {', '.join(lacking)}")
    return test


class Record(_Part):
    """The record of a finished run: the content of `metrics.json`, and the way to its arrays."""

    folder: Path = Field(exclude=True)
    """Where the record lies; not part of its content."""
    format: Literal[1]
    dataset: str
    model: str
    negatives: PositiveInt | None
    """Sampled negatives for each positive; None for a loss over all items and without a loss."""
    seed: NonNegativeInt
    config: dict[str, Any]
    """The resolved configuration of the run."""
    config_hash: str
    data: Data
    seqrec: Provenance
    libraries: dict[str, str]
    """Versions of Python and of the libraries that decide a result."""
    device: str
    """Name of the kind of device, such as its product name."""
    device_kind: str
    """`cpu` or `cuda`."""
    device_id: str | None = None
    """Which device of the machine it was; None in the oldest records, as the next two."""
    logits_per_chunk: PositiveInt | None = None
    compile: bool | None = None
    threads: PositiveInt
    runs_sharing_device: PositiveInt
    """The most runs, this one included, that were seen on the device at once."""
    precision: str
    job: dict[str, str] | None = None
    """Variables that identify the cluster's job; None outside of one."""
    peak_memory_bytes: NonNegativeInt
    parameters: NonNegativeInt
    """Number of weights."""
    epochs: PositiveInt | None
    """Epochs trained; None for a model without epochs."""
    best_epoch: PositiveInt | None
    training_seconds: float
    validation: dict[str, float]
    """Validation metrics of the best epoch, by names such as `ndcg@10`."""
    test: Annotated[dict[str, float], AfterValidator(_with_reported_metrics)]
    """Test metrics of the best epoch."""
    test_sampled: dict[str, dict[str, float]] | None = None
    """Test metrics against sampled items, by the way of sampling; None unless asked for."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def seconds_per_epoch(self) -> float | None:
        return self.training_seconds / self.epochs if self.epochs else None

    @property
    def run(self) -> Run:
        return Run(self.dataset, self.model, self.seed)

    @property
    def files(self) -> RunFiles:
        return RunFiles(self.folder)

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration without the seed: what all seeds of a model have in common."""
        return {key: value for key, value in self.config.items() if key != "seed"}

    @property
    def users(self) -> int:
        """Number of users that were ranked for."""
        return len(self.ranks())

    def content(self) -> dict[str, Any]:
        """Return what `metrics.json` holds, as plain values; it lacks `test_sampled` if None."""
        lacking = {"test_sampled"} if self.test_sampled is None else set()
        return self.model_dump(exclude=lacking)

    def history(self) -> pd.DataFrame:
        """Read the history: one line per epoch, and no line for a model without epochs.

        Raises `DamagedRecord` if a column is missing or is not numeric.
        """
        path = self.files.history
        if not path.is_file():
            return pd.DataFrame(columns=list(HISTORY_COLUMNS))
        try:
            history = pd.read_csv(path)
            damage = _damage_of(history)
        except (OSError, ValueError) as error:
            damage = str(error)
        if damage:
            raise DamagedRecord(self.folder, f"{path}: is no training history ({damage}).")
        return history

    def ranks(self) -> npt.NDArray[np.int32]:
        """Read the rank of each user's test target among all items, from 1, as `[users]`."""
        return self._number_of_each_user(self.files.ranks, "rank")

    def target_counts(self) -> npt.NDArray[np.int32]:
        """Read how often each user's test target occurs in the train part, as `[users]`."""
        return self._number_of_each_user(self.files.target_counts, "count")

    def _number_of_each_user(self, path: Path, title: str) -> npt.NDArray[np.int32]:
        try:
            numbers = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DamagedRecord(self.folder, f"{path}: cannot be read ({error}).") from error
        if numbers.ndim != 1 or numbers.dtype != np.int32 or not len(numbers):
            raise DamagedRecord(
                self.folder,
                f"{path}: holds {numbers.dtype} of shape {numbers.shape}, not an int32 {title} of "
                "each user.",
            )
        return numbers


def read_record(folder: Path) -> Record:
    """Read the finished record in `folder` and check that its files belong together.

    Raises `DamagedRecord`, which names the file, if one is damaged or not in its place.
    """
    path = RunFiles(folder).metrics
    try:
        record = check_values(Record, {**read_json(path), "folder": folder}, str(path))
    except SeqrecError as error:
        raise DamagedRecord(folder, str(error)) from None
    if problem := _misplaced(record) or _unlike_ranks(record) or _unlike_history(record):
        raise DamagedRecord(folder, problem)
    return record


def _misplaced(record: Record) -> str:
    place = run_folder(*record.run)
    if record.folder.absolute().parts[-3:] == place.parts[-3:]:
        return ""
    return (
        f"{record.files.metrics}: holds dataset {record.dataset!r}, model {record.model!r} and "
        f"seed {record.seed}, which belong in {place.as_posix()}/."
    )


def _unlike_ranks(record: Record) -> str:
    ranks = record.ranks()
    if (best := ranks.min()) < 1:
        return f"{record.files.ranks}: holds rank {best}, and ranks count from 1."
    if len(ranks) != len(record.target_counts()):
        return f"{record.files.target_counts}: holds other users than ranks.npy."
    for metric, found in _metrics(record.test, ranks).items():
        said = record.test[metric]
        if not math.isclose(said, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            return (
                f"{record.files.metrics}: has {metric} {said:.6f} in the test, and ranks.npy gives "
                f"{found:.6f}: the two are not of one run."
            )
    return ""


def _unlike_history(record: Record) -> str:
    epochs = record.history()["epoch"].tolist()
    if record.epochs is None and epochs:
        return f"{record.files.history}: holds epochs, and metrics.json says that there were none."
    if record.epochs is not None and record.best_epoch not in epochs:
        return f"{record.files.history}: lacks the best epoch, {record.best_epoch}."
    return ""


def _metrics(names: Iterable[str], ranks: npt.NDArray[np.int32]) -> dict[str, float]:
    """Compute those of the metrics `<name>@<k>` that follow from 1-based `ranks` `[users]`."""
    parts = [(metric, *metric.partition("@")[::2]) for metric in names]
    asked = [(metric, name, int(k)) for metric, name, k in parts if name in GAINS and k.isdecimal()]
    # Other ranks add nothing, and they are most of them.
    hits = ranks[ranks <= max((k for *_, k in asked), default=0)]
    return {metric: user_metric(hits, name, k).sum() / len(ranks) for metric, name, k in asked}


def _damage_of(history: pd.DataFrame) -> str:
    if lacking := set(HISTORY_COLUMNS) - set(history.columns):
        return f"it lacks the column {', '.join(sorted(lacking))}"
    for name in history.columns:
        if len(history) and not pd.api.types.is_numeric_dtype(history[name]):
            return f"its column {name!r} holds something other than numbers"
    return ""

"""The record of a finished run: what it holds, and how it is read and checked."""

import hashlib
import math
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    computed_field,
    model_validator,
)

from seqrec.errors import SeqrecError
from seqrec.files import open_regular, read_regular, require_inside
from seqrec.layout import ResultFiles, Run, RunFiles, run_folder
from seqrec.protocol.metrics import GAINS, REPORTED_METRICS, STOPPING_METRIC
from seqrec.records.json_files import plain_values, read_json
from seqrec.records.tables import epochs_in, history_table, numbers_of_users, seconds_after
from seqrec.typed_yaml import check_values

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
"""The format of the records that this version writes and reads."""

TOLERANCE = 1e-9
"""How much a metric may differ when its sum is taken in another order."""

FROM_JSON = {"values": "plain"}
"""The context of values that were read from JSON and need no conversion."""

MOST_CUTOFF = 100_000
"""Largest cutoff of the metrics that are compared with the ranks."""

MOST_BYTES = 1 << 30
"""Size that no file of a record reaches but its weights: ranks of 250 million users."""


class UnusableRecord(SeqrecError):
    """A record that cannot be used, for a `problem` and with the remedy of its kind."""

    def __init__(self, folder: Path, problem: str) -> None:
        self.problem = problem
        super().__init__(f"{problem} {self.remedy(folder)}")

    @staticmethod
    def remedy(folder: Path) -> str:
        """Say what to do about the record in `folder`."""
        raise NotImplementedError


class DamagedRecord(UnusableRecord):
    """A record whose files are not what a run has written."""

    @staticmethod
    def remedy(folder: Path) -> str:
        return f"Delete {folder} and run the experiment again."


class UnreadableRecord(UnusableRecord):
    """A record that the operating system does not let us read; it may be whole."""

    @staticmethod
    def remedy(folder: Path) -> str:
        return f"Make {folder} and its files readable, then try again."


class NewerRecord(UnusableRecord):
    """A record of a later format, whole for all that we know."""

    @staticmethod
    def remedy(folder: Path) -> str:
        return f"Update seqrec to read {folder}; until then it is left as it is."


class _Part(BaseModel):
    """A part of `metrics.json`. Keys that this version does not know are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


Count = Annotated[int, Field(ge=0, lt=2**63)]
Positive = Annotated[int, Field(ge=1, lt=2**63)]
Number = Annotated[int, Field(gt=-(2**63), lt=2**63)] | float | None


class Data(_Part):
    """The data that a run was trained on."""

    sha256: str
    """Digest of the preprocessed log."""
    statistics: dict[str, Number]


class Provenance(_Part):
    """The code that trained a run."""

    version: str
    commit: str | None
    training_code: str
    """Fingerprint of the package's training code."""
    model_code: str | None = None
    """SHA-256 of a custom model's file, in older records with its comments; None for the package's
    models and in the oldest records."""


class Piece(_Part):
    """What one piece of a training computed with: the training was stopped and went on there."""

    first_epoch: Positive
    threads: Positive
    device: str
    """Name of the kind of device, such as its product name."""
    libraries: dict[str, str]
    """Versions of Python and of the libraries that decide a result."""


def _with_reported_metrics(test: dict[str, float]) -> dict[str, float]:
    if lacking := [name for name in REPORTED_METRICS if name not in test]:
        raise ValueError(f"lacks {', '.join(lacking)}")
    return test


def _with_stopping_metric(validation: dict[str, float]) -> dict[str, float]:
    if STOPPING_METRIC not in validation:
        raise ValueError(f"lacks {STOPPING_METRIC}")
    return validation


class _Loss(_Part):
    kind: str | None = None


class _Training(_Part):
    patience: Positive | None = None
    max_epochs: Positive | None = None


class _Config(_Part):
    """What tables read of a configuration, which may be that of any version."""

    implementation: str = ""
    loss: _Loss | None = None
    training: _Training | None = None


MetricName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,60}(@[1-9][0-9]{0,8})?$")
]
Metrics = dict[MetricName, float]
Seconds = Annotated[float, Field(ge=0, le=1e12)]


class Record(_Part):
    """The record of a finished run: the content of `metrics.json`, and the way to its arrays."""

    @model_validator(mode="before")
    @classmethod
    def _without_numpy(cls, data: Any, info: ValidationInfo) -> Any:
        return data if info.context is FROM_JSON else plain_values(data)

    folder: Path = Field(exclude=True)
    """Where the record lies; not part of its content."""
    format: Literal[1]
    dataset: str
    model: str
    negatives: Positive | None
    """Sampled negatives for each positive; None for a loss over all items and without a loss."""
    seed: Count
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
    """Which of the machine's devices it was. None in the oldest records, like the next two."""
    logits_per_chunk: Positive | None = None
    compile: bool | None = None
    threads: Positive
    runs_sharing_device: Positive
    """The most runs, this one included, that were seen on the device at once."""
    precision: str
    job: dict[str, str] | None = None
    """Variables that identify the cluster's job; None outside of one."""
    peak_memory_bytes: Count
    parameters: Count
    """Number of weights."""
    epochs: Positive | None
    """Epochs trained; None for a model without epochs."""
    best_epoch: Positive | None
    training_seconds: Seconds
    validation: Annotated[Metrics, AfterValidator(_with_stopping_metric)]
    """Validation metrics of the best epoch, by names such as `ndcg@10`."""
    test: Annotated[Metrics, AfterValidator(_with_reported_metrics)]
    """Test metrics of the best epoch."""
    test_sampled: dict[str, Metrics] | None = None
    """Test metrics against sampled items, by the way of sampling; None unless asked for."""
    pieces: list[Piece] | None = None
    """The pieces of a training whose pieces computed with different things; None for others."""
    digests: dict[str, str] | None = None
    """SHA-256 of the record's other files by name, of the weights too; None in older records."""

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
        """Return what `metrics.json` holds as plain values, without optional keys that are None."""
        names = ("test_sampled", "pieces", "digests")
        optional = {name: getattr(self, name) for name in names}
        return self.model_dump(exclude={key for key, value in optional.items() if value is None})

    def history(self) -> "pd.DataFrame":
        """Read the history: one line per epoch, and no line for a model without epochs.

        Raises `DamagedRecord` if a column is missing or is not numeric.
        """
        try:
            return history_table(self.read(self.files.history))
        except ValueError as error:
            problem = f"{self.files.history}: is not a training history ({_short(error)})."
            raise DamagedRecord(self.folder, problem) from None

    def seconds_to_best(self) -> float:
        """Read the training time up to the end of the best epoch, which there must be."""
        return seconds_after(self.read(self.files.history) or b"", self.best_epoch or 0)

    def ranks(self) -> npt.NDArray[np.int32]:
        """Read the rank of each user's test target among all items, from 1, as `[users]`."""
        return self._number_of_each_user(self.files.ranks, "rank")

    def target_counts(self) -> npt.NDArray[np.int32]:
        """Read how often each user's test target occurs in the train part, as `[users]`."""
        return self._number_of_each_user(self.files.target_counts, "count")

    def _number_of_each_user(self, path: Path, title: str) -> npt.NDArray[np.int32]:
        content = self.read(path)
        if content is None:
            raise DamagedRecord(self.folder, f"{path}: is missing.")
        try:
            return numbers_of_users(content, title)
        except ValueError as error:
            raise DamagedRecord(self.folder, f"{path}: {_short(error)}.") from None

    def read(self, path: Path) -> bytes | None:
        """Read one of the record's files; None if it is missing.

        Raises `UnusableRecord` if it is not the file that was written with the record.
        """
        try:
            content = read_regular(path, MOST_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(self.folder, path, error) from None
        except SeqrecError as error:
            raise DamagedRecord(self.folder, str(error)) from None
        self._require_digest(path, hashlib.sha256(content).hexdigest())
        return content

    def require_recorded(self, path: Path) -> None:
        """Raise `UnusableRecord` unless `path`, which may be large, was written with the record.

        Older records do not tell.
        """
        try:
            with open_regular(path) as file:
                if self.digests and path.name in self.digests:
                    self._require_digest(path, hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise _unreadable(self.folder, path, error) from None

    def _require_digest(self, path: Path, found: str) -> None:
        if self.digests and self.digests.get(path.name, found) != found:
            problem = f"{path}: is not the file that was written with metrics.json."
            raise DamagedRecord(self.folder, problem)


def has_record(folder: Path) -> bool:
    """Tell whether a folder holds a record, whatever its state."""
    try:
        RunFiles(folder).metrics.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # reading it will say why not
    return True


def read_record(folder: Path) -> Record:
    """Read the finished record in `folder` and check that its files belong together.

    Raises `UnusableRecord`, which names the file, if one is damaged, unreadable or of a later
    format, or if the record is not in its place.
    """
    record = read_metrics(folder)
    if problem := _misplaced(record) or _unlike_ranks(record) or _unlike_history(record):
        raise DamagedRecord(folder, problem)
    if record.digests and record.files.config.name in record.digests:
        record.read(record.files.config)
    return record


def read_metrics(folder: Path) -> Record:
    """Read `metrics.json` alone, wherever the folder lies; raises `UnusableRecord`."""
    path = RunFiles(folder).metrics
    try:
        content = read_json(path)
        if (version := content.get("format")) != FORMAT and _is_newer(version):
            problem = f"{path}: was written by a newer seqrec (format {version}, here {FORMAT})."
            raise NewerRecord(folder, problem)
        record = _checked(Record, {**content, "folder": folder}, str(path))
        _checked(_Config, record.config, f"{path}: config")
    except OSError as error:
        raise _unreadable(folder, path, error) from None
    except UnusableRecord:
        raise
    except SeqrecError as error:
        problem = str(error).removeprefix(f"{path}: ")
        raise DamagedRecord(folder, f"{path}: {_short(problem)}") from None
    return record


Part = TypeVar("Part", bound=_Part)


def _checked(model: type[Part], data: dict[str, Any], where: str) -> Part:
    """Build `model` at once, as there may be thousands; `check_values` says what is wrong."""
    try:
        return model.model_validate(data, context=FROM_JSON)
    except ValidationError:
        return check_values(model, data, where)


def require_replaceable(folder: Path) -> None:
    """Raise `SeqrecError` if nothing may be written into a run's folder.

    That is so if a link leads out of the experiment's results, and if the folder holds a record
    that is unreadable or of a later format.
    """
    if len(folder.parents) > 3 and ResultFiles(folder.parents[3]).runs == folder.parents[2]:
        require_inside(folder, folder.parents[3])
    if not has_record(folder):
        return
    try:
        read_metrics(folder)
    except DamagedRecord:
        return


def _is_newer(version: object) -> bool:
    return isinstance(version, int) and not isinstance(version, bool) and version > FORMAT


def _unreadable(folder: Path, path: Path, error: OSError) -> UnreadableRecord:
    why = error.strerror or os.strerror(error.errno or 0)
    return UnreadableRecord(folder, f"{path}: cannot be read ({why}).")


def _short(error: object) -> str:
    """Return what an error says, cut short: it may quote a whole file."""
    text = str(error)
    return text if len(text) <= 200 else f"{text[:200]} ..."


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
    content = record.read(record.files.history)
    try:
        epochs = epochs_in(content) if content is not None else []
    except ValueError as error:
        return f"{record.files.history}: is not a training history ({_short(error)})."
    if record.epochs is None and epochs:
        return f"{record.files.history}: holds epochs, and metrics.json says that there were none."
    if record.epochs is None and record.best_epoch is not None:
        return f"{record.files.metrics}: has a best epoch, and no epochs."
    if record.epochs is not None and record.best_epoch not in epochs:
        return f"{record.files.history}: lacks the best epoch, {record.best_epoch}."
    return ""


def _metrics(names: Iterable[str], ranks: npt.NDArray[np.int32]) -> dict[str, float]:
    """Compute those of the metrics `<name>@<k>` that follow from 1-based `ranks` `[users]`."""
    parts = [(metric, *metric.partition("@")[::2]) for metric in names]
    asked = [(metric, name, int(k)) for metric, name, k in parts if name in GAINS and k.isdecimal()]
    asked = [one for one in asked if one[-1] <= MOST_CUTOFF]
    most = max((k for *_, k in asked), default=0)
    # Other ranks add nothing, and the same rank always adds the same.
    counts = np.bincount(ranks[ranks <= most], minlength=most + 1)
    return {
        metric: float(counts[1 : k + 1] @ _gains(name, most)[:k]) / len(ranks)
        for metric, name, k in asked
    }


@cache
def _gains(name: str, most: int) -> npt.NDArray[np.float64]:
    """Gains of the ranks from 1 to `most`, as `[most]`."""
    return GAINS[name](np.arange(1.0, most + 1))

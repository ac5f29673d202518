"""The record of a finished run: what `metrics.json` holds, and the files beside it."""

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    computed_field,
    model_validator,
)

from seqrec.errors import SeqrecError
from seqrec.files import open_regular, read_regular
from seqrec.json_files import plain_values
from seqrec.layout import Run, RunFiles, task_of
from seqrec.protocol.metrics import REPORTED_METRICS, STOPPING_METRIC
from seqrec.records.arrays import numbers_in
from seqrec.records.errors import DamagedRecord, UnreadableRecord
from seqrec.records.history import history_table
from seqrec.training.precision import Precision
from seqrec.typed_yaml import check_values
from seqrec.wording import shortened

if TYPE_CHECKING:
    import pandas as pd

FROM_JSON = {"values": "plain"}
"""The context of values that were read from JSON and need no conversion."""

LONGER_LISTS = "Score longer lists, or ask for smaller cutoffs."
"""What to do about a metric that a record lacks."""

MOST_RECORD_BYTES = 1 << 30
"""Size that no file of a record reaches but its weights: ranks of 250 million users."""


OPTIONAL = (
    "split",
    "refit_seconds",
    "test_sampled",
    "recommended_popularity",
    "cold",
    "pieces",
    "predictions",
    "digests",
)
"""Keys of `metrics.json` that are left out where there is nothing to say."""


class Part(BaseModel):
    """A part of `metrics.json`. Keys that this version does not know are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


NonNegative = Annotated[int, Field(ge=0, lt=2**63)]
Positive = Annotated[int, Field(ge=1, lt=2**63)]
Number = Annotated[int, Field(gt=-(2**63), lt=2**63)] | float | None


class Data(Part):
    """The data that a run was trained on."""

    sha256: str
    """Digest of the preprocessed log."""
    statistics: dict[str, Number]
    """What preprocessing counted."""


class Provenance(Part):
    """The code that trained a run."""

    version: str
    """Version of the package."""
    commit: str | None
    """Commit of the checkout, with `-dirty` where files differ from it; None outside git."""
    training_code: str
    """Fingerprint of the package's training code."""
    model_code: str | None = None
    """SHA-256 of a custom model's file, in older records with its comments; None for the package's
    models and in the oldest records."""
    loss_code: str | None = None
    """SHA-256 of a custom loss's file; left out for the package's losses."""


class TrainingPiece(Part):
    """What one piece of a training computed with: the training was stopped and went on there."""

    first_epoch: Positive
    """The epoch with which the piece began, from 1."""
    threads: Positive
    """CPU threads."""
    device: str
    """Name of the kind of device, such as its product name."""
    libraries: dict[str, str]
    """Versions of Python and of the libraries that decide a result."""


def _with_reported_metrics(test: dict[str, float]) -> dict[str, float]:
    if lacking := [name for name in REPORTED_METRICS if name not in test]:
        raise ValueError(f"lacks {', '.join(lacking)}")
    return test


class Predictions(Part):
    """The lists of another library that a record was made from, by `seqrec score`."""

    sha256: str
    """Digest of the file with the lists of the test users."""
    validation_sha256: str | None
    """Digest of the file with those of the validation users; None if there was none."""
    list_length: Positive | None
    """Items in the longest list: ranks beyond it are unknown, and such targets count as misses.
    None if every list holds all items."""


def _with_stopping_metric(validation: dict[str, float], info: ValidationInfo) -> dict[str, float]:
    """Refuse a record without it, unless another library predicted for the test alone."""
    is_for_test_alone = not validation and info.data.get("predictions")
    if STOPPING_METRIC not in validation and not is_for_test_alone:
        raise ValueError(f"lacks {STOPPING_METRIC}")
    return validation


class Cold(Part):
    """What a test asks for that nothing was learned about."""

    users: NonNegative
    """Test users who have no interaction in training."""
    items: NonNegative
    """Items among the test targets that occur in no user's train part."""


class KnownLoss(Part):
    """What is read of a loss."""

    kind: str


class KnownTraining(Part):
    """What is read of the settings of a training."""

    patience: Positive
    max_epochs: Positive


class KnownSplit(Part):
    """What is read of the split of a record."""

    kind: str = "leave-one-out"
    quantile: float | None = None
    at: str | None = None
    validation: str | None = None
    target: str = "last"
    seen: str = "drop"
    refit: bool = False


class KnownConfig(Part):
    """What is read of the configuration of a record, which may be that of any version."""

    implementation: str = ""
    loss: KnownLoss | None = None
    training: KnownTraining | None = None
    split: KnownSplit = KnownSplit()

    @property
    def loss_kind(self) -> str | None:
        return self.loss.kind if self.loss else None


RecordedMetric = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,60}(@[1-9][0-9]{0,8})?$")
]
Metrics = dict[RecordedMetric, float]
Duration = Annotated[float, Field(ge=0, le=1e12)]


class Record(Part):
    """The record of a finished run: the content of `metrics.json`, and the way to its arrays."""

    @model_validator(mode="before")
    @classmethod
    def _without_numpy(cls, data: Any, info: ValidationInfo) -> Any:
        return data if info.context is FROM_JSON else plain_values(data)

    folder: Path = Field(exclude=True)
    """Where the record lies; not part of its content."""
    format: Literal[1]
    """Version of the format of this file."""
    dataset: str
    """Name of the dataset."""
    split: str | None = None
    """Name of the split where the experiment has several."""
    model: str
    """Name of the model in the experiment."""
    negatives: Positive | None
    """Sampled negatives for each positive; None for a loss over all items and without a loss."""
    seed: NonNegative
    """What all of the run's randomness comes from."""
    config: dict[str, Any]
    """The resolved configuration of the run."""
    config_hash: str
    """SHA-256 of the configuration."""
    data: Data
    """What the run was trained on."""
    seqrec: Provenance
    """The code that trained it."""
    libraries: dict[str, str]
    """Versions of Python and of the libraries that decide a result."""
    device: str
    """Name of the kind of device, such as its product name."""
    device_kind: str
    """`cpu` or `cuda`."""
    device_id: str | None = None
    """Which of the machine's devices it was. None in the oldest records, like the next two."""
    logits_per_chunk: Positive | None = None
    """Most logits that the loss held at a time."""
    compile: bool | None = None
    """Whether the network was compiled."""
    threads: Positive
    """CPU threads."""
    runs_sharing_device: Positive
    """The most runs, this one included, that were seen on the device at once."""
    precision: Precision
    """Precision of the loss's matrix products; on a GPU, of the whole training step."""
    job: dict[str, str] | None = None
    """Variables that identify the cluster's job; None outside of one."""
    peak_memory_bytes: NonNegative
    """Peak memory: of the device on a GPU, of the process on a CPU."""
    parameters: NonNegative
    """Number of weights."""
    epochs: Positive | None
    """Epochs trained; None for a model without epochs."""
    best_epoch: Positive | None
    """The epoch whose weights were kept, from 1; None for a model without epochs."""
    training_seconds: Duration
    """Duration of the training loop with its validations."""
    refit_seconds: Duration | None = None
    """Duration of the training anew on train and validation, whose weights are kept; None if there
    was none."""
    predictions: Predictions | None = None
    """What another library predicted, if the record was made from that; None for a training of
    seqrec."""
    validation: Annotated[Metrics, AfterValidator(_with_stopping_metric)]
    """Validation metrics of the best epoch, by names such as `ndcg@10`; empty where another library
    predicted for the test alone."""
    test: Annotated[Metrics, AfterValidator(_with_reported_metrics)]
    """Test metrics of the best epoch."""
    test_sampled: dict[str, Metrics] | None = None
    """Test metrics against sampled items, by the way of sampling; None unless asked for."""
    recommended_popularity: Annotated[float, Field(ge=0)] | None = None
    """How often an item that is recommended in the test occurs in the train part, on average over
    recommendations; None in older records."""
    cold: Cold | None = None
    """Users and items of the test that are new after the cut; None under leave-one-out and in older
    records."""
    pieces: list[TrainingPiece] | None = None
    """The pieces of a training whose pieces computed with different things; None for others."""
    digests: dict[str, str] | None = None
    """SHA-256 of the record's other files by name, of the weights too; None in older records."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def seconds_per_epoch(self) -> float | None:
        return self.training_seconds / self.epochs if self.epochs else None

    @property
    def run(self) -> Run:
        return Run(self.task, self.model, self.seed)

    @property
    def task(self) -> str:
        """The dataset, or `<dataset>@<split>` where the experiment has several splits."""
        return task_of(self.dataset, self.split)

    @property
    def files(self) -> RunFiles:
        return RunFiles(self.folder)

    @property
    def list_length(self) -> int | None:
        """The largest cutoff at which there are metrics; None where there is no limit."""
        return self.predictions.list_length if self.predictions else None

    def lacks(self, metrics: Iterable[str]) -> str:
        """Say which metrics, such as `ndcg@20`, lie beyond the lists; empty if none does."""
        length = self.list_length
        if length is None:
            return ""
        beyond = [one for one in metrics if int(one.partition("@")[2] or 0) > length]
        return f"its lists hold {length} items: no {', '.join(beyond)}" if beyond else ""

    def require_metrics(self, metrics: Iterable[str]) -> None:
        """Raise `SeqrecError` for a metric beyond the lists that the ranks follow from."""
        if lacking := self.lacks(metrics):
            raise SeqrecError(f"{self.folder}: {lacking}. {LONGER_LISTS}")

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration without the seed: what all seeds of a model have in common."""
        return {key: value for key, value in self.config.items() if key != "seed"}

    @cached_property
    def known_config(self) -> KnownConfig:
        """The part of `config` that every version has; raises `SeqrecError` if it is malformed."""
        return check_values(KnownConfig, self.config, f"{self.files.metrics}: config")

    @property
    def users(self) -> int:
        """Number of users that were ranked for."""
        users = self.target_users()
        return len(self.ranks() if users is None else np.unique(users))

    def content(self) -> dict[str, Any]:
        """Return what `metrics.json` holds as plain values, without optional keys that are None."""
        left_out: dict[str, Any] = {name: True for name in OPTIONAL if getattr(self, name) is None}
        if self.seqrec.loss_code is None:
            left_out["seqrec"] = {"loss_code"}
        return self.model_dump(exclude=left_out)

    def history(self) -> "pd.DataFrame":
        """Read the history: one line per epoch, and no line for a model without epochs.

        Raises `DamagedRecord` if a column is missing or is not numeric.
        """
        try:
            return history_table(self.read(self.files.history))
        except ValueError as error:
            problem = f"{self.files.history}: is not a training history ({shortened(str(error))})."
            raise DamagedRecord(self.folder, problem) from None

    def ranks(self) -> npt.NDArray[np.int32]:
        """Read the rank of each test target among all items, from 1, as `[targets]`.

        There is one of each user of the log, in order, unless `target_users` says otherwise.
        """
        return self._numbers(self.files.ranks, "rank of each user")

    def target_counts(self) -> npt.NDArray[np.int32]:
        """Read how often each test target occurs in the train part, as `[targets]`."""
        return self._numbers(self.files.target_counts, "count of each user")

    def recommended_counts(self) -> npt.NDArray[np.int32] | None:
        """Read to how many test users each item is recommended, as `[items]`; item 1 is first.

        A user is recommended the ten unseen items with the highest scores, or all where there are
        fewer. None for a record of an older version, which lacks the counts.
        """
        return self._optional_numbers(self.files.recommended_counts, "count of each item")

    def history_lengths(self) -> npt.NDArray[np.int32] | None:
        """Read how long the history is that each test target was ranked from, as `[targets]`.

        None for a record of an older version, which lacks the lengths.
        """
        return self._optional_numbers(self.files.history_lengths, "length of each history")

    def target_users(self) -> npt.NDArray[np.int32] | None:
        """Read whose each test target is, counted from 0 in the log, as `[targets]`.

        A user's targets stand side by side. None if every user has one, in order.
        """
        return self._optional_numbers(self.files.target_users, "user of each target")

    @property
    def has_sets(self) -> bool:
        """Whether a user's test targets are ranked for at once, and metrics are those of sets."""
        return self.known_config.split.target == "all"

    def _optional_numbers(self, path: Path, title: str) -> npt.NDArray[np.int32] | None:
        return self._numbers(path, title) if path.name in (self.digests or {}) else None

    def _numbers(self, path: Path, title: str) -> npt.NDArray[np.int32]:
        content = self.read(path)
        if content is None:
            raise DamagedRecord(self.folder, f"{path}: is missing.")
        try:
            return numbers_in(content, title)
        except ValueError as error:
            raise DamagedRecord(self.folder, f"{path}: {shortened(str(error))}.") from None

    def read(self, path: Path) -> bytes | None:
        """Read one of the record's files; None if it is missing.

        Raises `UnusableRecord` if it is not the file that was written with the record.
        """
        try:
            content = self._read_own_or_shared(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnreadableRecord.of(self.folder, path, error) from None
        except SeqrecError as error:
            raise DamagedRecord(self.folder, str(error)) from None
        self._require_digest(path, hashlib.sha256(content).hexdigest())
        return content

    def _read_own_or_shared(self, path: Path) -> bytes:
        """Read a file of the record, or what promoted records of a task have in common."""
        try:
            return read_regular(path, MOST_RECORD_BYTES)
        except FileNotFoundError:
            # The digest tells that the shared file is of this record, too; older records have none.
            if path not in self.files.of_targets or path.name not in (self.digests or [path.name]):
                raise
            return read_regular(self.files.shared(path), MOST_RECORD_BYTES)

    def require_recorded(self, path: Path) -> None:
        """Raise `UnusableRecord` unless `path`, which may be large, was written with the record.

        Older records do not tell.
        """
        try:
            with open_regular(path) as file:
                if self.digests and path.name in self.digests:
                    self._require_digest(path, hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise UnreadableRecord.of(self.folder, path, error) from None

    def _require_digest(self, path: Path, found: str) -> None:
        if self.digests and self.digests.get(path.name, found) != found:
            problem = f"{path}: is not the file that was written with metrics.json."
            raise DamagedRecord(self.folder, problem)

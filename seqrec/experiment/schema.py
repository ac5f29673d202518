"""The typed contents of an experiment: its YAML files, and the configuration of a run."""

import hashlib
import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    create_model,
    model_validator,
)

from seqrec.data.datasets import Dataset
from seqrec.typed_yaml import Name, Strict

CONFIG = Path("config")


def _refuse_a_number(value: Any) -> Any:
    if isinstance(value, int):  # one seed, or so many? The other takes days
        raise ValueError(f"write [{value}] for this seed, or [0, 1, 2] for three")
    return value


def _each_once(values: list[int]) -> list[int]:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{value} is listed twice")
    return values


Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""What torch takes and tables can hold."""


Seeds = Annotated[
    list[Seed], Field(min_length=1), BeforeValidator(_refuse_a_number), AfterValidator(_each_once)
]


class Loss(Strict):
    """What is minimised. A model without a loss is not trained but fits itself."""

    kind: Literal["cross-entropy", "sampled-cross-entropy", "binary-cross-entropy"]
    """Over all items; over the target and its negatives; or one binary decision for each."""
    negatives: PositiveInt | None = None
    """Negatives drawn for each target, for the two sampled kinds."""
    sharing: Literal["sequence", "position"] | None = None
    """Negatives drawn once a sequence without replacement (default of sampled-cross-entropy), or
    for each position with replacement (default of binary-cross-entropy)."""

    @model_validator(mode="before")
    @classmethod
    def _default_sharing(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("sharing") is None:
            default = {"sampled-cross-entropy": "sequence", "binary-cross-entropy": "position"}
            data = {**data, "sharing": default.get(data.get("kind", ""))}
        return data

    @model_validator(mode="after")
    def _negatives_fit_the_kind(self) -> "Loss":
        if self.kind == "cross-entropy" and (self.negatives or self.sharing):
            raise ValueError("cross-entropy scores all items; leave out negatives and sharing")
        if self.kind != "cross-entropy" and self.negatives is None:
            raise ValueError(f"{self.kind} needs 'negatives: N'")
        return self


class Training(Strict):
    """Optimisation with early stopping on NDCG@10 of the validation items."""

    batch_size: PositiveInt = 128
    """Users in a batch."""
    learning_rate: PositiveFloat = 1e-3
    """Of Adam."""
    max_epochs: PositiveInt = 100
    patience: PositiveInt = 10
    """Epochs without a better validation NDCG@10 after which training stops."""
    validation_users: PositiveInt = 10_000
    """Users validated after each epoch, drawn once a run where there are more."""


class Evaluation(Strict):
    """Full ranking of all unseen items; sampled metrics only where asked for."""

    batch_size: PositiveInt = 256
    """Users scored at a time."""
    cutoffs: Annotated[list[PositiveInt], Field(min_length=1)] = [10, 100]
    """The k of HitRate@k, NDCG@k and MRR@k; 10 is always there, early stopping needs it."""
    sampled_negatives: PositiveInt | None = None
    """Also rank each test target among so many unseen items, drawn uniformly and by popularity."""


def _partial(model: type[Strict]) -> type[Strict]:
    """The same keys and checks with every key optional, for values that override others."""
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        checks = Field(description=field.description)
        checks.metadata = field.metadata
        fields[name] = (Annotated[field.annotation, checks], None)
    return create_model(f"{model.__name__}Values", __base__=Strict, __doc__=model.__doc__, **fields)


TrainingValues = _partial(Training)


EvaluationValues = _partial(Evaluation)


class ModelEntry(Strict):
    """`config/models/<name>.yaml`: an implementation with its loss and hyperparameters.

    A file named `<base>+N.yaml` serves every `<base>+<number>`; the value `N` stands for it.
    """

    implementation: str
    """One of the package's models, or an import path `package.module:Class` to your own."""
    title: str = ""
    """What tables and figures call a model of your own; its name if left out."""
    description: str = ""
    hyperparameters: dict[str, Any] = {}
    loss: Loss | None = None
    """Left out for models that fit themselves (popularity, bpr-mf)."""
    training: TrainingValues = Field(default_factory=TrainingValues)  # type: ignore[valid-type]


class NamedModel(Strict):
    """A model of one experiment alone: another entry with some values changed."""

    name: Name
    like: str
    """The entry of `config/models/` to start from."""
    hyperparameters: dict[str, Any] = {}
    loss: Loss | None = None
    training: TrainingValues = Field(default_factory=TrainingValues)  # type: ignore[valid-type]


class Override(Strict):
    """Values for some of the runs: those of the named datasets and models (all if left out)."""

    datasets: list[str] | None = None
    models: list[str] | None = None
    """Names or patterns such as `sasrec*`."""
    seeds: Seeds | None = None
    """Seeds to run instead of the experiment's."""
    max_length: PositiveInt | None = None
    hyperparameters: dict[str, Any] = {}
    loss: Loss | None = None
    training: TrainingValues = Field(default_factory=TrainingValues)  # type: ignore[valid-type]
    evaluation: EvaluationValues = Field(  # type: ignore[valid-type]
        default_factory=EvaluationValues
    )

    def applies(self, dataset: str, model: str) -> bool:
        return all(
            patterns is None or any(fnmatchcase(name, pattern) for pattern in patterns)
            for patterns, name in ((self.datasets, dataset), (self.models, model))
        )


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class Experiment(Strict):
    """`config/<experiment>.yaml`: the grid of runs and what differs between them."""

    description: str = ""
    datasets: Annotated[list[Name], Field(min_length=1), BeforeValidator(_listed)]
    models: Annotated[list[Name | NamedModel], Field(min_length=1), BeforeValidator(_listed)]
    """Names of `config/models/`, or entries of this experiment alone (`name`, `like`, changes)."""
    negatives: Annotated[list[PositiveInt], BeforeValidator(_listed)] = []
    """Every model named `...+N` is run once for each of these."""
    seeds: Seeds = [0]
    """The seeds themselves, a run for each: `[0, 1, 2]` are three."""
    training: TrainingValues = Field(default_factory=TrainingValues)  # type: ignore[valid-type]
    evaluation: EvaluationValues = Field(  # type: ignore[valid-type]
        default_factory=EvaluationValues
    )
    overrides: list[Override] = []


class RunConfig(Strict):
    """Everything that decides the result of one run; its hash and the data's are its identity."""

    dataset: Name
    model: Name
    seed: Seed
    implementation: str
    hyperparameters: dict[str, Any]
    max_length: Annotated[int, Field(ge=2)]
    """Items that the model reads of a user, the most recent ones."""
    loss: Loss | None
    training: Training | None
    evaluation: Evaluation

    def json(self) -> str:  # type: ignore[override]
        """One line with sorted keys: equal for equal configurations."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def hash(self) -> str:
        """SHA-256 of `json()`."""
        return hashlib.sha256(self.json().encode()).hexdigest()

    @property
    def folder(self) -> Path:
        """The run's folder inside an experiment's results."""
        return Path("runs", self.dataset, self.model, f"seed-{self.seed}")


SCHEMAS: dict[str, type[Strict]] = {
    "dataset": Dataset,
    "experiment": Experiment,
    "model": ModelEntry,
}
"""The kinds of configuration file."""


def json_schemas() -> dict[Path, str]:
    """The JSON Schemas for editors: the text of each file of `config/schema/`."""
    return {
        CONFIG / "schema" / f"{kind}.schema.json": json.dumps(model.model_json_schema(), indent=2)
        + "\n"
        for kind, model in SCHEMAS.items()
    }

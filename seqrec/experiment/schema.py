"""The schema of experiments: what their YAML files may say, and the configuration of a run."""

import hashlib
import json
from collections import Counter
from datetime import UTC, date, datetime, time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    create_model,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from seqrec.data.datasets import Dataset
from seqrec.experiment.search import GridSpace, Search
from seqrec.layout import CONFIG_FILES, Run, task_of
from seqrec.typed_yaml import FileName, Name, Pattern, Strict
from seqrec.wording import nearest, quoted

Listed = TypeVar("Listed", int, str)


def _refuse_one_seed(value: Any) -> Any:
    if isinstance(value, int):  # one seed or that many? The wrong guess may take days
        raise ValueError(f"write [{value}] for this seed, or [0, 1, 2] for three")
    return value


def _each_once(values: list[Listed]) -> list[Listed]:
    """Refuse a list that has a value twice."""
    for value, count in Counter(values).items():
        if count > 1:
            raise ValueError(f"{value} is listed twice")
    return values


Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""What torch accepts and tables can hold."""
MOMENT = "write a date, such as 2014-05-01, or a time, such as 2014-05-01T12:00:00"
Seeds = Annotated[
    list[Seed], Field(min_length=1), BeforeValidator(_refuse_one_seed), AfterValidator(_each_once)
]


def _as_moment(value: Any) -> Any:
    """Write a date, a time or Unix seconds in one way: equal moments give equal configurations."""
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(MOMENT) from None
    elif isinstance(value, int) and not isinstance(value, bool):
        if len(str(value)) in (len("2014"), len("20140501")):  # such seconds are in 1970
            raise ValueError(f"{value} is a number of seconds; write a date as 2014-05-01")
        try:
            moment = datetime.fromtimestamp(value, UTC)
        except (ValueError, OverflowError, OSError):
            raise ValueError(MOMENT) from None
    elif isinstance(value, date) and not isinstance(value, datetime):
        moment = datetime.combine(value, time())
    if not isinstance(moment, datetime):
        return value
    try:
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC).replace(microsecond=0)
    except OverflowError:  # its time zone leads out of the years 1 to 9999
        raise ValueError(MOMENT) from None
    at_midnight = moment.time() == time()
    return moment.date().isoformat() if at_midnight else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class SplitRule(Strict):
    """How a log is split into train, validation and test."""

    kind: Literal["leave-one-out", "global-temporal"] = "leave-one-out"
    """A user's last item is the test target and the one before it the validation target; or
    everything after one moment, the same for all users, is for the test."""
    quantile: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of the log's interactions that lie before the cut of global-temporal (default 0.9), and
    of the train part's that lie before the cut of its validation by-time."""
    at: Annotated[str | None, BeforeValidator(_as_moment)] = None
    """The moment of the cut, in place of a quantile of all times: a date, such as 2014-05-01, which
    means its first moment in UTC, or a time, such as 2014-05-01T12:00:00. An interaction at that
    very moment is for training."""
    validation: Literal["by-time", "last-train-item", "by-user"] | None = None
    """What of the train part of global-temporal is for validation: what comes after a second cut
    (default), each user's last item, or the last items of 1,024 users, at most half of all, who
    leave training. The target is the last item; of more than 1,024 users, as many are drawn."""
    target: Literal["last", "first", "random", "successive", "all"] | None = None
    """Which of a test user's items after the cut of global-temporal is the target: the last
    (default), the first or one at random; or each of them, one by one, or all of them at once."""
    refit: bool = False
    """After early stopping, train anew on train and validation together, for the best number of
    epochs, and test that model."""
    seen: Literal["drop", "keep"] = "drop"
    """Whether to rank and recommend items that the user has seen; `keep` is for data in which users
    come back to items."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_defaults(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("kind") != "global-temporal":
            return data
        defaults = {"quantile": 0.9, "validation": "by-time", "target": "last"}
        return data | {key: value for key, value in defaults.items() if data.get(key) is None}

    @model_validator(mode="after")
    def _keys_fit_the_kind(self) -> "SplitRule":
        if self.kind == "leave-one-out":
            for key in ("quantile", "at", "validation", "target"):
                if getattr(self, key) is not None:
                    raise ValueError(f"leave-one-out has no {key}; add kind: global-temporal")
        return self

    def written(self) -> dict[str, Any]:
        """Return the keys that this kind of split has, as plain values."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def cut(self) -> int | None:
        """Return the moment of `at` in Unix seconds; None without it."""
        if self.at is None:
            return None
        moment = datetime.fromisoformat(self.at)
        return int(moment.replace(tzinfo=UTC).timestamp())


MetricName = Annotated[
    str,
    Pattern(
        r"^(hit_rate|ndcg|mrr)@[1-9][0-9]{0,8}$",
        "write hit_rate@k, ndcg@k or mrr@k with a number, as in ndcg@20",
    ),
]

TestMetricName = Annotated[
    str,
    Pattern(
        r"^(hit_rate|ndcg|mrr|recall|precision|map)@[1-9][0-9]{0,8}$",
        "write hit_rate@k, ndcg@k, mrr@k, recall@k, precision@k or map@k with a number, as in "
        "ndcg@20",
    ),
]


class _Section(Strict):
    """A section that has got keys since it was first recorded.

    At their defaults these are left out, so that configurations from before keep their hashes.
    """

    LATER_KEYS: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = serialize(self)
        for key in self.LATER_KEYS:
            if getattr(self, key) == type(self).model_fields[key].default:
                content.pop(key, None)
        return content


BUILT_IN_LOSSES: dict[str, str | None] = {
    "cross-entropy": None,
    "sampled-cross-entropy": "sequence",
    "binary-cross-entropy": "position",
    "gbce": "position",
    "bpr": "position",
    "bpr-max": "sequence",
}
"""The losses of the package with the default `sharing` of their negatives; None for a loss over all
items. Their formulas are in `seqrec.training.losses.formulas`."""

EXAMPLE_LOSS = "my_losses:margin"


def _refuse_unknown_loss(value: Any) -> Any:
    if isinstance(value, str) and (":" in value or value in BUILT_IN_LOSSES):
        return value
    hint = {"value": quoted(value), "hint": nearest(value, BUILT_IN_LOSSES), "own": EXAMPLE_LOSS}
    raise PydanticCustomError(
        "unknown_loss", "no {value}; {hint}; a loss of your own is written like {own}.", hint
    )


LossKind = Annotated[
    str,
    BeforeValidator(_refuse_unknown_loss),
    WithJsonSchema({"anyOf": [{"enum": [*BUILT_IN_LOSSES]}, {"type": "string", "pattern": ":"}]}),
]


class Loss(_Section):
    """The loss that training minimises. A model without one fits itself instead."""

    LATER_KEYS = ("sampling", "logq", "parameters")

    kind: LossKind
    """Cross-entropy over all items, or over the target and its negatives; or a binary decision for
    the target and each negative, of which gbce is a calibrated form; or the target before each
    negative (bpr), of which bpr-max weighs the negatives by their scores. Or a loss of your own,
    `package.module:function`."""
    negatives: PositiveInt | None = None
    """Number of negatives for each target. A loss of your own without it is one over all items."""
    sharing: Literal["sequence", "position"] | None = None
    """Draw negatives once per sequence, without replacement if they are uniform (default of
    sampled-cross-entropy, bpr-max and losses of your own), or for each position with replacement
    (default of binary-cross-entropy, gbce and bpr)."""
    sampling: Literal["uniform", "popularity", "in-batch"] = "uniform"
    """Draw negatives uniformly from the items of the train part, in proportion to how often they
    occur there, or from the targets of the other users in the batch; the last two with replacement.
    None ever draws an item of the sequence itself."""
    logq: bool = False
    """Subtract from each negative's logit the logarithm of how often its item is expected among the
    negatives. With popularity and a softmax, the loss is then an estimate of the one over all
    items."""
    parameters: dict[str, Any] = {}
    """Arguments of the loss's function that differ from its defaults, such as `t` of gbce (0.75) or
    `regularisation` of bpr-max (0)."""

    @model_validator(mode="before")
    @classmethod
    def _default_sharing(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if "kind" not in data and data.keys() <= cls.model_fields.keys():
            raise PydanticCustomError(
                "missing_kind",
                "'kind' is missing; a loss is given as a whole, as in loss.kind="
                "sampled-cross-entropy loss.negatives=100, or in a file "
                "{kind: sampled-cross-entropy, negatives: 100}",
            )
        if data.get("sharing") is None:
            own = None if data.get("negatives") is None else "sequence"
            data = {**data, "sharing": BUILT_IN_LOSSES.get(str(data.get("kind")), own)}
        return data

    @model_validator(mode="after")
    def _negatives_fit_the_kind(self) -> "Loss":
        if self.kind == "cross-entropy" and (self.negatives or self.sharing):
            raise ValueError("cross-entropy scores all items; leave out negatives and sharing")
        if self.negatives is None:
            if BUILT_IN_LOSSES.get(self.kind):
                raise ValueError(f"{self.kind} needs 'negatives: N'")
            for key in ("sharing", "sampling", "logq"):
                if getattr(self, key) not in (None, False, "uniform"):
                    raise ValueError(f"{key} is about negatives; add 'negatives: N'")
        if self.logq and self.sampling == "uniform":
            raise ValueError("logq corrects for sampling: popularity or in-batch; leave it out")
        return self


class Training(_Section):
    """How a network is trained, with early stopping."""

    LATER_KEYS = (
        "optimiser",
        "weight_decay",
        "warmup_steps",
        "schedule",
        "gradient_clipping",
        "stopping_metric",
        "sparse",
    )

    batch_size: PositiveInt = 128
    """Users per batch."""
    learning_rate: PositiveFloat = 1e-3
    """Learning rate of the optimiser; with warm-up or a schedule, its highest."""
    max_epochs: PositiveInt = 100
    """Epochs after which training stops at the latest."""
    patience: PositiveInt = 10
    """Stop after this many epochs without a better value of the stopping metric."""
    validation_users: PositiveInt = 10_000
    """Validate at most this many users after each epoch; a run draws them once."""
    optimiser: Literal["adam", "adamw"] = "adam"
    """Adam, whose weight decay is a part of the gradient, or AdamW, where it shrinks the weights by
    themselves."""
    weight_decay: NonNegativeFloat = 0.0
    """Weight decay of all weights."""
    warmup_steps: NonNegativeInt = 0
    """Steps over which the learning rate rises linearly from 0."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Keep the learning rate after the warm-up, or let it fall along half a cosine to 0 at the end
    of `max_epochs`."""
    gradient_clipping: PositiveFloat | None = None
    """Scale a step's gradient down to this norm where it is larger; none if left out."""
    stopping_metric: MetricName = "ndcg@10"
    """Validation metric of early stopping: `hit_rate@k`, `ndcg@k` or `mrr@k`, at any k."""
    sparse: bool = False
    """Compute gradients of those items alone that a step reads, and let Adam pass over the others
    (lazy Adam). For millions of items and a loss with negatives; results differ from Adam's."""

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> "Training":
        if self.optimiser == "adamw" and not self.weight_decay:
            raise ValueError("adamw without weight_decay is adam; add one, as weight_decay: 0.01")
        if self.sparse and (self.weight_decay or self.gradient_clipping is not None):
            raise ValueError(
                "sparse leaves most items alone, and weight_decay and gradient_clipping are about "
                "all of them; leave these out"
            )
        return self


class Evaluation(Strict):
    """How a model is evaluated: by ranking all unseen items, and sampled ones if asked for."""

    batch_size: PositiveInt = 256
    """Users to score at a time."""
    cutoffs: Annotated[list[PositiveInt], Field(min_length=1)] = [10, 100]
    """The k of HitRate@k, NDCG@k and MRR@k; 10 and that of the stopping metric are always added."""
    sampled_negatives: PositiveInt | None = None
    """Also rank each test target among this many unseen items, drawn uniformly and by
    popularity."""


def _partial(model: type[Strict]) -> type[Strict]:
    """Copy a section's keys and checks with every key optional, for values that override others."""
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        checks = Field(description=field.description)
        checks.metadata = field.metadata
        fields[name] = (Annotated[field.annotation, checks], None)
    return create_model(f"{model.__name__}Values", __base__=Strict, __doc__=model.__doc__, **fields)


SplitValues = _partial(SplitRule)
TrainingValues = _partial(Training)
EvaluationValues = _partial(Evaluation)


class ModelEntry(Strict):
    """`config/models/<name>.yaml`: an implementation with its loss and hyperparameters.

    A file named `<base>+N.yaml` is a template for every `<base>+<number>`: the value `N` stands for
    the number.
    """

    implementation: str
    """Name of a built-in model, or the import path `package.module:Class` of a custom one."""
    title: str = ""
    """Title of a custom model in tables and figures. Default: its name."""
    description: str = ""
    """What the model is, for those who read the file."""
    hyperparameters: dict[str, Any] = {}
    """Arguments of the implementation's constructor that differ from its defaults."""
    loss: Loss | None = None
    """Left out for models that fit themselves (popularity, bpr-mf)."""
    training: TrainingValues = Field(default_factory=TrainingValues)  # type: ignore[valid-type]
    """How the model is trained, where an experiment does not say otherwise."""


class NamedModel(Strict):
    """A model of one experiment alone: an entry of `config/models/` with some values changed."""

    name: Name
    """The model's name in this experiment."""
    like: Name
    """The entry of `config/models/` to start from."""
    title: str = ""
    """Title in tables and figures. Default: its name."""
    hyperparameters: dict[str, Any] = {}
    """Hyperparameters that differ from the entry's."""
    loss: Loss | None = None
    """A loss in place of the entry's, given as a whole."""
    training: TrainingValues = Field(default_factory=TrainingValues)  # type: ignore[valid-type]
    """Values of training that differ from the entry's."""


class Override(Strict):
    """Values for the runs of the named datasets and models; a key left out means all of them."""

    datasets: Annotated[list[str], Field(min_length=1)] | None = None
    """Names, or patterns such as `ml-*`."""
    models: Annotated[list[str], Field(min_length=1)] | None = None
    """Names, or patterns such as `sasrec*`."""
    seeds: Seeds | None = None
    """Seeds to run in place of the experiment's."""
    max_length: PositiveInt | None = None
    """How many of a user's most recent items the model reads, in place of the dataset's value."""
    split: SplitValues = Field(default_factory=SplitValues)  # type: ignore[valid-type]
    """Values of the split to set; with a `kind`, a split in place of the other."""
    hyperparameters: dict[str, Any] = {}
    """Hyperparameters to set."""
    loss: Loss | None = None
    """A loss in place of the model's, given as a whole."""
    training: TrainingValues = Field(default_factory=TrainingValues)  # type: ignore[valid-type]
    """Values of training to set."""
    evaluation: EvaluationValues = Field(  # type: ignore[valid-type]
        default_factory=EvaluationValues
    )
    """Values of evaluation to set."""

    def applies(self, dataset: str, model: str) -> bool:
        return all(
            patterns is None or any(fnmatchcase(name, pattern) for pattern in patterns)
            for patterns, name in ((self.datasets, dataset), (self.models, model))
        )


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class Report(Strict):
    """What the tables and figures of an experiment show; it changes no run."""

    metrics: Annotated[
        list[TestMetricName],
        Field(min_length=1),
        BeforeValidator(_listed),
        AfterValidator(_each_once),
    ] = ["hit_rate@10", "ndcg@10"]
    """Test metrics: `hit_rate@k`, `ndcg@k`, `mrr@k`, `recall@k`, `precision@k` or `map@k`, at any
    k. They follow from the ranks that every run records, so nothing is trained again. With one
    target a ranking, recall is the hit rate and MAP the MRR."""


class Experiment(Strict):
    """`config/<experiment>.yaml`: a grid of runs, and the values in which they differ."""

    description: str = ""
    """What the experiment is for, for those who read the file."""
    datasets: Annotated[list[Name], Field(min_length=1), BeforeValidator(_listed)]
    """Names of `config/datasets/`."""
    models: Annotated[list[Name | NamedModel], Field(min_length=1), BeforeValidator(_listed)]
    """Names of `config/models/`, or models of this experiment alone (`name`, `like`, changes)."""
    negatives: Annotated[list[PositiveInt], BeforeValidator(_listed)] = []
    """Numbers of negatives; every model named `...+N` is run once for each."""
    seeds: Seeds = [0]
    """A list of seeds, one run for each: `[0, 1, 2]` means three runs."""
    split: SplitValues = Field(default_factory=SplitValues)  # type: ignore[valid-type]
    """How every log is split; leave-one-out unless said otherwise."""
    splits: dict[Name, SplitRule] = {}
    """Several splits by name, in place of `split`: each dataset is run under each of them, as the
    task `<dataset>@<split>`."""
    training: TrainingValues = Field(default_factory=TrainingValues)  # type: ignore[valid-type]
    """Values of training for all runs; they take precedence over those of the models' entries."""
    evaluation: EvaluationValues = Field(  # type: ignore[valid-type]
        default_factory=EvaluationValues
    )
    """Values of evaluation for all runs."""
    report: Report = Report()
    """What tables and figures show."""
    overrides: list[Override] = []
    """Values for some datasets or models; where two apply, the later one counts."""
    grid: GridSpace = {}
    """Values of settings by names such as `training.learning_rate`; every model that has them is
    run with each combination."""
    search: Search | None = None
    """Settings to choose by validation, among trials that are drawn."""

    @model_validator(mode="after")
    def _one_way_to_try(self) -> "Experiment":
        if self.grid and self.search:
            raise ValueError("give 'grid' for every combination or 'search' for trials, not both")
        return self

    @model_validator(mode="after")
    def _one_way_to_split(self) -> "Experiment":
        if self.splits and "split" in self.model_fields_set:
            raise ValueError("give 'split' for all runs or 'splits' by name, not both")
        return self


class RunSplit(SplitRule):
    """The split of a run; it has a name where the experiment has several."""

    name: FileName | None = None
    """Name among the experiment's `splits`."""


class RunConfig(Strict):
    """Everything that decides the result of one run, apart from the data."""

    dataset: FileName
    model: FileName
    seed: Seed
    implementation: str
    hyperparameters: dict[str, Any]
    max_length: Annotated[int, Field(ge=2)]
    """How many of a user's most recent items the model reads."""
    loss: Loss | None
    training: Training | None
    evaluation: Evaluation
    split: RunSplit = RunSplit()

    @model_validator(mode="after")
    def _one_target_against_sampled_items(self) -> "RunConfig":
        if self.evaluation.sampled_negatives is not None and self.split.target == "all":
            raise ValueError(
                "evaluation.sampled_negatives ranks one target at a time; leave it out, or take "
                "another split.target than all"
            )
        return self

    @model_validator(mode="after")
    def _sparse_with_negatives(self) -> "RunConfig":
        if self.training and self.training.sparse and self.loss and self.loss.negatives is None:
            raise ValueError(
                f"training.sparse needs a loss with negatives: {self.loss.kind} has a gradient for "
                "every item. Leave training.sparse out, or take a sampled loss"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_the_default_split(
        self, serialize: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """Leave leave-one-out out: records from before there were other splits have no such key."""
        content: dict[str, Any] = serialize(self)
        if self.split == RunSplit():
            content.pop("split", None)
        else:
            content["split"] = self.split.written()
        return content

    def json(self) -> str:  # type: ignore[override]
        """Write one line of JSON with sorted keys: the same text for equal configurations."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def hash(self) -> str:
        """Return the SHA-256 of `json()`, which identifies the configuration."""
        return hashlib.sha256(self.json().encode()).hexdigest()

    @property
    def run(self) -> Run:
        return Run(task_of(self.dataset, self.split.name), self.model, self.seed)


SCHEMAS: dict[str, type[Strict]] = {
    "dataset": Dataset,
    "experiment": Experiment,
    "model": ModelEntry,
}
"""Contents of each kind of configuration file."""


def json_schemas() -> dict[Path, str]:
    """Return the JSON Schemas by which editors check configuration files, as texts by path."""
    return {
        CONFIG_FILES.schema(kind): json.dumps(model.model_json_schema(), indent=2) + "\n"
        for kind, model in SCHEMAS.items()
    }

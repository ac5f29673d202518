"""Experiments as data: from a small YAML file to the resolved configuration of every run.

An experiment names datasets and models; their entries live in `config/datasets/` and
`config/models/`. What is written later wins: the model's entry, then the experiment's common
`training` and `evaluation`, then its `overrides` in order, then settings of the command line.
Nothing here imports torch, so that a workflow of thousands of runs is planned in seconds.
"""

import hashlib
import importlib
import inspect
import json
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    PydanticSchemaGenerationError,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    create_model,
    model_validator,
)

from seqrec.datasets import Dataset, dataset_names, load_dataset
from seqrec.errors import SeqrecError
from seqrec.naming import TABLES
from seqrec.strict import NAME, Name, Strict, explain, load_yaml, nearest, parse_yaml, validate

CONFIG = Path("config")

Probability = Annotated[float, Field(ge=0.0, lt=1.0)]


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


class NoHyperparameters(Strict):
    """Popularity has none."""


class BPRMFHyperparameters(Strict):
    """Of BPR-MF, as the library `implicit` names them."""

    factors: PositiveInt = 128
    learning_rate: PositiveFloat = 0.05
    regularization: NonNegativeFloat = 0.01
    iterations: PositiveInt = 100


class GRU4RecHyperparameters(Strict):
    hidden_size: PositiveInt = 64
    layers: PositiveInt = 1


class _Transformer(Strict):
    hidden_size: PositiveInt = 64
    heads: PositiveInt = 1
    dropout: Probability = 0.1

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> "_Transformer":
        if self.hidden_size % self.heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of heads {self.heads}"
            )
        return self


class SASRecHyperparameters(_Transformer):
    blocks: PositiveInt = 2


class GPT4RecHyperparameters(_Transformer):
    layers: PositiveInt = 2


class BERT4RecHyperparameters(_Transformer):
    layers: PositiveInt = 2
    heads: PositiveInt = 2
    intermediate_size: PositiveInt = 256
    mask_probability: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2


IMPLEMENTATIONS: dict[str, tuple[str, type[Strict]]] = {
    "popularity": ("seqrec.models.popularity:Popularity", NoHyperparameters),
    "bpr-mf": ("seqrec.models.bprmf:BPRMF", BPRMFHyperparameters),
    "gru4rec": ("seqrec.models.gru4rec:GRU4Rec", GRU4RecHyperparameters),
    "sasrec": ("seqrec.models.sasrec:SASRec", SASRecHyperparameters),
    "gpt4rec": ("seqrec.models.gpt4rec:GPT4Rec", GPT4RecHyperparameters),
    "bert4rec": ("seqrec.models.bert4rec:BERT4Rec", BERT4RecHyperparameters),
}
"""The models of the package: import path and hyperparameters."""


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


class Grid:
    """An experiment with its name and its runs, in the order of the file."""

    def __init__(
        self,
        name: str,
        source: str,
        experiment: Experiment,
        config: Path,
        settings: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.settings = list(settings)
        """`key=value`, by which it differs from the file."""
        self.experiment = experiment
        self.runs = _expand(source, experiment, config)

    @property
    def datasets(self) -> list[str]:
        return list(dict.fromkeys(run.dataset for run in self.runs))

    def json(self) -> str:
        """The content of `grid.json`: what tables expect to find."""
        runs = [
            {
                "dataset": run.dataset,
                "model": run.model,
                "seed": run.seed,
                "config_hash": run.hash(),
            }
            for run in self.runs
        ]
        content = {"experiment": self.name, "settings": self.settings, "runs": runs}
        return json.dumps(content, sort_keys=True)


def load_experiment(
    name: str, settings: Sequence[str] = (), rename: str | None = None, config: Path = CONFIG
) -> Grid:
    """Read `config/<name>.yaml`, apply `key=value` settings, and expand it to its runs.

    With settings the experiment must be given a new name, whose results are kept apart.
    Raises `SeqrecError` for every mistake in the files or the settings.
    """
    # What was read for another experiment may have been edited since.
    _entry.cache_clear()
    _max_length.cache_clear()
    title = _results_name(name, settings, rename, config)
    path = config / f"{name}.yaml"
    data = load_yaml(path)
    source = str(path)
    grid = Grid(title, source, validate(Experiment, data, source), config)
    _refuse_idle_overrides(source, grid)
    if not settings:
        return grid
    # A narrower grid may leave some of the file's overrides without a run; that is no mistake.
    source, experiment = _changed(path, settings)
    return Grid(title, source, experiment, config, settings)


def load_run(
    name: str,
    dataset: str,
    model: str,
    seed: int,
    settings: Sequence[str] = (),
    rename: str | None = None,
    config: Path = CONFIG,
) -> tuple[str, RunConfig]:
    """The name of the results, and one run as the experiment would resolve it.

    The run need not be in the experiment's grid, and the settings need to fit this run alone.
    """
    title = _results_name(name, settings, rename, config)
    load_experiment(name, config=config)  # a mistake in the file is told as that
    source, experiment = _changed(config / f"{name}.yaml", settings)
    named = {m.name: m for m in experiment.models if isinstance(m, NamedModel)}
    run = _resolve(source, experiment, dataset, named.get(model, model), seed, config)
    for setting in settings:
        key = setting.partition("=")[0].partition(".")[0]
        if key in GRID_KEYS and not (key == "models" and model in named):
            raise SeqrecError(
                f"setting {setting!r}: {key!r} is about a grid, and this is one run. Give its "
                "dataset, its model (as sasrec+100) and its --seed instead."
            )
        if key in ("training", "loss") and run.loss is None:
            raise SeqrecError(
                f"setting {setting!r}: {model} fits itself, without a loop or a loss of ours; what "
                f"it has are hyperparameters ({', '.join(run.hyperparameters) or 'none'})."
            )
    return title, run


def resolve_cell(name: str, dataset: str, model: str, config: Path = CONFIG) -> RunConfig:
    """What an experiment has for a dataset and an entry of `config/models/`, in its grid or not; of
    seed 0."""
    source, experiment = _changed(config / f"{name}.yaml", [])
    return _resolve(source, experiment, dataset, model, 0, config)


def _empty_for_none(value: Any) -> Any:
    # What `--config key=` without a value comes in as.
    return "" if value is None else value


class WorkflowConfig(Strict):
    """`config/workflow.yaml`: what the workflow runs, and where."""

    experiment: Name
    """A file of `config/`, or `reference` for the promoted records."""
    name: Annotated[str, BeforeValidator(_empty_for_none)]
    """New name of an experiment that `set` changes."""
    set: Annotated[str, BeforeValidator(_empty_for_none)]
    """`key=value` settings, separated by spaces."""
    device: str
    runs_per_gpu: PositiveInt
    """Runs that may be on a GPU at a time; `profiles/gpu` starts as many."""
    threads: PositiveInt
    """CPU threads of a run."""
    precision: Literal["auto", "float32", "bfloat16"]
    """Of products with the item table in training; on a GPU, of the network's too."""
    logits_per_chunk: Annotated[
        str, BeforeValidator(str), StringConstraints(pattern=r"^(auto|[1-9][0-9]*)$")
    ]
    """Logits that a loss holds at a time."""
    compile: bool
    """Whether networks go through torch.compile."""
    retrain: Annotated[Literal["", "stale"], BeforeValidator(_empty_for_none)]
    """`stale`: a record of older training code does not count as finished."""
    track: Annotated[
        str,
        BeforeValidator(_empty_for_none),
        StringConstraints(pattern=r"^((tensorboard|clearml|mlflow) *)*$"),
    ]
    """Trackers that every run also reports to, separated by spaces."""


def load_model_entry(name: str, config: Path = CONFIG) -> ModelEntry:
    """Read `config/models/<name>.yaml`, or the `+N` template that serves the name."""
    folder = config / "models"
    path = folder / f"{name}.yaml"
    match = re.fullmatch(r"(.+)\+(\d+)", name)
    if not path.is_file() and match and (folder / f"{match[1]}+N.yaml").is_file():
        path = folder / f"{match[1]}+N.yaml"
        return _entry(path, int(match[2]))
    if not path.is_file() or name.endswith("+N"):
        if path.is_file():
            raise SeqrecError(f"model {name!r}: is a template; write a number for N.")
        known = [file.stem for file in folder.glob("*.yaml")]
        raise SeqrecError(f"model {name!r}: no {path}; {nearest(name, known)}")
    return _entry(path, None)


def json_schemas() -> dict[Path, str]:
    """The JSON Schemas for editors: the text of each file of `config/schema/`."""
    return {
        CONFIG / "schema" / f"{kind}.schema.json": json.dumps(model.model_json_schema(), indent=2)
        + "\n"
        for kind, model in SCHEMAS.items()
    }


def import_model(implementation: str) -> type:
    """The class behind an implementation's name or import path."""
    path = IMPLEMENTATIONS[implementation][0] if implementation in IMPLEMENTATIONS else None
    module_name, _, class_name = (path or implementation).partition(":")
    # Own models are looked for from the folder the experiment is run in.
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module_name), class_name)
        if not inspect.isclass(found):
            raise TypeError(f"{class_name} is no class")
    except Exception as error:  # whatever else somebody's file does while it is imported
        not_found = isinstance(error, ImportError | AttributeError | TypeError | ValueError)
        if not_found and not own_lines(error, implementation):
            raise SeqrecError(
                f"implementation {implementation!r} cannot be imported ({error}). Write one of "
                f"{', '.join(IMPLEMENTATIONS)}, or package.module:Class of a module that Python "
                "finds from the project's folder."
            ) from error
        raise mistake(error, implementation, "while it is imported") from error
    return found


def own_lines(error: Exception, implementation: str) -> list[str]:
    """Where `error` passed through the code of an own model or beside it, as `file:line`, the
    innermost last; nothing for a model of the package."""
    module, colon, _ = implementation.partition(":")
    package = module.rpartition(".")[0] or module
    return [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if colon and f"{frame.f_globals.get('__name__')}.".startswith(f"{package}.")
    ]


def mistake(error: Exception, implementation: str, doing: str) -> SeqrecError:
    """What an own model's code raised, as one message with the line of its file."""
    lines = own_lines(error, implementation)
    where = f" in {lines[-1]}" if lines else ""
    return SeqrecError(
        f"implementation {implementation!r} fails {doing}{where} "
        f"({f'{type(error).__name__}: {error}'.removesuffix(': ')}). Mend its file."
    )


@cache
def _entry(path: Path, number: int | None) -> ModelEntry:
    data = load_yaml(path)
    if number is not None:
        data = _substitute(data, "N", number)
    entry = validate(ModelEntry, data, str(path))
    _check_hyperparameters(entry.implementation, entry.hyperparameters, str(path))
    return entry


def _substitute(data: Any, placeholder: str, value: int) -> Any:
    if isinstance(data, dict):
        return {key: _substitute(item, placeholder, value) for key, item in data.items()}
    return value if data == placeholder else data


def _check_hyperparameters(
    implementation: str, values: dict[str, Any], where: str
) -> dict[str, Any]:
    """The hyperparameters with their defaults filled in."""
    if implementation in IMPLEMENTATIONS:
        model = IMPLEMENTATIONS[implementation][1]
        return validate(model, values, f"{where}: hyperparameters").model_dump(mode="json")
    if ":" not in implementation:
        raise SeqrecError(
            f"{where}: implementation: unknown {implementation!r} (an own model is written "
            f"package.module:Class); {nearest(implementation, IMPLEMENTATIONS)}"
        )
    parameters = inspect.signature(import_model(implementation)).parameters
    given_by_the_run = ["num_items", "max_length"]
    open_ended = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    first = [name for name, p in parameters.items() if p.kind in by_place][:2]
    takes_more = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters.values())
    if parameters and first != given_by_the_run[: len(first) if takes_more else 2]:
        raise SeqrecError(
            f"{where}: implementation: the constructor of {implementation} takes "
            f"({', '.join(parameters)}); it must take num_items and max_length first, then the "
            "hyperparameters by their names."
        )
    valid = {
        name: p
        for name, p in parameters.items()
        if name not in given_by_the_run and p.kind not in open_ended
    }
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    for name in values:
        if name not in valid and not takes_any:
            raise SeqrecError(
                f"{where}: hyperparameters: {implementation} takes no {name!r}; "
                f"{nearest(name, valid)}"
            )
    for name, parameter in valid.items():
        if parameter.default is parameter.empty and name not in values:
            raise SeqrecError(f"{where}: hyperparameters: {implementation} needs {name!r}.")
    defaults = {name: p.default for name, p in valid.items() if p.default is not p.empty}
    types = _checkable_types(import_model(implementation))
    for name, value in {**defaults, **values}.items():
        try:
            text = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise SeqrecError(
                f"{where}: hyperparameters: {name} of {implementation} is {value!r}, which a "
                "record cannot hold; let it be a number, a text, a list or a mapping."
            ) from None
        if name in values and name in types:
            try:
                types[name].validate_json(text, strict=True)
            except ValidationError as error:
                (_, problem), *_ = explain(error)
                problem = problem.removeprefix("top level: ")
                raise SeqrecError(f"{where}: hyperparameters: {name}: {problem}.") from None
    return {**defaults, **values}


def _checkable_types(model: type) -> dict[str, TypeAdapter[Any]]:
    """Of the arguments of an own model's constructor, as it annotates them."""
    types = {}
    with suppress(Exception):  # an annotation may be anything, or name what is not there
        for name, annotation in get_type_hints(model.__init__).items():  # type: ignore[misc]
            with suppress(PydanticSchemaGenerationError):
                types[name] = TypeAdapter(annotation)
    return types


def _results_name(name: str, settings: Sequence[str], rename: str | None, config: Path) -> str:
    """What the results are called: the experiment's name, or a new one that nothing else has."""
    path = config / f"{name}.yaml"
    if not path.is_file():
        if not config.is_dir():
            raise SeqrecError(f"{config}/: not here. Run from the project's folder.")
        if Path("results", name).is_dir():
            raise SeqrecError(
                f"{path}: no such experiment. results/{name} got its name from NAME=; make its "
                f"tables and figures by `seqrec tables results/{name}` and `seqrec figures "
                f"results/{name}`."
            )
        known = [file.stem for file in config.glob("*.yaml") if file.stem != "workflow"]
        raise SeqrecError(f"{path}: no such experiment; {nearest(name, known)}")
    title = rename or name
    if settings and title == name:
        raise SeqrecError(
            f"{path}: {' '.join(settings)} changes a named experiment, so its results need a name "
            "of their own that no file in config/ has: name=<new name> for the workflow, "
            "--name <new name> for seqrec train."
        )
    if title != name and (config / f"{title}.yaml").exists():
        raise SeqrecError(f"{path}: {title!r} is the name of another experiment; take a new name.")
    if not re.fullmatch(NAME, title) or title in ("reference", "benchmark"):
        raise SeqrecError(
            f"experiment name {title!r}: write letters, digits, '-', '_' or '.'; 'reference' is "
            "kept for promoted records, 'benchmark' for measured speed."
        )
    return title


def _changed(path: Path, settings: Sequence[str]) -> tuple[str, Experiment]:
    """An experiment with settings applied, and what to call it in a message."""
    source = f"{path} with {' '.join(settings)}" if settings else str(path)
    return source, validate(Experiment, _with_settings(load_yaml(path), settings), source)


GRID_KEYS = ("datasets", "models", "negatives", "seeds")
RUN_KEYS = ("max_length", "hyperparameters", "loss", "training", "evaluation")


def _with_settings(data: dict[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Apply `key=value` settings: the grid's own keys replace, a run's come last of all."""
    data = dict(data)
    last: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise SeqrecError(f"setting {setting!r}: write key=value, as training.max_epochs=5.")
        value = parse_yaml(text, f"setting {setting!r}")
        first, *rest = key.split(".")
        if first in GRID_KEYS and not rest:
            data[first] = value
            if first == "seeds":
                data["overrides"] = [
                    {k: v for k, v in block.items() if k != "seeds"}
                    for block in data.get("overrides", [])
                ]
            continue
        if first not in RUN_KEYS:
            valid = [*GRID_KEYS, *RUN_KEYS]
            raise SeqrecError(
                f"setting {setting!r}: unknown key {first!r}; {nearest(first, valid)}"
            )
        place = last
        for part in [first, *rest][:-1]:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise SeqrecError(f"setting {setting!r}: {part!r} was already set to a value.")
        place[[first, *rest][-1]] = value
    if last:
        data["overrides"] = [*data.get("overrides", []), last]
    return data


def _expand(source: str, experiment: Experiment, config: Path) -> list[RunConfig]:
    known = dataset_names(config / "datasets")
    for dataset in experiment.datasets:
        if dataset in TABLES:
            raise SeqrecError(
                f"{source}: datasets: {dataset!r} is a table's name; rename the dataset's file."
            )
        if dataset not in known:
            raise SeqrecError(f"{source}: datasets: no {dataset!r}; {nearest(dataset, known)}")
    models: list[str | NamedModel] = []
    for model in experiment.models:
        if isinstance(model, str) and model.endswith("+N"):
            if not experiment.negatives:
                raise SeqrecError(f"{source}: models: {model} needs 'negatives: [...]' to fill N.")
            models += [f"{model[:-1]}{count}" for count in experiment.negatives]
        else:
            models.append(model)
    names = [model if isinstance(model, str) else model.name for model in models]
    for kind, listed in (("datasets", experiment.datasets), ("models", names)):
        for name in listed:
            if listed.count(name) > 1:
                raise SeqrecError(f"{source}: {kind}: {name!r} is listed twice.")
    return [
        _resolve(source, experiment, dataset, model, seed, config)
        for dataset in experiment.datasets
        for model, name in zip(models, names, strict=True)
        for seed in _seeds(experiment, dataset, name)
    ]


def _refuse_idle_overrides(source: str, grid: Grid) -> None:
    """An override that names a dataset or model that no run has is a typo."""
    models = [run.model for run in grid.runs]
    for number, override in enumerate(grid.experiment.overrides):
        for kind, patterns, names in (
            ("datasets", override.datasets, grid.datasets),
            ("models", override.models, list(dict.fromkeys(models))),
        ):
            for pattern in patterns or []:
                if not any(fnmatchcase(name, pattern) for name in names):
                    raise SeqrecError(
                        f"{source}: overrides.{number}.{kind}: {pattern!r} is in no run of this "
                        f"experiment; {nearest(pattern, names)}"
                    )


def _seeds(experiment: Experiment, dataset: str, model: str) -> list[int]:
    seeds = experiment.seeds
    for override in experiment.overrides:
        if override.seeds is not None and override.applies(dataset, model):
            seeds = override.seeds
    return seeds


def _resolve(
    source: str,
    experiment: Experiment,
    dataset: str,
    model: str | NamedModel,
    seed: int,
    config: Path,
) -> RunConfig:
    name = model if isinstance(model, str) else model.name
    entry = load_model_entry(model if isinstance(model, str) else model.like, config)
    layers: list[Any] = [entry]
    if isinstance(model, NamedModel):
        layers.append(model)
    layers.append(experiment)
    layers += [block for block in experiment.overrides if block.applies(dataset, name)]
    if entry.loss is None:
        _refuse_loop_values(source, name, layers)

    def merged(section: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for layer in layers:
            part = getattr(layer, section, {})
            values |= part if isinstance(part, dict) else part.model_dump(exclude_unset=True)
        return values

    def last(key: str) -> Any:
        return [value for layer in layers if (value := getattr(layer, key, None))][-1:]

    # Loss and training reach the models that are trained; one without a loss fits itself.
    loss = last("loss")[0] if entry.loss else None
    where = f"{source}: {dataset} {name}"
    return validate(
        RunConfig,
        {
            "dataset": dataset,
            "model": name,
            "seed": seed,
            "implementation": entry.implementation,
            "hyperparameters": _check_hyperparameters(
                entry.implementation, merged("hyperparameters"), where
            ),
            "max_length": (last("max_length") or [_max_length(dataset, config)])[0],
            "loss": loss and loss.model_dump(),
            "training": merged("training") if loss else None,
            "evaluation": merged("evaluation"),
        },
        where,
    )


def _refuse_loop_values(source: str, name: str, layers: Iterable[Any]) -> None:
    """A model that fits itself has no use for them; values for all models pass it by."""
    for layer in layers:
        aimed = isinstance(layer, NamedModel) or (
            isinstance(layer, Override) and layer.models == [name]
        )
        for key in ("training", "loss"):
            if aimed and key in layer.model_fields_set:
                raise SeqrecError(
                    f"{source}: {name}: {key}: this model fits itself, without a loop or a loss of "
                    "ours. Write 'hyperparameters' instead."
                )


@cache
def _max_length(dataset: str, config: Path) -> int:
    return load_dataset(dataset, config / "datasets").max_length

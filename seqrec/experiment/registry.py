"""The registry of models: entries of `config/models/`, and the classes behind them."""

import importlib
import inspect
import json
import re
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    PydanticSchemaGenerationError,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from seqrec.errors import SeqrecError
from seqrec.experiment.custom import custom_lines, mistake
from seqrec.experiment.schema import CONFIG, ModelEntry
from seqrec.typed_yaml import Strict, check_values, explain, load_yaml, nearest

Probability = Annotated[float, Field(ge=0.0, lt=1.0)]


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
    "bpr-mf": ("seqrec.models.bpr_mf:BPRMF", BPRMFHyperparameters),
    "gru4rec": ("seqrec.models.gru4rec:GRU4Rec", GRU4RecHyperparameters),
    "sasrec": ("seqrec.models.sasrec:SASRec", SASRecHyperparameters),
    "gpt4rec": ("seqrec.models.gpt4rec:GPT4Rec", GPT4RecHyperparameters),
    "bert4rec": ("seqrec.models.bert4rec:BERT4Rec", BERT4RecHyperparameters),
}
"""The models of the package: import path and hyperparameters."""


def load_model_entry(name: str, config: Path = CONFIG) -> ModelEntry:
    """Read `config/models/<name>.yaml`, or the `+N` template that serves the name."""
    folder = config / "models"
    path = folder / f"{name}.yaml"
    match = re.fullmatch(r"(.+)\+(\d+)", name)
    if not path.is_file() and match and (folder / f"{match[1]}+N.yaml").is_file():
        path = folder / f"{match[1]}+N.yaml"
        return entry(path, int(match[2]))
    if not path.is_file() or name.endswith("+N"):
        if path.is_file():
            raise SeqrecError(f"model {name!r}: is a template; write a number for N.")
        known = [file.stem for file in folder.glob("*.yaml")]
        raise SeqrecError(f"model {name!r}: no {path}; {nearest(name, known)}")
    return entry(path, None)


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
        if not_found and not custom_lines(error, implementation):
            raise SeqrecError(
                f"implementation {implementation!r} cannot be imported ({error}). Write one of "
                f"{', '.join(IMPLEMENTATIONS)}, or package.module:Class of a module that Python "
                "finds from the project's folder."
            ) from error
        raise mistake(error, implementation, "while it is imported") from error
    return found


@cache
def entry(path: Path, number: int | None) -> ModelEntry:
    data = load_yaml(path)
    if number is not None:
        data = _substitute(data, "N", number)
    entry = check_values(ModelEntry, data, str(path))
    resolve_hyperparameters(entry.implementation, entry.hyperparameters, str(path))
    return entry


def _substitute(data: Any, placeholder: str, value: int) -> Any:
    if isinstance(data, dict):
        return {key: _substitute(item, placeholder, value) for key, item in data.items()}
    return value if data == placeholder else data


def resolve_hyperparameters(
    implementation: str, values: dict[str, Any], where: str
) -> dict[str, Any]:
    """The hyperparameters with their defaults filled in."""
    if implementation in IMPLEMENTATIONS:
        model = IMPLEMENTATIONS[implementation][1]
        return check_values(model, values, f"{where}: hyperparameters").model_dump(mode="json")
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

"""Read YAML files into typed models; errors name the place and suggest what to write."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from seqrec.errors import SeqrecError
from seqrec.files import read_regular
from seqrec.wording import Problem, explain, listed, nearest, quoted, shortened

LARGEST_FILE = 2**20
"""Bytes of the largest configuration file that is read."""
MOST_VALUES = 200_000
"""Most values that a configuration holds, each alias counted as often as it is used."""
MOST_LEVELS = 30
"""How deep lists and mappings may be nested."""
LARGEST_NUMBER = 2**63 - 1
"""The largest whole number that tables and arrays can hold."""


@dataclass(frozen=True)
class Pattern:
    """Marks a text that must match a regular expression from its start to its end.

    Messages say what is `meant`; the expression itself is for editors.
    """

    expression: str
    meant: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._matching, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.expression}

    def matches(self, text: str) -> bool:
        """Whether the whole text matches."""
        return re.fullmatch(self.expression, text) is not None

    def _matching(self, text: str) -> str:
        if not self.matches(text):
            raise ValueError(self.meant)
        return text


FILE_NAME = Pattern(
    r"^[A-Za-z0-9][A-Za-z0-9+._-]{0,199}$",
    "write a letter or digit, then letters, digits, '+', '-', '_' or '.', at most 200 in all",
)
"""Names become files, folders and Snakemake wildcards, so they hold nothing special in a path."""
FileName = Annotated[str, FILE_NAME]
"""A name as it stands in results that exist."""


def _refuse_what_is_no_name(value: Any) -> Any:
    if problem := name_problem(value):
        raise ValueError(problem)
    return value


Name = Annotated[str, FILE_NAME, BeforeValidator(_refuse_what_is_no_name)]
"""The name of an experiment, dataset or model, wherever somebody gives one."""


def name_problem(value: object) -> str:
    """Say what is wrong with a name that YAML or Snakemake would change; empty if nothing is.

    Snakemake makes 20240115 of 2024_01_15, 1000.0 of 1e3 and 7 of 007; YAML makes similar changes.
    """
    if isinstance(value, date):
        return "YAML takes it for a date: put it in quotes"
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            if value not in ("True", "False"):
                return ""
    elif not isinstance(value, int | float):
        return ""
    return (
        "Snakemake and YAML change names that read as a number: put a letter first, as in "
        f"x{str(value)[:20]}"
    )


def require_name(name: str, title: str) -> None:
    """Raise `SeqrecError` unless `name` may be a name; `title` says what of."""
    problem = name_problem(name) or ("" if FILE_NAME.matches(name) else FILE_NAME.meant)
    if problem:
        raise SeqrecError(f"{title} {quoted(name)}: {problem}.")


class Strict(BaseModel):
    """Base of every configuration model: immutable; rejects unknown keys and non-finite numbers."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            for key, value in data.items():
                if key not in cls.model_fields:
                    raise PydanticCustomError(
                        "unknown_key",
                        "unknown key {key}; {hint}",
                        {"key": quoted(key), "hint": nearest_key(key, cls)},
                    )
                if isinstance(value, bool) and not _takes_truth(cls.model_fields[key].annotation):
                    # pydantic would make 1 or 0 of it, and max_epochs: no a training of none.
                    raise PydanticCustomError(
                        "truth_value",
                        "{key} must not be {value}; YAML reads yes, no, on and off so: if the word "
                        "is meant, put it in quotes",
                        {"key": key, "value": str(value).lower()},
                    )
        return data


def _takes_truth(annotation: Any) -> bool:
    """Whether true and false are among the values of a type."""
    return annotation in (bool, Any) or any(map(_takes_truth, get_args(annotation)))


def nearest_key(key: object, model: type[BaseModel]) -> str:
    """Return a hint for a key that `model` does not have: where it belongs, or one like it."""
    inside = [place for place in keys_inside(model) if place.rpartition(".")[2] == key]
    if inside and key not in model.model_fields:
        return f"did you mean {' or '.join(inside)}?"
    return nearest(key, model.model_fields)


def keys_inside(model: type[BaseModel]) -> Iterator[str]:
    """List the keys of a model's sections, such as `training.learning_rate`."""
    for name, field in model.model_fields.items():
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from (f"{name}.{key}" for key in part.model_fields)


Model = TypeVar("Model", bound=BaseModel)


def check_values(model: type[Model], data: Any, where: str) -> Model:
    """Build `model` from plain data; raises `SeqrecError`, whose message calls the data `where`."""
    problems = [problem] if (problem := _unusable(data)) else []
    if not problems:
        try:
            return model.model_validate(data)
        except ValidationError as error:
            problems = explain(error, data)
    lines = [f"{where}: {line}" for line in listed(problems)]
    raise SeqrecError("\n".join(lines)) from None


def _unusable(data: Any) -> Problem | None:
    """Find what no configuration can hold, before anything is done with the values."""
    left: list[tuple[tuple[str | int, ...], Any]] = [((), data)]
    seen = 0
    while left:
        path, value = left.pop()
        seen += 1
        if seen > MOST_VALUES:
            return Problem((), f"holds more than {MOST_VALUES:,} values")
        if len(path) > MOST_LEVELS:
            return Problem(path[:3], f"is nested deeper than {MOST_LEVELS} levels")
        if isinstance(value, Mapping):
            left += [((*path, key), item) for key, item in value.items()]
        elif isinstance(value, list | tuple):
            left += [((*path, number), item) for number, item in enumerate(value)]
        elif isinstance(value, str) and not _is_storable(value):
            return Problem(path, f"holds a character that no file can hold (got {quoted(value)})")
        elif isinstance(value, int) and abs(value) > LARGEST_NUMBER:
            return Problem(path, f"must be at most {LARGEST_NUMBER} (got {quoted(value)})")
    return None


def _is_storable(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:  # half of a character
        return False


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML's safe loader, but a duplicate key is an error instead of silently replacing a value.

    A malformed value, such as the date 2024-99-99, is an error that names its line.
    """

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, ValueError) as error:
            shown = str(node.value)[:40]
            raise yaml.constructor.ConstructorError(
                None, None, f"{shown!r} cannot be read ({error})", node.start_mark
            ) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # merged keys may be overridden
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is written twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


# YAML 1.1 reads 1e-3 as text, which nobody who writes a learning rate expects.
_UniqueKeyLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping; raises `SeqrecError` with file and line."""
    try:
        text = read_regular(path, LARGEST_FILE, follow=True).decode("utf-8")
    except FileNotFoundError:
        raise SeqrecError(f"{path}: no such file.") from None
    except (OSError, ValueError) as error:
        raise SeqrecError(f"{path}: cannot be read as UTF-8 text ({error}).") from None
    data = parse_yaml(text, str(path))
    if not isinstance(data, dict):
        found = "nothing" if data is None else type(data).__name__
        raise SeqrecError(f"{path}: must hold 'key: value' lines, not {found}.")
    return data


def parse_yaml(text: str, where: str) -> Any:
    """Parse a YAML text; raises `SeqrecError`, whose message calls the text `where`."""
    try:
        loader = _UniqueKeyLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _require_finite(node)
        return loader.construct_document(node)
    except RecursionError:
        raise SeqrecError(f"{where}: not valid YAML: nested too deeply.") from None
    except (yaml.YAMLError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = shortened(" ".join(str(getattr(error, "problem", None) or error).split()))
        raise SeqrecError(f"{where}{line}: not valid YAML: {problem}.") from None


def _require_finite(root: yaml.Node) -> None:
    """Refuse aliases that lead back to themselves, or that stand for very many values in all."""
    sizes: dict[int, int] = {}
    under_way = -1

    def size(node: yaml.Node) -> int:
        known = sizes.get(id(node))
        if known == under_way:
            raise yaml.constructor.ConstructorError(
                None, None, "an alias stands inside of what it repeats", node.start_mark
            )
        if known is not None:
            return known
        sizes[id(node)] = under_way
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        inside = (each for part in parts for each in (part if isinstance(part, tuple) else (part,)))
        sizes[id(node)] = 1 + sum(map(size, inside))
        return sizes[id(node)]

    if size(root) > MOST_VALUES:
        raise yaml.constructor.ConstructorError(
            None, None, f"it holds more than {MOST_VALUES:,} values", root.start_mark
        )

"""Read YAML files into typed models; errors name the place and suggest what to write."""

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from seqrec.errors import SeqrecError

NAME = r"^[A-Za-z0-9][A-Za-z0-9+._-]*$"
"""Names become files, folders and Snakemake wildcards, so they hold nothing special in a path."""
Name = Annotated[str, StringConstraints(pattern=NAME)]


def nearest(name: object, valid: Iterable[str]) -> str:
    """Return a hint for a name that is not among `valid`: the most similar one, or all of them."""
    names = sorted(valid)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"valid here: {', '.join(names)}" if names else "nothing is valid here"


class Strict(BaseModel):
    """Base of every configuration model: immutable; rejects unknown keys and non-finite numbers."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            for key in data:
                if key not in cls.model_fields:
                    raise PydanticCustomError(
                        "unknown_key",
                        "unknown key {key}; {hint}",
                        {"key": repr(key), "hint": nearest(key, cls.model_fields)},
                    )
        return data


Model = TypeVar("Model", bound=BaseModel)


def check_values(model: type[Model], data: Any, where: str) -> Model:
    """Build `model` from plain data; raises `SeqrecError`, whose message calls the data `where`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise SeqrecError("\n".join(f"{where}: {line}" for _, line in explain(error))) from None


def explain(error: ValidationError) -> list[tuple[tuple[str | int, ...], str]]:
    """Return each problem of a `ValidationError` as its path of keys and a line for the user."""
    problems = []
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"]) or "top level"
        message = item["msg"].removeprefix("Value error, ")
        value = item.get("input")
        shown = "" if isinstance(value, Mapping | list) else f" (got {value!r})"
        if item["type"] in ("unknown_key", "missing"):
            shown = ""
        problems.append((item["loc"], f"{place}: {message}{shown}"))
    return problems


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
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SeqrecError(f"{path}: no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SeqrecError(f"{path}: cannot be read as UTF-8 text ({error}).") from None
    data = parse_yaml(text, str(path))
    if not isinstance(data, dict):
        raise SeqrecError(f"{path}: must hold 'key: value' lines, not {type(data).__name__}.")
    return data


def parse_yaml(text: str, where: str) -> Any:
    """Parse a YAML text; raises `SeqrecError`, whose message calls the text `where`."""
    try:
        return yaml.load(text, _UniqueKeyLoader)
    except (yaml.YAMLError, TypeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or error
        raise SeqrecError(f"{where}{line}: not valid YAML: {problem}.") from None

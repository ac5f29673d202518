"""Each kind of mistake that pydantic can find in our models is told in words of ours."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal

import pandas as pd
import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from seqrec.data.datasets import Dataset
from seqrec.errors import SeqrecError
from seqrec.experiment import parameters
from seqrec.experiment.schema import Experiment, ModelEntry, RunConfig
from seqrec.records import Record
from seqrec.running.workflow import WorkflowConfig
from seqrec.typed_yaml import Name, Strict, check_values
from seqrec.wording import CHECKS, VALUE_KINDS, explain, nearest, quoted

PYDANTICS_WORDS = re.compile(r"Input|valid (string|integer|tuple)|constrained|function-|Field req")


class Part(Strict):
    width: int = 1


class Whole(Strict):
    """A value of each kind that a configuration may ask for."""

    count: Annotated[int, Field(gt=1, le=9, multiple_of=2)] = 2
    share: Annotated[float, Field(ge=0, lt=1)] = 0.5
    flag: bool = False
    title: Annotated[str, Field(min_length=1, max_length=3)] = "a"
    code: Annotated[str, Field(pattern="^a+$")] = "a"
    kind: Literal["first", "last"] = "first"
    names: Annotated[list[Name], Field(min_length=1, max_length=2)] = []
    pair: tuple[int, ...] = ()
    table: dict[str, float] = {}
    part: Part = Part()
    mixed: list[Name | Part] = []
    column: Annotated[int, Field(ge=0, strict=True)] | Annotated[str, Field(min_length=1)] = 0
    needed: int


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({}, "needed: is missing"),
        ({"needed": None}, "needed: must be a whole number (it is empty)"),
        ({"needed": "two"}, "needed: must be a whole number (got 'two')"),
        ({"needed": 2.5}, "needed: must be a whole number (got 2.5)"),
        ({"needed": [1]}, "needed: must be a whole number (got a list)"),
        ({"count": 0}, "count: must be greater than 1 (got 0)"),
        ({"count": 10}, "count: must be at most 9 (got 10)"),
        ({"count": 3}, "count: must be a multiple of 2 (got 3)"),
        ({"count": True}, "top level: count must not be true; YAML reads yes, no, on and off so: "),
        ({"count": 10**30}, f"count: must be at most {2**63 - 1} (got {10**30})"),
        ({"count": 16**5000}, "(got a number of thousands of digits)"),
        ({"share": "half"}, "share: must be a number (got 'half')"),
        ({"share": -1}, "share: must be at least 0 (got -1)"),
        ({"share": 1}, "share: must be less than 1 (got 1)"),
        ({"share": float("nan")}, "share: must be a finite number (got nan)"),
        ({"flag": "maybe"}, "flag: must be true or false (got 'maybe')"),
        ({"title": ""}, "title: must not be empty (got '')"),
        ({"title": "long"}, "title: must have at most 3 characters (got 'long')"),
        ({"title": 7}, "title: must be text (got 7; put it in quotes)"),
        ({"title": True}, "title must not be true; YAML reads yes, no, on and off so: if the word"),
        ({"title": date(2024, 1, 5)}, "title: must be text (got datetime.date(2024, 1, 5); put it"),
        ({"code": "b"}, "code: must look like ^a+$ (got 'b')"),
        ({"kind": "frist"}, "kind: no 'frist'; did you mean 'first'?"),
        ({"kind": ["last"]}, "kind: no ['last']; did you mean 'last'?"),
        ({"names": []}, "names: must not be empty"),
        ({"names": ["a", "b", "c"]}, "names: must have at most 2 entries"),
        ({"names": "a"}, "names: must be a list, such as [a, b] (got 'a')"),
        ({"names": ["../a"]}, "names.0: write a letter or digit, then letters, digits, '+', "),
        ({"names": ["007"]}, "names.0: Snakemake and YAML change names that read as a number: put"),
        ({"names": ["9" * 999]}, f"first, as in x{'9' * 20} (got"),
        (
            {"pair": {"file": 1}},
            "pair: must be a list, such as [a, b] (got a mapping: put '- ' bef",
        ),
        ({"table": 3}, "table: must be a mapping, such as {key: value} (got 3)"),
        ({"table": {1: 2.0}}, "table.1: must be text (got 1; put it in quotes)"),
        ({"part": 3}, "part: must be a mapping, such as {key: value} (got 3)"),
        ({"part": {"widht": 3}}, "part: unknown key 'widht'; did you mean 'width'?"),
        ({"width": 3}, "top level: unknown key 'width'; did you mean part.width?"),
        ({"mixed": [3]}, "mixed.0: Snakemake and YAML change names that read as a number: put a"),
        ({"mixed": ["a", {"width": "x"}]}, "mixed.1.width: must be a whole number (got 'x')"),
        ({"mixed": ["a", {"w": 1}]}, "mixed.1: unknown key 'w'; valid here: width"),
        (
            {"mixed": [["a"]]},
            "mixed.0: must be text or a mapping, such as {key: value} (got a list)",
        ),
        ({"column": 1.5}, "column: must be a whole number or text (got 1.5; put it in quotes)"),
        ({"column": -1}, "column: must be at least 0 (got -1)"),
        ({"column": ""}, "column: must not be empty (got '')"),
        ({"title": "a" * 5000}, "title: must have at most 3 characters (got 'aaaa"),
        ({"title": "\ud800"}, "title: holds a character that no file can hold (got '\\ud800')"),
        ({"title": "\0"}, "title: holds a character that no file can hold (got '\\x00')"),
    ],
)
def test_a_mistake_is_one_line_of_plain_words(data: dict[str, Any], line: str) -> None:
    with pytest.raises(SeqrecError) as caught:
        check_values(Whole, {"needed": 1, **data} if data else data, "f.yaml")
    said = str(caught.value)
    assert said.count("\n") == 0
    assert said.startswith("f.yaml: ")
    assert line in said
    assert not PYDANTICS_WORDS.search(said)
    assert len(said) < 500


def test_values_that_are_nested_or_repeated_without_end_are_refused() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    around: list[Any] = []
    around.append(around)
    for value in (deep, around):
        with pytest.raises(SeqrecError, match=r"table\.a\.0: is nested deeper than 30 levels"):
            check_values(Whole, {"needed": 1, "table": {"a": value}}, "f.yaml")
    for _ in range(20):
        around = [list(around) if around[0] is around else around] * 2
    wide: Any = "lol"
    for _ in range(20):
        wide = [wide] * 10
    with pytest.raises(SeqrecError, match="holds more than 200,000 values"):
        check_values(Whole, {"needed": 1, "table": {"a": wide}}, "f.yaml")


def test_a_long_list_of_mistakes_is_cut() -> None:
    with pytest.raises(SeqrecError) as caught:
        check_values(Whole, {"needed": 1, "pair": ["x"] * 1000}, "f.yaml")
    lines = str(caught.value).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "f.yaml: and 990 more."


def test_a_quote_has_at_most_some_200_characters() -> None:
    assert quoted("ab") == "'ab'"
    assert len(quoted("x" * 10**6)) < 210
    assert len(quoted([*range(10**5)])) < 210
    assert len(nearest("y" * 10**6, ["x" * 10**5])) < 250


def test_a_value_that_nobody_can_write_out_is_named_by_its_kind() -> None:
    far = pd.Timestamp(2**42, unit="s", tz="UTC")
    with pytest.raises(NotImplementedError):
        repr(far)
    assert quoted(far) == "a Timestamp that cannot be shown"
    assert quoted(16**5000) == "a number of thousands of digits"


NO_KIND_OF_ITS_OWN = {
    *("any", "default", "definitions", "definition-ref", "nullable", "union", "none"),
    *("model-field", "model-fields", "computed-field"),
    *("function-before", "function-after", "function-wrap"),
}
ERRORS = {
    "int": ("int_type", "int_parsing", "int_from_float"),
    "float": ("float_type", "float_parsing", "finite_number"),
    "bool": ("bool_type", "bool_parsing"),
    "str": ("string_type",),
    "list": ("list_type",),
    "tuple": ("tuple_type",),
    "dict": ("dict_type",),
    "model": ("model_type", "missing"),
}
"""The errors of each type of value, apart from those of limits such as `ge` or `min_length`."""
LIMITS = {
    "gt": "greater_than",
    "ge": "greater_than_equal",
    "lt": "less_than",
    "le": "less_than_equal",
    "multiple_of": "multiple_of",
}


def schemas_in(value: Any) -> Iterator[dict[str, Any]]:
    """Find every part of a model's schema in pydantic's core."""
    if isinstance(value, dict):
        if isinstance(value.get("type"), str):
            yield value
        for key, item in value.items():
            if key not in ("serialization", "metadata", "config", "default", "function"):
                yield from schemas_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from schemas_in(item)


@pytest.mark.parametrize(
    "checked",
    [Dataset, Experiment, ModelEntry, RunConfig, WorkflowConfig, Record]
    + [getattr(parameters, name) for name in parameters.__all__ if "nt" in name or "Prob" in name],
)
def test_every_kind_of_error_that_our_types_can_raise_has_words(checked: Any) -> None:
    is_model = isinstance(checked, type) and issubclass(checked, BaseModel)
    schema = checked.__pydantic_core_schema__ if is_model else TypeAdapter(checked).core_schema
    possible: set[str] = set()
    for part in schemas_in(schema):
        kind = part["type"]
        if kind in ("lax-or-strict", "json-or-python", "is-instance", "function-plain"):
            continue  # the folder of a record, which nobody writes
        if kind == "literal":
            continue  # hints come from the valid words
        assert kind in NO_KIND_OF_ITS_OWN or kind in ERRORS, f"a new type of value: {kind}"
        possible.update(ERRORS.get(kind, ()))
        possible.update(error for limit, error in LIMITS.items() if limit in part)
        if "min_length" in part:
            possible.add("string_too_short" if kind == "str" else "too_short")
        if "max_length" in part:
            possible.add("string_too_long" if kind == "str" else "too_long")
        if checked is not Record:  # which nobody writes by hand
            assert "pattern" not in part, "say what is meant instead: typed_yaml.Pattern"
    assert possible <= VALUE_KINDS.keys() | CHECKS.keys()


def test_an_error_of_a_custom_models_own_types_is_told_too() -> None:
    checker = TypeAdapter(date)
    with pytest.raises(ValidationError) as caught:
        checker.validate_python("x")
    (problem,) = explain(caught.value, "x")
    assert str(problem) == (
        "top level: must be a valid date or datetime, input is too short (got 'x')"
    )

"""Words for what is wrong with a value: quotes of it, hints, and one line for each problem.

pydantic tells a programmer which check of which type has failed. `explain` tells somebody who
writes a YAML file what a place needs, and what it holds.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # messages are also written where pydantic is not installed
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

Keys = tuple[str | int, ...]
"""The keys and positions that lead to a value."""

LONGEST_QUOTE = 200
"""Most characters of a value that a message shows."""

MOST_PROBLEMS = 10
"""Most problems of one file that a message lists."""


class Problem(NamedTuple):
    """What is wrong with a value, and where it stands."""

    path: Keys
    text: str

    @property
    def place(self) -> str:
        """The way to the value, such as `overrides.0.loss`."""
        return shortened(".".join(map(str, self.path)) or "top level")

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def nearest(name: object, valid: Iterable[str]) -> str:
    """Return a hint for a name that is not among `valid`: the most similar one, or all of them."""
    names = sorted(valid)
    close = difflib.get_close_matches(str(name)[:LONGEST_QUOTE], names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {quoted(close[0])}?"
    return f"valid here: {shortened(', '.join(names))}" if names else "nothing is valid here"


def quoted(value: object) -> str:
    """Return a value as Python writes it, at most some 200 characters of it."""
    try:
        return shortened(repr(value))
    except ValueError:  # Python does not write out numbers of more than 4,300 digits
        return "a number of thousands of digits"
    except Exception:  # pandas does not write out times beyond the year 9999
        return f"a {type(value).__name__} that cannot be shown"


def counted(count: int, noun: str) -> str:
    """Write a number of things: `1 run`, `2 runs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


METRIC_TITLES = {
    "hit_rate": "HitRate",
    "ndcg": "NDCG",
    "mrr": "MRR",
    "recall": "Recall",
    "precision": "Precision",
    "map": "MAP",
}


def and_more(count: int) -> str:
    """Add to a message about the first of `count` mistakes that there are more."""
    return f" ({count - 1} more like it)" if count > 1 else ""


def metric_title(metric: str) -> str:
    """Name a metric such as `ndcg@10` for readers."""
    name, _, cutoff = metric.partition("@")
    return f"{METRIC_TITLES[name]}@{cutoff}"


def shortened(text: str) -> str:
    """Return at most some 200 characters of a text, with the middle left out."""
    half = LONGEST_QUOTE // 2
    return text if len(text) <= LONGEST_QUOTE else f"{text[:half]} ... {text[-half:]}"


def listed(problems: Iterable[object]) -> list[str]:
    """Return the first ten problems as lines, and how many more there are."""
    lines = [str(problem) for problem in problems]
    more = len(lines) - MOST_PROBLEMS
    return [*lines[:MOST_PROBLEMS], *([f"and {more} more."] if more > 0 else [])]


def explain(error: "ValidationError", data: Any) -> list[Problem]:
    """Return each problem that pydantic found in `data`, in words for whoever wrote the data."""
    groups: dict[object, list[_Found]] = {}
    for number, item in enumerate(error.errors(include_url=False)):
        found = _Found.of(item, data)
        groups.setdefault(found.path[: found.depth] if found.branch else number, []).append(found)
    problems = (problem for group in groups.values() for problem in _problems(group))
    return list(dict.fromkeys(problems))


class _Found(NamedTuple):
    """One error of pydantic's: where it is in the data, and which kind of value was tried there.

    Where a value may be of several kinds, pydantic tries each, and gives the errors of all.
    """

    item: "ErrorDetails"
    path: Keys
    branch: str
    """The kind that was tried; empty where there is only one."""
    depth: int
    """How many parts of the path lead to the value that may be of several kinds."""

    @classmethod
    def of(cls, item: "ErrorDetails", data: Any) -> "_Found":
        path: Keys = ()
        branch, depth = "", 0
        value = data
        for number, part in enumerate(item["loc"]):
            is_key = isinstance(value, Mapping) and part in value
            is_position = isinstance(value, list | tuple) and isinstance(part, int)
            if is_key or is_position:
                path, value = (*path, part), value[part]
            elif item["type"] == "missing" and number == len(item["loc"]) - 1:
                path = (*path, part)
            elif not branch:
                branch, depth = str(part), len(path)
        return cls(item, path, branch, depth)

    @property
    def is_about_the_kind(self) -> bool:
        """Whether the value is not of the kind that was tried, rather than a wrong one of it."""
        return self.item["type"] in VALUE_KINDS and len(self.path) == self.depth


def _problems(group: list[_Found]) -> Iterator[Problem]:
    """Take the errors of the kind that was meant; if none was, name all kinds at once."""
    meant = [found for found in group if not (found.branch and found.is_about_the_kind)]
    if not meant:
        yield _no_kind(group)
    for path in dict.fromkeys(found.path for found in meant):
        here = [found for found in meant if found.path == path]
        checked = [found for found in here if found.item["type"] not in VALUE_KINDS]
        if checked or len(here) == 1:
            yield from (Problem(path, _text(found.item)) for found in checked or here)
        else:  # within a list, a value that may be of several kinds, too
            yield _no_kind(here)


def _no_kind(group: list[_Found]) -> Problem:
    """Name all kinds that a value may be of, and what it is instead."""
    kinds = dict.fromkeys(VALUE_KINDS[found.item["type"]] for found in group)
    value = group[0].item["input"]
    return Problem(group[0].path, f"must be {' or '.join(kinds)}{_found_instead(value, [*kinds])}")


TEXT, LIST, MAPPING = "text", "a list, such as [a, b]", "a mapping, such as {key: value}"
NUMBER, WHOLE_NUMBER, TRUTH = "a number", "a whole number", "true or false"

VALUE_KINDS = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), WHOLE_NUMBER),
    **dict.fromkeys(("float_type", "float_parsing", "decimal_type", "decimal_parsing"), NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), TRUTH),
    **dict.fromkeys(("string_type", "string_sub_type"), TEXT),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), LIST),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type", "dataclass_type"), MAPPING),
    "model_attributes_type": MAPPING,
    "iterable_type": LIST,
    "none_required": "left out",
    "path_type": "a path",
}
"""What must stand at a place, by the type of pydantic's error."""

CHECKS: dict[str, Callable[[dict[str, Any]], str]] = {
    "missing": lambda given: "is missing",
    "greater_than": lambda given: f"must be greater than {_plain(given['gt'])}",
    "greater_than_equal": lambda given: f"must be at least {_plain(given['ge'])}",
    "less_than": lambda given: f"must be less than {_plain(given['lt'])}",
    "less_than_equal": lambda given: f"must be at most {_plain(given['le'])}",
    "multiple_of": lambda given: f"must be a multiple of {given['multiple_of']}",
    "finite_number": lambda given: "must be a finite number",
    "int_parsing_size": lambda given: "must be a number of fewer digits",
    "string_unicode": lambda given: "must be text in UTF-8",
    "string_too_short": lambda given: _at_least(given["min_length"], "character"),
    "string_too_long": lambda given: f"must have at most {given['max_length']} characters",
    "string_pattern_mismatch": lambda given: f"must look like {given['pattern']}",
    "too_short": lambda given: _at_least(given["min_length"], "entry"),
    "too_long": lambda given: f"must have at most {given['max_length']} entries",
    "value_error": lambda given: str(given["error"]),
    "assertion_error": lambda given: str(given["error"]),
}
"""What is wrong with a value of the right kind, by the type of pydantic's error."""


def _text(item: "ErrorDetails") -> str:
    kind, value = item["type"], item["input"]
    if kind in VALUE_KINDS:
        return f"must be {VALUE_KINDS[kind]}{_found_instead(value, [VALUE_KINDS[kind]])}"
    if kind in ("literal_error", "enum"):
        expected = item["ctx"]["expected"]
        valid = [each for each in re.findall(r"'([^']*)'", expected) if each] or [expected]
        return f"no {quoted(value)}; {nearest(value, valid)}"
    if kind in CHECKS:
        text = CHECKS[kind](item.get("ctx", {}))
    else:
        text = re.sub(r"^Input should", "must", item["msg"])
        if text == item["msg"]:  # a message of ours, which says what it is about
            return text
    if kind == "missing" or isinstance(value, Mapping | list | tuple):
        return text
    return f"{text} (got {quoted(value)})"


def _found_instead(value: Any, kinds: list[str]) -> str:
    """Say what was found instead, and how to write what was probably meant."""
    if value is None:
        return " (it is empty)"
    if isinstance(value, Mapping):
        dash = ": put '- ' before each entry" if LIST in kinds else ""
        return f" (got a mapping{dash})"
    if isinstance(value, list | tuple):
        return " (got a list)"
    hint = ""
    if TEXT in kinds and isinstance(value, bool):
        hint = "; YAML reads yes, no, on and off so: put the word in quotes"
    elif TEXT in kinds and isinstance(value, int | float | date):
        hint = "; put it in quotes"
    return f" (got {quoted(value)}{hint})"


def _plain(number: Any) -> Any:
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _at_least(count: int, of: str) -> str:
    if count == 1:
        return "must not be empty"
    plural = {"entry": "entries"}.get(of, f"{of}s")
    return f"must have at least {count} {plural}"

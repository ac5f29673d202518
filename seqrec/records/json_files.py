"""JSON as records hold it: whole, finite, sorted, and written in one step."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from seqrec.errors import SeqrecError


def read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError) as error:
        raise SeqrecError(f"{path}: is not whole JSON ({error}).") from None
    if not isinstance(data, dict):
        raise SeqrecError(f"{path}: must hold one JSON object, not {type(data).__name__}.")
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def as_json(data: dict[str, Any]) -> str:
    text = json.dumps(data, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False)
    return text + "\n"


def plain_value(value: Any) -> Any:
    """Numpy's and torch's scalars as Python's own."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no place in a run record: {value!r}")


def one_line(text: str) -> str:
    return " ".join(text.split())


def sentence(text: str) -> str:
    """One line that another can follow."""
    line = one_line(text)
    return line if line.endswith((".", "!", "?")) else f"{line}."


def not_finite(value: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """The places in JSON-like data that hold NaN or an infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        yield place, value
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from not_finite(item, f"{place}.{key}" if place else str(key))

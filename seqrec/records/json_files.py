"""JSON as records hold it: complete, finite and sorted."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from seqrec.errors import SeqrecError
from seqrec.files import read_regular

MOST_BYTES = 1 << 25
"""Size that no JSON of a record or an experiment reaches; a grid of 10,000 runs has a tenth."""

DEEPEST = 40
"""Containers within containers that no JSON of a record reaches."""


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a regular file.

    Raises `SeqrecError` if it is incomplete, or holds what is no text or number that a record can
    have; errors of the operating system are raised as they are.
    """
    content = read_regular(path, MOST_BYTES)
    try:
        data = json.loads(
            content.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite
        )
        _require_plain(data, DEEPEST)
    except (ValueError, RecursionError) as error:
        raise SeqrecError(f"{path}: is not whole JSON ({str(error)[:200]}).") from None
    if not isinstance(data, dict):
        raise SeqrecError(f"{path}: must hold one JSON object, not {type(data).__name__}.")
    return data


def _require_plain(value: Any, depth: int) -> None:
    """Raise `ValueError` for what JSON can hold but files, tables and arithmetic cannot."""
    if isinstance(value, str):
        value.encode()  # half of a surrogate pair is no text
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError(f"a number of {len(str(value))} digits is too large")
    elif isinstance(value, dict | list):
        if not depth:
            raise ValueError(f"it is nested more than {DEEPEST} deep")
        for item in value:
            _require_plain(item, depth - 1)
        if isinstance(value, dict):
            for item in value.values():
                _require_plain(item, depth - 1)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    if math.isinf(value := float(text)):
        raise ValueError(f"{text} is too large")
    return value


def as_json(data: dict[str, Any]) -> str:
    """Return `data` as JSON with sorted keys. Raises `ValueError` for NaN and infinities."""
    text = json.dumps(data, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False)
    return text + "\n"


def plain_values(data: Any) -> Any:
    """Replace the scalars of numpy and torch in JSON-like data by Python's own."""
    if isinstance(data, Mapping):
        return {key: plain_values(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [plain_values(value) for value in data]
    return data.item() if hasattr(data, "item") else data


def not_finite(value: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """Find NaN and infinities in JSON-like data; yields their places, such as `test.ndcg@10`."""
    if isinstance(value, float) and not math.isfinite(value):
        yield place, value
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from not_finite(item, f"{place}.{key}" if place else str(key))

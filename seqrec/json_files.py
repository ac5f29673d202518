"""JSON as records hold it: complete, finite and sorted."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seqrec.errors import SeqrecError
from seqrec.files import read_regular

MOST_JSON_BYTES = 1 << 25
"""Size that no JSON of a record or an experiment reaches; a grid of 10,000 runs has a tenth."""

DEEPEST = 40
"""Containers within containers that no JSON of a record reaches."""


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a regular file.

    Raises `SeqrecError` if it is incomplete, or holds a text or number that a record cannot have;
    errors of the operating system are raised as they are.
    """
    content = read_regular(path, MOST_JSON_BYTES)
    try:
        text = content.decode("utf-8")
        data = json.loads(text)
        if text.count("[") + text.count("{") > DEEPEST:
            _require_flat(data, DEEPEST)
        # What can be written again has no NaN, no infinity and no half of a surrogate pair.
        json.dumps(data, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise SeqrecError(f"{path}: is not whole JSON ({str(error)[:200]}).") from None
    if not isinstance(data, dict):
        raise SeqrecError(f"{path}: must hold one JSON object, not {type(data).__name__}.")
    return data


def _require_flat(value: Any, depth: int) -> None:
    if isinstance(value, dict | list):
        if not depth:
            raise ValueError(f"it is nested more than {DEEPEST} deep")
        for item in value.values() if isinstance(value, dict) else value:
            _require_flat(item, depth - 1)


def as_json(data: dict[str, Any]) -> str:
    """Return `data` as JSON with sorted keys. Raises `ValueError` for NaN and infinities."""
    text = json.dumps(data, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False)
    return text + "\n"


PLAIN = (str, int, float, type(None))


def plain_values(data: Any) -> Any:
    """Replace the scalars of numpy and torch in JSON-like data by Python's own."""
    if isinstance(data, PLAIN):
        return data
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

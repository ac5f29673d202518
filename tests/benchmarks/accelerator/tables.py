"""Results of a measurement as Markdown; without libraries, since a bare machine prints them too."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerator.plan import LARGE_EPOCH_SECONDS, TRAINED

from seqrec.json_files import read_json

NOT_MEASURED = "Not measured: no accelerator has been at hand yet."
NOT_REACHED = "not reached"
Found = Mapping[str, Any]


def of_accelerators(folder: Path) -> str:
    """Return the tables of all accelerators whose results lie in a folder."""
    results = [read_json(path) for path in sorted(folder.glob("*.json"))]
    measured = [
        result
        for result in results
        if result.get("what") == "accelerator" and result["kind"] != "cpu" and not result["tiny"]
    ]
    return "\n\n".join(map(tables, measured)) or NOT_MEASURED


def tables(result: Found) -> str:
    """Return all tables of one device."""
    parts = result["parts"]
    made = {
        "Checks": _checks(parts["checks"]),
        "Steps, validations and epochs": _steps(parts["steps"], parts["textbook"]),
        "To early stopping": _trainings(parts["to early stopping"], result["published"]),
        "Whole epochs at MovieLens-20M's size": _epochs(parts["large log"]),
        "Many items": _many_items(parts["many items"]),
        "Runs that share the device": _sharing(parts["sharing"]),
    }
    head = f"{result['device']}, torch {result['torch']}, {result['when'][:10]}: {summary(result)}"
    if result["tiny"]:
        head += ". The logs and networks are so small that no time means anything"
    return "\n\n".join([f"{head}.", *(f"**{title}**\n\n{table}" for title, table in made.items())])


def summary(result: Found) -> str:
    """Say how many cases were measured, failed and were not reached."""
    total = sum(len(cases) for cases in result["parts"].values())
    failed, missing = count(result, "error"), count(result, NOT_REACHED)
    return f"{total - failed - missing} of {total} measured, {failed} failed, {missing} not reached"


def count(result: Found, key: str) -> int:
    """Count the cases that have an entry `key`."""
    return sum(key in found for cases in result["parts"].values() for found in cases.values())


def _checks(cases: Found) -> str:
    rows: dict[str, list[Found]] = {}
    for found in cases.values():
        how = f"small networks in {_how(found)}" if "model" in found else "golden tensors"
        rows.setdefault(how, []).append(found)
    return _table({"check": how, **_judged(found)} for how, found in rows.items())


def _judged(found: Sequence[Found]) -> dict[str, str]:
    reached = [one for one in found if NOT_REACHED not in one]
    agree = sum(bool(one.get("agrees")) for one in reached)
    return {
        "hold": str(agree),
        "do not": str(len(reached) - agree),
        NOT_REACHED: str(len(found) - len(reached)),
    }


def _steps(package: Found, textbook: Found) -> str:
    """A row for each log and model, a column for each way to compute its step."""
    ways = [
        f"{precision}{compiled}, ms"
        for precision in ("bfloat16", "float32")
        for compiled in ("", ", compiled")
    ]
    columns = ("log", "model", *ways, "textbook, ms", "epoch, s", "peak, GB", "textbook's, GB")
    rows: dict[tuple[str, str], dict[str, str]] = {}
    shortest: dict[tuple[str, str], float] = {}
    for found in package.values():
        key = found["log"], found["model"]
        row = rows.setdefault(key, dict.fromkeys(columns, "") | {"log": key[0], "model": key[1]})
        row[f"{_how(found)}, ms"] = _cell(found, "step, s", 1e3, ".2f")
        epoch = found.get("epoch, s", float("inf"))
        if epoch < shortest.get(key, float("inf")):
            shortest[key] = epoch
            row["epoch, s"] = _cell(found, "epoch, s", 1, ".2f")
            row["peak, GB"] = _cell(found, "peak bytes", 1e-9, ".2f")
    for found in textbook.values():
        row = rows.get((found["log"], found["model"]), {})
        row["textbook, ms"] = _cell(found, "step, s", 1e3, ".1f")
        row["textbook's, GB"] = _cell(found, "peak bytes", 1e-9, ".2f")
    return _table(rows.values())


def _trainings(cases: Found, published: Mapping[str, Mapping[str, float]]) -> str:
    return _table(
        {
            **_what(found),
            "training, s": _cell(found, "training, s", 1, ".1f"),
            "hoped for, s": str(TRAINED[found["log"], found["model"]]),
            "published, s": f"{published[found['log']][found['model']]:,.0f}",
            "epochs": _cell(found, "epochs", 1, ".0f"),
            "NDCG@10": _cell({**found, **found.get("test", {})}, "ndcg@10", 1, ".4f"),
            "evaluation, s": _cell(found, "evaluation, s", 1, ".2f"),
            "peak, GB": _cell(found, "peak bytes", 1e-9, ".2f"),
        }
        for found in cases.values()
    )


def _epochs(cases: Found) -> str:
    return _table(
        {
            **_what(found),
            "epoch, s": _cell(found, "epoch, s", 1, ".2f"),
            "hoped for, s": str(LARGE_EPOCH_SECONDS),
            "step, ms": _cell(found, "step, s", 1e3, ".2f"),
            "validation, s": _cell(found, "validation, s", 1, ".2f"),
            "evaluation of all, s": _cell(found, "evaluation, s", 1, ".2f"),
            "peak, GB": _cell(found, "peak bytes", 1e-9, ".2f"),
        }
        for found in cases.values()
    )


def _many_items(cases: Found) -> str:
    return _table(
        {
            "items": f"{found['items']:,}",
            **_what(found),
            "step, ms": _cell(found, "step, s", 1e3, ".2f"),
            "loss, ms": _cell(found, "loss, s", 1e3, ".2f"),
            "peak, GB": _cell(found, "peak bytes", 1e-9, ".2f"),
        }
        for found in cases.values()
    )


def _sharing(cases: Found) -> str:
    return _table(
        {
            **_what(found),
            "runs": str(found["runs"]),
            "epoch alone, s": _cell(found, "alone, epoch, s", 1, ".3f"),
            "epoch together, s": _cell(found, "together, epoch, s", 1, ".3f"),
            "gain": _cell(found, "as fast as one after another", 1, ".2f"),
        }
        for found in cases.values()
    )


def _what(found: Found) -> dict[str, str]:
    named = {"log": found["log"]} if "log" in found else {}
    return {**named, "model": found["model"], "computed": _how(found)}


def _how(found: Found) -> str:
    others = {"compile": "compiled", "sparse": "sparse gradients"}
    return ", ".join(
        [found["precision"], *(name for key, name in others.items() if found.get(key))]
    )


def _cell(found: Found, key: str, factor: float, form: str) -> str:
    """Write a number; where there is none, why."""
    if "error" in found:  # numbers of a case that did not end would be read as those of all of it
        return "failed"
    if NOT_REACHED in found:
        return NOT_REACHED
    return format(found[key] * factor, form) if key in found else ""


def _table(rows: Iterable[Mapping[str, str]]) -> str:
    return "\n".join(_lines([*rows]))


def _lines(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    columns = [*rows[0]]
    widths = [max(len(column), *(len(row[column]) for row in rows)) for column in columns]

    def line(cells: Iterable[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    yield line(columns)
    yield f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    for row in rows:
        yield line(row[column] for column in columns)

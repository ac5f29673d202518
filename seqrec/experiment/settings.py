"""Settings of the command line, `key=value`: checked and applied to an experiment."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seqrec.errors import SeqrecError
from seqrec.experiment.schema import Experiment
from seqrec.typed_yaml import NAME, check_values, load_yaml, nearest, parse_yaml


def results_name(name: str, settings: Sequence[str], rename: str | None, config: Path) -> str:
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


def load_changed(path: Path, settings: Sequence[str]) -> tuple[str, Experiment]:
    """An experiment with settings applied, and what to call it in a message."""
    source = f"{path} with {' '.join(settings)}" if settings else str(path)
    return source, check_values(Experiment, _with_settings(load_yaml(path), settings), source)


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

"""Settings of the command line, `key=value`: checked and applied to an experiment."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seqrec.errors import SeqrecError
from seqrec.experiment.schema import Experiment
from seqrec.layout import REFERENCE, RESERVED_RESULTS, ConfigFiles, ResultFiles
from seqrec.typed_yaml import NAME, check_values, load_yaml, nearest, parse_yaml

GRID_KEYS = ("datasets", "models", "negatives", "seeds")
"""Settings that replace an experiment's key."""
RUN_KEYS = ("max_length", "hyperparameters", "loss", "training", "evaluation")
"""Settings that change every run, and come last of all overrides."""


def results_name(name: str, settings: Sequence[str], rename: str | None, config: Path) -> str:
    """The name of an experiment's results: its own, or the new one that settings require.

    Raises `SeqrecError` if there is no such experiment, or if the name may not be taken.
    """
    files = ConfigFiles(config)
    path = files.experiment(name)
    if not path.is_file():
        raise _no_experiment(name, files)
    title = rename or name
    if settings and title == name:
        raise SeqrecError(
            f"{path}: {' '.join(settings)} changes a named experiment, so its results need a name "
            "of their own that no file in config/ has: name=<new name> for the workflow, "
            "--name <new name> for seqrec train."
        )
    if title != name and files.experiment(title).exists():
        raise SeqrecError(f"{path}: {title!r} is the name of another experiment; take a new name.")
    if not re.fullmatch(NAME, title) or title in RESERVED_RESULTS:
        raise SeqrecError(
            f"experiment name {title!r}: write letters, digits, '-', '_' or '.'; {REFERENCE!r} is "
            "reserved for promoted records, 'benchmark' for measured speed."
        )
    return title


def load_changed(path: Path, settings: Sequence[str] = ()) -> tuple[str, Experiment]:
    """Read an experiment and apply settings; returns its origin for messages, and its content.

    Raises `SeqrecError` for every mistake in the file or the settings.
    """
    source = f"{path} with {' '.join(settings)}" if settings else str(path)
    return source, check_values(Experiment, _with_settings(load_yaml(path), settings), source)


def _no_experiment(name: str, files: ConfigFiles) -> SeqrecError:
    path, results = files.experiment(name), ResultFiles.of(name).folder
    if not files.folder.is_dir():
        return SeqrecError(f"{files.folder}/: no such folder. Run from the project's folder.")
    if results.is_dir():
        return SeqrecError(
            f"{path}: no such experiment. {results} got its name from NAME=; make its tables and "
            f"figures with `seqrec tables {results}` and `seqrec figures {results}`."
        )
    return SeqrecError(f"{path}: no such experiment; {nearest(name, files.experiments())}")


def _with_settings(data: dict[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Apply settings: the grid's replace its keys, those of runs become the last override."""
    data = dict(data)
    last: dict[str, Any] = {}
    for setting in settings:
        keys, value = _parsed(setting)
        if keys[0] in RUN_KEYS:
            _set(last, keys, value, setting)
            continue
        data[keys[0]] = value
        if keys[0] == "seeds":
            data["overrides"] = [
                {key: value for key, value in block.items() if key != "seeds"}
                for block in data.get("overrides", [])
            ]
    if last:
        data["overrides"] = [*data.get("overrides", []), last]
    return data


def _parsed(setting: str) -> tuple[list[str], Any]:
    """The keys of `key.key=value`, the first of them checked, and the value."""
    key, equals, text = setting.partition("=")
    if not equals:
        raise SeqrecError(f"setting {setting!r}: write key=value, as in training.max_epochs=5.")
    value = parse_yaml(text, f"setting {setting!r}")
    keys = key.split(".")
    if keys[0] not in RUN_KEYS and not (keys[0] in GRID_KEYS and len(keys) == 1):
        unknown = key if keys[0] in GRID_KEYS else keys[0]
        hint = nearest(unknown, [*GRID_KEYS, *RUN_KEYS])
        raise SeqrecError(f"setting {setting!r}: unknown key {unknown!r}; {hint}")
    return keys, value


def _set(values: dict[str, Any], keys: list[str], value: Any, setting: str) -> None:
    """Set a value in nested mappings, making those that are not there."""
    for key in keys[:-1]:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise SeqrecError(f"setting {setting!r}: {key!r} was already set to a value.")
    values[keys[-1]] = value

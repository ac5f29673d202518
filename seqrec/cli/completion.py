"""Shell completion: the names in the project's folder that the TAB key offers."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from seqrec.layout import CONFIG_FILES, PAPER, RESULTS, ResultFiles, RunFiles

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def completing(names: Callable[[click.Context], Iterable[str]]) -> Complete:
    """Turn a function that lists names into a `shell_complete` that filters them by prefix."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        return sorted({name for name in names(context) if name.startswith(incomplete)})

    return complete


@completing
def datasets(context: click.Context) -> Iterable[str]:
    """List the registered datasets."""
    return CONFIG_FILES.datasets()


@completing
def experiments(context: click.Context) -> Iterable[str]:
    """List the experiments."""
    return CONFIG_FILES.experiments()


@completing
def models(context: click.Context) -> Iterable[str]:
    """List the registered models, templates filled in, and those that only the experiment has."""
    experiment = _values(CONFIG_FILES.experiment(context.params.get("experiment") or PAPER))
    for name in CONFIG_FILES.models():
        if name.endswith("+N"):
            yield from (f"{name[:-1]}{n}" for n in _list(experiment.get("negatives")))
        else:
            yield name
    named = (m.get("name") for m in _list(experiment.get("models")) if isinstance(m, dict))
    yield from (name for name in named if isinstance(name, str))


@completing
def settings(context: click.Context) -> Iterable[str]:
    """List the keys that settings may have, each with its `=`."""
    from seqrec.experiment.settings import setting_keys

    return (f"{key}=" for key in setting_keys())


@completing
def results(context: click.Context) -> Iterable[str]:
    """List the folders of experiments that have been started."""
    return (str(files.folder) for files in _started())


@completing
def runs(context: click.Context) -> Iterable[str]:
    """List the folders of finished runs."""
    folders = (folder for files in _started() for folder in files.run_folders())
    return (str(folder) for folder in folders if RunFiles(folder).metrics.is_file())


def _started() -> Iterator[ResultFiles]:
    for files in map(ResultFiles, RESULTS.glob("*")):
        if files.grid.is_file() or files.runs.is_dir():
            yield files


def _list(value: Any) -> list[Any]:
    """Return `value` if it is a list; a file that is being edited may hold anything."""
    return value if isinstance(value, list) else []


def _values(path: Path) -> dict[str, Any]:
    from seqrec.errors import SeqrecError
    from seqrec.typed_yaml import load_yaml

    try:
        return load_yaml(path)
    except SeqrecError:
        return {}  # the command itself will report the mistake

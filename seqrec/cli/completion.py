"""What the shell offers at the TAB key: the names that the project's folder holds."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

CONFIG = Path("config")


RESULTS = Path("results")


Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def completing(names: Callable[[click.Context], Iterable[str]]) -> Complete:
    """A `shell_complete` of those of the names that begin as the word on the command line does."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        return sorted({name for name in names(context) if name.startswith(incomplete)})

    return complete


@completing
def datasets(context: click.Context) -> Iterable[str]:
    return _stems(CONFIG / "datasets")


@completing
def experiments(context: click.Context) -> Iterable[str]:
    return _stems(CONFIG) - {"workflow"}


@completing
def models(context: click.Context) -> Iterable[str]:
    """Entries, with N filled in as the experiment does, and models of the experiment alone."""
    experiment = _values(CONFIG / f"{context.params.get('experiment') or 'paper'}.yaml")
    for name in _stems(CONFIG / "models"):
        if name.endswith("+N"):
            yield from (f"{name[:-1]}{n}" for n in _list(experiment.get("negatives")))
        else:
            yield name
    named = (m.get("name") for m in _list(experiment.get("models")) if isinstance(m, dict))
    yield from (name for name in named if isinstance(name, str))


@completing
def results(context: click.Context) -> Iterable[str]:
    return (
        str(path.parent) for name in ("grid.json", "runs") for path in RESULTS.glob(f"*/{name}")
    )


@completing
def runs(context: click.Context) -> Iterable[str]:
    return (str(path.parent) for path in RESULTS.glob("*/runs/*/*/seed-*/metrics.json"))


def _list(value: Any) -> list[Any]:
    """Also of a file that is being written."""
    return value if isinstance(value, list) else []


def _stems(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.yaml")}


def _values(path: Path) -> dict[str, Any]:
    from seqrec.errors import SeqrecError
    from seqrec.typed_yaml import load_yaml

    try:
        return load_yaml(path)
    except SeqrecError:
        return {}  # it is told by the command itself

"""Settings by flat names, such as `training.patience`: of the command line, and of a configuration.

Those of the command line, `key=value`, are checked and applied to an experiment.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from seqrec.errors import SeqrecError
from seqrec.experiment.built_in import built_in_names, find_built_in
from seqrec.experiment.schema import Experiment, Override, SplitRule
from seqrec.layout import REFERENCE, RESERVED_RESULTS, ConfigFiles, ResultFiles, no_project
from seqrec.typed_yaml import check_values, keys_inside, load_yaml, parse_yaml, require_name
from seqrec.wording import nearest, quoted, shortened

GRID_KEYS = ("datasets", "models", "negatives", "seeds", "splits")
"""Settings that replace an experiment's key."""
SEARCH_KEYS = ("search.trials", "search.seed", "search.reseed")
"""Settings that replace a key of an experiment's search."""
RUN_KEYS = ("split", "max_length", "hyperparameters", "loss", "training", "evaluation")
"""Settings that change every run, as the last override."""


def experiment_file(name: str, config: Path) -> Path:
    """Return the file of an experiment. Raises `SeqrecError` if there is none."""
    files = ConfigFiles(config)
    require_name(name, "experiment")
    if not files.folder.is_dir() or name not in files.experiments():
        raise _no_experiment(name, files)
    return files.experiment(name)


def results_name(name: str, settings: Sequence[str], rename: str | None, config: Path) -> str:
    """Return the name of an experiment's results: its own, or the new one that settings require.

    Raises `SeqrecError` if the name may not be taken.
    """
    files = ConfigFiles(config)
    path = files.experiment(name)
    title = rename or name
    if settings and title == name:
        raise SeqrecError(
            f"{path}: {_written(settings)} changes a named experiment, so its results need a name "
            "of their own that no file in config/ has: NAME=<new name> for make, "
            "--config name=<new name> for snakemake, --name <new name> for seqrec."
        )
    require_results_name(title)
    if title != name and files.experiment(title).exists():
        raise SeqrecError(f"{path}: {title!r} is the name of another experiment; take a new name.")
    return title


def require_results_name(name: str) -> None:
    """Raise `SeqrecError` unless results may have this name."""
    require_name(name, "experiment name")
    if name in RESERVED_RESULTS:
        raise SeqrecError(
            f"experiment name {name!r}: {REFERENCE!r} is reserved for promoted records, "
            "'benchmark' for measured speed. Take another."
        )


def load_changed(path: Path, settings: Sequence[str] = ()) -> tuple[str, Experiment]:
    """Read an experiment and apply settings; returns its origin for messages, and its content.

    Raises `SeqrecError` for every mistake in the file or the settings.
    """
    data = load_yaml(path)
    source = str(path)
    if settings:
        source += f" with {_written(settings)}"
        data = _with_settings(data, settings)
    return source, check_values(Experiment, data, source)


def setting_keys() -> list[str]:
    """List the keys of settings, such as `training.patience`, with built-in hyperparameters."""
    hyperparameters = {
        f"hyperparameters.{name}"
        for model in built_in_names()
        if (found := find_built_in(model))
        for name in found.signature.parameters
    }
    sections = {*keys_inside(Override), *hyperparameters}
    whole = [key for key in RUN_KEYS if not any(place.startswith(f"{key}.") for place in sections)]
    return [*GRID_KEYS, *SEARCH_KEYS, *whole, *sorted(sections)]


def split_rule(settings: Sequence[str]) -> SplitRule:
    """Read the settings of a split alone, such as `split.kind=global-temporal`.

    Raises `SeqrecError` for any other setting, and for every mistake in these.
    """
    values: dict[str, Any] = {"split": {}}
    for setting in settings:
        keys, value = _parsed(setting)
        if keys[0] != "split":
            raise SeqrecError(
                f"setting {quoted(setting)}: only the split matters here, as in "
                "split.kind=global-temporal."
            )
        _set(values, keys, value, setting)
    return check_values(SplitRule, values["split"], f"settings {quoted(' '.join(settings))}")


def is_about_the_grid(setting: str) -> bool:
    """Whether a setting says which runs there are, rather than how they are done."""
    return setting.partition("=")[0] in (*GRID_KEYS, *SEARCH_KEYS)


def flat_settings(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten a configuration: `{"training": {"patience": 10}}` to `{"training.patience": 10}`."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        flat |= flat_settings(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat


def _written(settings: Iterable[str]) -> str:
    return shortened(" ".join(settings))


def _no_experiment(name: str, files: ConfigFiles) -> SeqrecError:
    path, results = files.experiment(name), ResultFiles.of(name).folder
    if not files.folder.is_dir():
        return SeqrecError(no_project(files))
    if results.is_dir():
        return SeqrecError(
            f"{path}: no such experiment. {results} got its name from NAME= or --name: give the "
            f"experiment that it was made from as well, or make its tables and figures with "
            f"`seqrec tables {results}` and `seqrec figures {results}`. For a report of runs of "
            f"`seqrec train`, write {path} with their datasets and models."
        )
    return SeqrecError(f"{path}: no such experiment; {nearest(name, files.experiments())}")


def _with_settings(data: dict[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """Apply settings: the grid's replace its keys, those of runs become the last override."""
    data = dict(data)
    last: dict[str, Any] = {}
    for setting in settings:
        keys, value = _parsed(setting)
        if keys[0] in RUN_KEYS:
            _set(last, keys, value, setting)
            continue
        if keys[0] == "search":
            value = {**(data.get("search") or {}), keys[1]: value}
        data[keys[0]] = value
        if keys[0] == "seeds":
            data["overrides"] = [
                {key: value for key, value in block.items() if key != "seeds"}
                for block in data.get("overrides", [])
            ]
    if last:
        # By themselves, so that their places in messages are those of the settings.
        of_runs = [setting for setting in settings if not is_about_the_grid(setting)]
        title = "setting" if len(of_runs) == 1 else "settings"
        check_values(Override, last, f"{title} {quoted(' '.join(of_runs))}")
        data["overrides"] = [*data.get("overrides", []), last]
    return data


def _parsed(setting: str) -> tuple[list[str], Any]:
    """Split `key.key=value` into its keys, the first of them checked, and its value."""
    key, equals, text = setting.partition("=")
    if not equals:
        raise SeqrecError(
            f"setting {quoted(setting)}: write key=value, as in training.max_epochs=5."
        )
    value = parse_yaml(text, f"setting {quoted(setting)}")
    keys = key.split(".")
    of_grid = (keys[0] in GRID_KEYS and len(keys) == 1) or key in SEARCH_KEYS
    if keys[0] not in RUN_KEYS and not of_grid:
        unknown = key if keys[0] in (*GRID_KEYS, "search") else keys[0]
        raise SeqrecError(f"setting {quoted(setting)}: unknown key {quoted(unknown)}; {_hint(key)}")
    return keys, value


def _hint(key: str) -> str:
    """Say which setting was probably meant by an unknown one, such as `learning_rate`."""
    top_level = (*GRID_KEYS, *RUN_KEYS)
    if key.partition(".")[0] == "search":
        return nearest(key, SEARCH_KEYS)
    if "." in key or get_close_matches(key, top_level, n=1):
        return nearest(key if key.partition(".")[0] in GRID_KEYS else key.split(".")[0], top_level)
    places = [place for place in setting_keys() if "." in place]
    close = get_close_matches(key, [place.split(".")[1] for place in places], n=1, cutoff=0.8)
    meant = [place for place in places if place.split(".")[1] in close]
    return f"did you mean {' or '.join(meant)}?" if meant else nearest(key, top_level)


def _set(values: dict[str, Any], keys: list[str], value: Any, setting: str) -> None:
    """Set a value in nested mappings, making those that are not there."""
    for key in keys[:-1]:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise SeqrecError(
                f"setting {quoted(setting)}: {quoted(key)} was already set to a value."
            )
    values[keys[-1]] = value

"""Experiments as data: from a small YAML file to the resolved configuration of every run.

An experiment names datasets and models; their entries live in `config/datasets/` and
`config/models/`. What is written later wins: the model's entry, then the experiment's common
`training` and `evaluation`, then its `overrides` in order, then settings of the command line.
Nothing here imports torch, so that a workflow of thousands of runs is planned in seconds.
"""

import json
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from seqrec.data.datasets import dataset_names, load_dataset
from seqrec.errors import SeqrecError
from seqrec.experiment.registry import entry, load_model_entry, resolve_hyperparameters
from seqrec.experiment.schema import CONFIG, Experiment, NamedModel, Override, RunConfig
from seqrec.experiment.settings import GRID_KEYS, load_changed, results_name
from seqrec.layout import TABLES
from seqrec.typed_yaml import check_values, load_yaml, nearest


class Grid:
    """An experiment with its name and its runs, in the order of the file."""

    def __init__(
        self,
        name: str,
        source: str,
        experiment: Experiment,
        config: Path,
        settings: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.settings = list(settings)
        """`key=value`, by which it differs from the file."""
        self.experiment = experiment
        self.runs = _expand(source, experiment, config)

    @property
    def datasets(self) -> list[str]:
        return list(dict.fromkeys(run.dataset for run in self.runs))

    def json(self) -> str:
        """The content of `grid.json`: what tables expect to find."""
        runs = [
            {
                "dataset": run.dataset,
                "model": run.model,
                "seed": run.seed,
                "config_hash": run.hash(),
            }
            for run in self.runs
        ]
        content = {"experiment": self.name, "settings": self.settings, "runs": runs}
        return json.dumps(content, sort_keys=True)


def load_experiment(
    name: str, settings: Sequence[str] = (), rename: str | None = None, config: Path = CONFIG
) -> Grid:
    """Read `config/<name>.yaml`, apply `key=value` settings, and expand it to its runs.

    With settings the experiment must be given a new name, whose results are kept apart.
    Raises `SeqrecError` for every mistake in the files or the settings.
    """
    # What was read for another experiment may have been edited since.
    entry.cache_clear()
    _max_length.cache_clear()
    title = results_name(name, settings, rename, config)
    path = config / f"{name}.yaml"
    data = load_yaml(path)
    source = str(path)
    grid = Grid(title, source, check_values(Experiment, data, source), config)
    _refuse_idle_overrides(source, grid)
    if not settings:
        return grid
    # A narrower grid may leave some of the file's overrides without a run; that is no mistake.
    source, experiment = load_changed(path, settings)
    return Grid(title, source, experiment, config, settings)


def load_run(
    name: str,
    dataset: str,
    model: str,
    seed: int,
    settings: Sequence[str] = (),
    rename: str | None = None,
    config: Path = CONFIG,
) -> tuple[str, RunConfig]:
    """The name of the results, and one run as the experiment would resolve it.

    The run need not be in the experiment's grid, and the settings need to fit this run alone.
    """
    title = results_name(name, settings, rename, config)
    load_experiment(name, config=config)  # a mistake in the file is told as that
    source, experiment = load_changed(config / f"{name}.yaml", settings)
    named = {m.name: m for m in experiment.models if isinstance(m, NamedModel)}
    run = _resolve(source, experiment, dataset, named.get(model, model), seed, config)
    for setting in settings:
        key = setting.partition("=")[0].partition(".")[0]
        if key in GRID_KEYS and not (key == "models" and model in named):
            raise SeqrecError(
                f"setting {setting!r}: {key!r} is about a grid, and this is one run. Give its "
                "dataset, its model (as sasrec+100) and its --seed instead."
            )
        if key in ("training", "loss") and run.loss is None:
            raise SeqrecError(
                f"setting {setting!r}: {model} fits itself, without a loop or a loss of ours; what "
                f"it has are hyperparameters ({', '.join(run.hyperparameters) or 'none'})."
            )
    return title, run


def resolve_cell(name: str, dataset: str, model: str, config: Path = CONFIG) -> RunConfig:
    """What an experiment has for a dataset and an entry of `config/models/`, in its grid or not; of
    seed 0."""
    source, experiment = load_changed(config / f"{name}.yaml", [])
    return _resolve(source, experiment, dataset, model, 0, config)


def _expand(source: str, experiment: Experiment, config: Path) -> list[RunConfig]:
    known = dataset_names(config / "datasets")
    for dataset in experiment.datasets:
        if dataset in TABLES:
            raise SeqrecError(
                f"{source}: datasets: {dataset!r} is a table's name; rename the dataset's file."
            )
        if dataset not in known:
            raise SeqrecError(f"{source}: datasets: no {dataset!r}; {nearest(dataset, known)}")
    models: list[str | NamedModel] = []
    for model in experiment.models:
        if isinstance(model, str) and model.endswith("+N"):
            if not experiment.negatives:
                raise SeqrecError(f"{source}: models: {model} needs 'negatives: [...]' to fill N.")
            models += [f"{model[:-1]}{count}" for count in experiment.negatives]
        else:
            models.append(model)
    names = [model if isinstance(model, str) else model.name for model in models]
    for kind, listed in (("datasets", experiment.datasets), ("models", names)):
        for name in listed:
            if listed.count(name) > 1:
                raise SeqrecError(f"{source}: {kind}: {name!r} is listed twice.")
    return [
        _resolve(source, experiment, dataset, model, seed, config)
        for dataset in experiment.datasets
        for model, name in zip(models, names, strict=True)
        for seed in _seeds(experiment, dataset, name)
    ]


def _refuse_idle_overrides(source: str, grid: Grid) -> None:
    """An override that names a dataset or model that no run has is a typo."""
    models = [run.model for run in grid.runs]
    for number, override in enumerate(grid.experiment.overrides):
        for kind, patterns, names in (
            ("datasets", override.datasets, grid.datasets),
            ("models", override.models, list(dict.fromkeys(models))),
        ):
            for pattern in patterns or []:
                if not any(fnmatchcase(name, pattern) for name in names):
                    raise SeqrecError(
                        f"{source}: overrides.{number}.{kind}: {pattern!r} is in no run of this "
                        f"experiment; {nearest(pattern, names)}"
                    )


def _seeds(experiment: Experiment, dataset: str, model: str) -> list[int]:
    seeds = experiment.seeds
    for override in experiment.overrides:
        if override.seeds is not None and override.applies(dataset, model):
            seeds = override.seeds
    return seeds


def _resolve(
    source: str,
    experiment: Experiment,
    dataset: str,
    model: str | NamedModel,
    seed: int,
    config: Path,
) -> RunConfig:
    name = model if isinstance(model, str) else model.name
    entry = load_model_entry(model if isinstance(model, str) else model.like, config)
    layers: list[Any] = [entry]
    if isinstance(model, NamedModel):
        layers.append(model)
    layers.append(experiment)
    layers += [block for block in experiment.overrides if block.applies(dataset, name)]
    if entry.loss is None:
        _refuse_loop_values(source, name, layers)

    def merged(section: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for layer in layers:
            part = getattr(layer, section, {})
            values |= part if isinstance(part, dict) else part.model_dump(exclude_unset=True)
        return values

    def last(key: str) -> Any:
        return [value for layer in layers if (value := getattr(layer, key, None))][-1:]

    # Loss and training reach the models that are trained; one without a loss fits itself.
    loss = last("loss")[0] if entry.loss else None
    where = f"{source}: {dataset} {name}"
    return check_values(
        RunConfig,
        {
            "dataset": dataset,
            "model": name,
            "seed": seed,
            "implementation": entry.implementation,
            "hyperparameters": resolve_hyperparameters(
                entry.implementation, merged("hyperparameters"), where
            ),
            "max_length": (last("max_length") or [_max_length(dataset, config)])[0],
            "loss": loss and loss.model_dump(),
            "training": merged("training") if loss else None,
            "evaluation": merged("evaluation"),
        },
        where,
    )


def _refuse_loop_values(source: str, name: str, layers: Iterable[Any]) -> None:
    """A model that fits itself has no use for them; values for all models pass it by."""
    for layer in layers:
        aimed = isinstance(layer, NamedModel) or (
            isinstance(layer, Override) and layer.models == [name]
        )
        for key in ("training", "loss"):
            if aimed and key in layer.model_fields_set:
                raise SeqrecError(
                    f"{source}: {name}: {key}: this model fits itself, without a loop or a loss of "
                    "ours. Write 'hyperparameters' instead."
                )


@cache
def _max_length(dataset: str, config: Path) -> int:
    return load_dataset(dataset, config / "datasets").max_length

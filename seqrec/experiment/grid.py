"""Experiments as data: from a small YAML file to the configuration of every run.

Nothing here imports torch, so that a workflow of thousands of runs is planned in seconds.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count, filterfalse, islice
from pathlib import Path
from typing import Any

from seqrec.data.datasets import dataset_names
from seqrec.errors import SeqrecError
from seqrec.experiment.naming import model_title
from seqrec.experiment.resolving import Resolver
from seqrec.experiment.schema import Experiment, Report, RunConfig
from seqrec.experiment.settings import (
    GRID_KEYS,
    experiment_file,
    is_about_the_grid,
    load_changed,
    results_name,
)
from seqrec.experiment.variants import refuse_idle_patterns, tuned_name
from seqrec.layout import CONFIG, Run, task_of
from seqrec.wording import nearest, quoted, shortened


@dataclass(frozen=True)
class Grid:
    """The runs of an experiment, in the order of its file."""

    name: str
    experiment: str
    """Name of its file, which differs from `name` where the results have a name of their own."""
    settings: list[str]
    """`key=value` settings by which the experiment differs from its file."""
    runs: list[RunConfig]
    report: Report
    """What its tables and figures show."""
    titles: Mapping[str, str]
    """Titles that the experiment's file gives to models, by their names."""
    tried: Mapping[str, str] = field(default_factory=dict)
    """What a grid or a search tries of models, in words, by their names."""
    trials: Mapping[str, str] = field(default_factory=dict)
    """The trials of a search by their names, with the model that each is a trial of."""
    tuned: Sequence[Run] = ()
    """Runs of the settings that will be chosen, each with a new seed."""
    files: Sequence[Path] = ()
    """The files of the configuration that say all this."""

    @property
    def datasets(self) -> list[str]:
        return list(dict.fromkeys(run.dataset for run in self.runs))

    @property
    def tasks(self) -> list[str]:
        """The datasets, each under each split where there are several."""
        return list(dict.fromkeys(run.run.task for run in self.runs))


def load_experiment(
    name: str, settings: Sequence[str] = (), rename: str | None = None, config: Path = CONFIG
) -> Grid:
    """Read `config/<name>.yaml`, apply `key=value` settings, and expand it to its runs.

    With settings the experiment needs a new name, under which its results are kept apart. Raises
    `SeqrecError` for every mistake in the files or the settings.
    """
    unchanged = _resolver(name, (), config)
    resolver, runs = unchanged, _expand(unchanged)
    _refuse_idle_overrides(unchanged, runs)
    refuse_idle_patterns(unchanged.source, unchanged.experiment)
    if settings:
        # A narrower grid may leave some of the file's values without a run; that is no mistake.
        resolver = _resolver(name, settings, config)
        runs = _expand(resolver)
        _refuse_tried_settings(settings, resolver)
        of_grid = [setting for setting in settings if is_about_the_grid(setting)]
        if len(of_grid) < len(settings):
            _refuse_models_made_alike(_expand(_resolver(name, of_grid, config)), runs, settings)
    return Grid(
        results_name(name, settings, rename, config),
        name,
        list(settings),
        runs,
        unchanged.experiment.report,
        _titles(resolver),
        {one: variant.differs for one, variant in resolver.variants.items()},
        {one: variant.base for one, variant in resolver.variants.items() if variant.is_trial},
        _tuned(resolver),
        [experiment_file(name, config), *resolver.registry.used],
    )


def load_run(
    name: str,
    run: Run,
    settings: Sequence[str] = (),
    rename: str | None = None,
    config: Path = CONFIG,
) -> tuple[str, RunConfig]:
    """Return the name of the results, and one run as the experiment would resolve it.

    The run need not be in the experiment's grid, and the settings must fit this run alone.
    Raises `SeqrecError` for every mistake in the files or the settings.
    """
    load_experiment(name, config=config)  # a mistake in the file is reported as such
    resolver = _resolver(name, settings, config)
    resolved = resolver.resolve(run)
    for setting in settings:
        _refuse_idle_setting(setting, resolved, is_named=run.model in resolver.named)
    return results_name(name, settings, rename, config), resolved


def load_setting(
    name: str, run: Run, values: Mapping[str, Any], rename: str, config: Path = CONFIG
) -> RunConfig:
    """Resolve a run of an experiment's model with other values, by names such as
    `training.learning_rate`.

    Its results go by the name `rename`. Raises `SeqrecError` for every mistake in the files or the
    values.
    """
    load_experiment(name, config=config)  # a mistake in the file is reported as such
    results_name(name, [f"{key}={value}" for key, value in values.items()], rename, config)
    return _resolver(name, (), config).resolve_setting(run, values)


def resolve_cell(name: str, dataset: str, model: str, config: Path = CONFIG) -> RunConfig:
    """Resolve what an experiment trains for a dataset and a model, in its grid or not, by seed 0.

    Raises `SeqrecError` for every mistake in the files.
    """
    return _resolver(name, (), config).resolve(Run(dataset, model, seed=0))


def _resolver(name: str, settings: Sequence[str], config: Path) -> Resolver:
    return Resolver(*load_changed(experiment_file(name, config), settings), config)


def _expand(resolver: Resolver) -> list[RunConfig]:
    source, experiment = resolver.source, resolver.experiment
    known = dataset_names(resolver.registry.files)
    for dataset in experiment.datasets:
        if dataset not in known:
            raise SeqrecError(
                f"{source}: datasets: no {quoted(dataset)}; {nearest(dataset, known)}"
            )
    for dataset, times in Counter(experiment.datasets).items():
        if times > 1:
            raise SeqrecError(f"{source}: datasets: {quoted(dataset)} is listed twice.")
    runs = [
        resolver.resolve(Run(task, model, seed))
        for task in _tasks(experiment)
        for model, base in resolver.models.items()
        for seed in _seeds(experiment, task, base)
    ]
    _require_one_split_for_each_task(source, runs)
    return runs


def _tasks(experiment: Experiment) -> list[str]:
    splits = experiment.splits or [None]
    return [task_of(dataset, split) for dataset in experiment.datasets for split in splits]


def _titles(resolver: Resolver) -> dict[str, str]:
    """Collect the titles that the experiment gives to its models, and to what it tries of them."""
    titles = {one: model.title for one, model in resolver.named.items() if model.title}
    for name, variant in resolver.variants.items():
        base = titles.get(variant.base) or model_title(variant.base)
        titles[name] = variant.title(base)
        if variant.is_trial:
            titles[tuned_name(variant.base)] = f"{base} (tuned)"
    return titles


def _tuned(resolver: Resolver) -> list[Run]:
    """List the runs of chosen settings: the seeds are the first that no trial has."""
    experiment = resolver.experiment
    if not (experiment.search and experiment.search.reseed):
        return []
    bases = dict.fromkeys(variant.base for variant in resolver.variants.values())
    return [
        Run(task, tuned_name(base), seed)
        for task in _tasks(experiment)
        for base in bases
        for seed in islice(
            filterfalse(_seeds(experiment, task, base).__contains__, count()),
            experiment.search.reseed,
        )
    ]


def _seeds(experiment: Experiment, task: str, model: str) -> list[int]:
    seeds, dataset = experiment.seeds, Run(task, model, seed=0).dataset
    for override in experiment.overrides:
        if override.seeds is not None and override.applies(dataset, model):
            seeds = override.seeds
    return seeds


def _refuse_idle_overrides(resolver: Resolver, runs: Sequence[RunConfig]) -> None:
    """Refuse an override that names a dataset or model of no run: it is a typo."""
    datasets = list(dict.fromkeys(run.dataset for run in runs))
    models = list(dict.fromkeys(resolver.models.values()))
    for number, override in enumerate(resolver.experiment.overrides):
        for kind, patterns, names in (
            ("datasets", override.datasets, datasets),
            ("models", override.models, models),
        ):
            for pattern in patterns or []:
                if not any(fnmatchcase(name, pattern) for name in names):
                    raise SeqrecError(
                        f"{resolver.source}: overrides.{number}.{kind}: {quoted(pattern)} is in no "
                        f"run of this experiment; {nearest(pattern, names)}"
                    )


def _refuse_tried_settings(settings: Sequence[str], resolver: Resolver) -> None:
    """Refuse settings of what a grid or a search tries: they would reach no run, or few."""
    tried = {key for variant in resolver.variants.values() for key in variant.values}
    for setting in settings:
        if setting.partition("=")[0] in tried:
            raise SeqrecError(
                f"setting {quoted(setting)}: the experiment tries values of this itself. Change "
                f"them in {resolver.source.partition(' ')[0]}, or leave the setting out."
            )


def _refuse_models_made_alike(
    without: Sequence[RunConfig], runs: Sequence[RunConfig], settings: Sequence[str]
) -> None:
    """Refuse settings by which models that differ become one model under several names.

    `without` are the same runs without those settings that are about runs.
    """
    first: dict[tuple[str, int, str], int] = {}
    for number, run in enumerate(runs):
        earlier = first.setdefault((run.run.task, run.seed, _apart_from_its_name(run)), number)
        if _apart_from_its_name(without[earlier]) != _apart_from_its_name(without[number]):
            raise SeqrecError(
                f"{shortened(' '.join(settings))}: makes {runs[earlier].model} and {run.model} on "
                f"{run.run.task} alike, and they would be trained as one model under two names. "
                f"Choose one of them, as in models={runs[earlier].model}, or leave the setting out."
            )


def _require_one_split_for_each_task(source: str, runs: Sequence[RunConfig]) -> None:
    """Refuse a task whose models differ in their split, and two tasks with the same split."""
    rules: dict[str, str] = {}
    tasks: dict[tuple[str, str], str] = {}
    for run in runs:
        task, rule = run.run.task, run.split.model_copy(update={"name": None}).model_dump_json()
        if rules.setdefault(task, rule) != rule:
            raise SeqrecError(
                f"{source}: {task}: its models differ in their split, and could not be compared. "
                "Give an override of the split no models, or name the splits with 'splits'."
            )
        if (other := tasks.setdefault((run.dataset, rule), task)) != task:
            raise SeqrecError(
                f"{source}: {other} and {task} are one split under two names. Choose one of them, "
                "or leave out what makes them alike."
            )


def _apart_from_its_name(run: RunConfig) -> str:
    return run.model_copy(update={"model": "any"}).json()


def _refuse_idle_setting(setting: str, run: RunConfig, is_named: bool) -> None:
    """Refuse a setting that this run has no use for.

    A model of the experiment alone (`is_named`) may be defined by a setting.
    """
    key = setting.partition("=")[0].partition(".")[0]
    if key in GRID_KEYS and not (key == "models" and is_named):
        raise SeqrecError(
            f"setting {quoted(setting)}: {quoted(key)} is about a grid, and this is one run. "
            "Give its dataset, its model (such as sasrec+100) and its --seed instead."
        )
    if key in ("training", "loss") and run.loss is None:
        raise SeqrecError(
            f"setting {quoted(setting)}: {run.model} fits itself, without seqrec's training loop "
            f"and losses; it has hyperparameters ({', '.join(run.hyperparameters) or 'none'})."
        )

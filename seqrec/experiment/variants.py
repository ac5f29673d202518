"""The models that a grid or a search makes of an experiment's models: their names and settings."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any

from seqrec.errors import SeqrecError
from seqrec.experiment.schema import Experiment, Loss, NamedModel, RunConfig, Search, Training
from seqrec.experiment.search import Tried, combinations, draw
from seqrec.experiment.settings import flat_settings
from seqrec.wording import nearest, quoted

NEGATIVES = "loss.negatives"
TUNED = ".tuned"
SECTIONS = ("hyperparameters", "loss", "training")
"""Parts of a configuration whose values can be tried."""


@dataclass(frozen=True)
class Variant:
    """A model of an experiment with other settings."""

    base: str
    """The model, as the experiment's file names it."""
    values: Mapping[str, Any]
    """The settings by flat names, such as `training.learning_rate`."""
    trial: int | None = None
    """Its number among the trials of a search, from 0; None of a grid."""

    @property
    def is_trial(self) -> bool:
        return self.trial is not None

    @property
    def entry(self) -> str:
        """The model of the registry or the experiment to start from: of `<base>+N`, that of N."""
        return self.base[:-1] + str(self.values[NEGATIVES]) if _is_open(self.base) else self.base

    @property
    def differs(self) -> str:
        """What differs from the model, in words: `learning rate 0.001, dropout 0.3`."""
        words = setting_words(self.values)
        named = (f"{words[key]} {value}" for key, value in self.values.items())
        return ", ".join(named) or "its own setting"

    def title(self, of_base: str) -> str:
        """Return its title: `SASRec+ t03 (learning rate 0.001)`."""
        number = "" if self.trial is None else f" t{self.trial:02d}"
        return f"{of_base}{number} ({self.differs})"

    def section(self, name: str) -> dict[str, Any]:
        """Return the values of a section, such as `training`."""
        prefix = f"{name}."
        return {k.removeprefix(prefix): v for k, v in self.values.items() if k.startswith(prefix)}


def setting_name(base: str, values: Mapping[str, Any]) -> str:
    """Name a model with other settings that no experiment lists, the same for the same settings."""
    text = json.dumps(values, sort_keys=True, default=str)
    return f"{base}.{sha256(text.encode()).hexdigest()[:8]}"


def tuned_name(base: str) -> str:
    """Name the model that is trained with the chosen setting and new seeds."""
    return f"{base}{TUNED}"


def untuned_name(tuned: str) -> str:
    """Return the model whose chosen setting another one is trained with."""
    return tuned.removesuffix(TUNED)


def base_models(source: str, experiment: Experiment) -> list[str]:
    """List the models of the file, `<base>+N` once for each of its numbers of negatives.

    It stays as it is where a grid or a search fills in N. Raises `SeqrecError` if nothing does.
    """
    names: list[str] = []
    tried = None if experiment.negatives else _space(experiment).get(NEGATIVES)
    for model in experiment.models:
        if isinstance(model, NamedModel):
            names.append(model.name)
        elif not _is_open(model) or (tried and tried.applies(model)):
            names.append(model)
        elif experiment.negatives:
            names += [f"{model[:-1]}{count}" for count in experiment.negatives]
        else:
            raise SeqrecError(f"{source}: models: {model} needs 'negatives: [...]' to fill N.")
    return names


def variants_of(
    source: str, experiment: Experiment, own: Callable[[Variant], RunConfig]
) -> dict[str, Variant]:
    """Return the variants of all models by their names, in the order of the file.

    `own` resolves a model with its own setting. Raises `SeqrecError` for a setting that a model
    does not have, and for more trials than there are settings.
    """
    found: dict[str, Variant] = {}
    for base in base_models(source, experiment):
        tried = {key: one for key, one in _space(experiment).items() if one.applies(base)}
        if not tried:
            continue
        filled = {NEGATIVES: tried[NEGATIVES].first} if _is_open(base) else {}
        config = own(Variant(base, filled))
        for key in tried:
            _require_tried(source, experiment, config, key)
        search = experiment.search
        try:
            made = _trials(base, search, tried, filled, config) if search else _grid(base, tried)
        except ValueError as error:
            place = "search.trials" if search else "grid"
            raise SeqrecError(f"{source}: {place}: {base}: {error}.") from None
        for name, variant in made:
            if name in found:
                raise SeqrecError(
                    f"{source}: grid: two settings of {base} would both be named {name}. List them "
                    "as models with names, as in {name: ..., like: " + f"{base}, ...}}."
                )
            found[name] = variant
    return found


NamedVariants = list[tuple[str, Variant]]


def _trials(
    base: str,
    search: Search,
    tried: Mapping[str, Tried],
    filled: Mapping[str, Any],
    config: RunConfig,
) -> NamedVariants:
    """Return a model's own setting, then those that are drawn.

    Raises `ValueError` for more trials than there are settings.
    """
    drawn = draw(search, [*tried], flat_settings(_own(config)), search.trials - 1)
    settings = enumerate([dict(filled), *drawn])
    return [(f"{base}.t{number:02d}", Variant(base, each, number)) for number, each in settings]


def _grid(base: str, tried: Mapping[str, Tried]) -> NamedVariants:
    """Return a variant of each combination; raises `ValueError` if there are too many."""
    words = setting_words(tried)
    found = []
    for values in combinations(tried):
        parts = [f"{words[key].replace(' ', '-')}-{value}" for key, value in values.items()]
        name = re.sub(r"[^A-Za-z0-9+._-]+", "-", "_".join([base, *parts])).rstrip("-")
        found.append((name, Variant(base, values)))
    return found


def _own(config: RunConfig) -> dict[str, Any]:
    """Return a model's own values, those that are left out of a record at their defaults, too."""
    sections = {name: dict(part or {}) for name, part in dict(config).items() if name in SECTIONS}
    return {**sections, "max_length": config.max_length}


def _is_open(model: str) -> bool:
    return model.endswith("+N")


def _space(experiment: Experiment) -> Mapping[str, Tried]:
    return experiment.search.space if experiment.search else experiment.grid


def setting_words(keys: Iterable[str]) -> dict[str, str]:
    """Put settings into words: `learning rate`, with the section where two would be alike."""
    keys = list(keys)
    last = [key.rpartition(".")[2] for key in keys]
    return {
        key: (name if last.count(name) == 1 else key.replace(".", " ")).replace("_", " ")
        for key, name in zip(keys, last, strict=True)
    }


def refuse_idle_patterns(source: str, experiment: Experiment) -> None:
    """Raise `SeqrecError` if something is tried of a model that there is not: it is a typo."""
    bases = base_models(source, experiment)
    for key, tried in _space(experiment).items():
        for pattern in tried.models or []:
            if not any(fnmatchcase(base, pattern) for base in bases):
                raise SeqrecError(
                    f"{source}: {_place(experiment)}.{key}.models: {quoted(pattern)} is no "
                    f"model of this experiment; {nearest(pattern, bases)}"
                )


def require_setting(where: str, config: RunConfig, key: str) -> None:
    """Raise `SeqrecError`, which begins with `where`, unless the model of a run has a setting."""
    valid = ["max_length", *(f"hyperparameters.{name}" for name in config.hyperparameters)]
    if config.loss:
        valid += [f"training.{name}" for name in Training.model_fields]
        valid += [f"loss.{name}" for name in Loss.model_fields]
    if key not in valid:
        meant = [each for each in valid if each.rpartition(".")[2] == key.rpartition(".")[2]]
        hint = f"did you mean {' or '.join(map(repr, meant))}?" if meant else nearest(key, valid)
        raise SeqrecError(f"{where}: {config.model} has no {quoted(key)}; {hint}")
    if key == NEGATIVES and config.loss and config.loss.negatives is None:
        raise SeqrecError(
            f"{where}: {config.model} draws no negatives, as its loss is {config.loss.kind}."
        )


def _require_tried(source: str, experiment: Experiment, config: RunConfig, key: str) -> None:
    """Raise `SeqrecError` unless a model has a setting that is tried of it."""
    if key == NEGATIVES and "loss.kind" in _space(experiment):
        return
    try:
        require_setting(f"{source}: {_place(experiment)}", config, key)
    except SeqrecError as error:
        raise SeqrecError(
            f"{error} If it is meant for other models, name them, as in "
            f"{key}: {{models: [{_example(experiment, config.model)}], values: [...]}}."
        ) from None


def _example(experiment: Experiment, base: str) -> str:
    names = [one.name if isinstance(one, NamedModel) else one for one in experiment.models]
    return next((name for name in names if name != base), "sasrec+")


def _place(experiment: Experiment) -> str:
    return "search.space" if experiment.search else "grid"

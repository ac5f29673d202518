"""The configuration of a run, from everything that has a say in it.

Later wins: the model's entry, a model of the experiment alone, the experiment's common values, its
overrides in order. Settings of the command line are the last override.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from seqrec.errors import SeqrecError
from seqrec.experiment.registry import Registry
from seqrec.experiment.schema import (
    Experiment,
    Loss,
    ModelEntry,
    NamedModel,
    Override,
    RunConfig,
)
from seqrec.experiment.variants import (
    TUNED,
    Variant,
    base_models,
    require_setting,
    setting_name,
    variants_of,
)
from seqrec.layout import Run, task_of
from seqrec.typed_yaml import Strict, check_values
from seqrec.wording import nearest, quoted

ConfigLayer = ModelEntry | NamedModel | Experiment | Override


class Resolver:
    """Resolves the runs of one experiment, in its grid or not; `source` is its origin in messages.

    It reads every entry of the registry once.
    """

    def __init__(self, source: str, experiment: Experiment, config: Path) -> None:
        self.source = source
        self.experiment = experiment
        self.registry = Registry(config)
        self.named = {m.name: m for m in experiment.models if isinstance(m, NamedModel)}
        """The models of this experiment alone."""

    @cached_property
    def variants(self) -> Mapping[str, Variant]:
        """The models that a grid or a search makes of the experiment's, by their names."""
        if not (self.experiment.grid or self.experiment.search):
            return {}
        split = next(iter(self.experiment.splits), None)
        task = task_of(self.experiment.datasets[0], split)
        return variants_of(
            self.source,
            self.experiment,
            lambda own: self._resolve(Run(task, own.base, seed=0), own),
        )

    @cached_property
    def models(self) -> dict[str, str]:
        """The models that are run, in order: the name of each with that in the file."""
        found: dict[str, str] = {}
        for base in base_models(self.source, self.experiment):
            of_base = {name: base for name, one in self.variants.items() if one.base == base}
            for name in of_base or [base]:
                if name in found:
                    raise SeqrecError(f"{self.source}: models: {quoted(name)} is listed twice.")
                found[name] = base
        return found

    def resolve(self, run: Run) -> RunConfig:
        """Return the configuration of a run. Raises `SeqrecError` for mistakes in any file."""
        base = run.model.removesuffix(TUNED)
        if base != run.model and any(one.base == base for one in self.variants.values()):
            raise SeqrecError(
                f"{self.source}: {run.model}: its setting is chosen when all trials of {base} have "
                "finished. Run the experiment, which trains it then."
            )
        return self._resolve(run, self.variants.get(run.model) or Variant(run.model, {}))

    def resolve_setting(self, run: Run, values: Mapping[str, Any]) -> RunConfig:
        """Return the configuration of a run with other values, by their flat names.

        The model gets a name of its own. Raises `SeqrecError` for a setting that it does not have.
        """
        for key in values:
            require_setting(self.source, self.resolve(run), key)
        named = run._replace(model=setting_name(run.model, values))
        return self._resolve(named, Variant(run.model, values))

    def _resolve(self, run: Run, variant: Variant) -> RunConfig:
        """Resolve a run of a variant, or of a model as it is, which has no values."""
        dataset, seed, model = run.dataset, run.seed, variant.base
        named = self.named.get(model)
        entry = self.registry.model(named.like if named else variant.entry)
        overrides = [each for each in self.experiment.overrides if each.applies(dataset, model)]
        layers: list[ConfigLayer] = [entry, self.experiment, *overrides]
        if named:
            layers.insert(1, named)
        if entry.loss is None:
            _refuse_training_values(self.source, model, layers)
        # A model whose entry has no loss fits itself: loss and training pass it by.
        loss: Loss | None = _last("loss", layers) if entry.loss else None
        values = loss.model_dump() if loss else {}
        if "kind" in (tried := variant.section("loss")):
            for key in ("sharing", "parameters"):  # each kind has its own
                values.pop(key, None)
        where = f"{self.source}: {run.task} {run.model}"
        config = check_values(
            RunConfig,
            {
                "dataset": dataset,
                "model": run.model,
                "seed": seed,
                "implementation": entry.implementation,
                "hyperparameters": self.registry.hyperparameters(
                    entry.implementation,
                    _merged("hyperparameters", layers) | variant.section("hyperparameters"),
                    where,
                ),
                "max_length": variant.values.get("max_length")
                or _last("max_length", layers)
                or self.registry.dataset(dataset).max_length,
                "loss": values | tried if loss else None,
                "training": (
                    _merged("training", layers) | variant.section("training") if loss else None
                ),
                "evaluation": _merged("evaluation", layers),
                "split": self._split(run, overrides),
            },
            where,
        )
        if config.loss is None:
            return config
        completed = self.registry.with_parameters(config.loss, where)
        return config.model_copy(update={"loss": completed})

    def _split(self, run: Run, overrides: Sequence[Override]) -> dict[str, Any]:
        """Collect the values of a run's split; those of a layer with a `kind` stand alone."""
        splits = self.experiment.splits
        if splits and run.split is None:
            raise SeqrecError(
                f"{self.source}: {run.dataset} has several splits; name one, as in "
                f"{task_of(run.dataset, next(iter(splits)))}."
            )
        if run.split is not None and run.split not in splits:
            hint = nearest(run.split, splits) if splits else f"write {run.dataset}"
            raise SeqrecError(f"{self.source}: splits: no {quoted(run.split)}; {hint}")
        first = splits[run.split] if run.split else self.experiment.split
        values: dict[str, Any] = {}
        for given in (first, *(override.split for override in overrides)):
            part = given.model_dump(exclude_unset=True)
            values = part if "kind" in part else values | part
        return values | {"name": run.split}


def _merged(section: str, layers: Sequence[ConfigLayer]) -> dict[str, Any]:
    """Collect the values of a section, key by key from the last layer that gives one."""
    values: dict[str, Any] = {}
    for layer in layers:
        part = getattr(layer, section, {})
        values |= part.model_dump(exclude_unset=True) if isinstance(part, Strict) else part
    return values


def _last(key: str, layers: Sequence[ConfigLayer]) -> Any:
    """Return the value of the last layer that gives one, or None."""
    return next((value for layer in reversed(layers) if (value := getattr(layer, key, None))), None)


def _refuse_training_values(source: str, model: str, layers: Sequence[ConfigLayer]) -> None:
    """Refuse values that are meant for a model alone which has no use for them.

    Values for several models pass it by.
    """
    for layer in layers:
        if isinstance(layer, NamedModel) or (
            isinstance(layer, Override) and layer.models == [model]
        ):
            for key in ("training", "loss"):
                if key in layer.model_fields_set:
                    raise SeqrecError(
                        f"{source}: {model}: {key}: this model fits itself, without seqrec's "
                        "training loop and losses. Write 'hyperparameters' instead."
                    )

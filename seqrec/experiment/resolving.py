"""The configuration of a run, from everything that has a say in it.

Later wins: the model's entry, a model of the experiment alone, the experiment's common values, its
overrides in order. Settings of the command line are the last override.
"""

from collections.abc import Sequence
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

    def resolve(self, run: Run) -> RunConfig:
        """Return the configuration of a run. Raises `SeqrecError` for mistakes in any file."""
        dataset, model, seed = run.dataset, run.model, run.seed
        named = self.named.get(model)
        entry = self.registry.model(named.like if named else model)
        overrides = [each for each in self.experiment.overrides if each.applies(dataset, model)]
        layers: list[ConfigLayer] = [entry, self.experiment, *overrides]
        if named:
            layers.insert(1, named)
        if entry.loss is None:
            _refuse_training_values(self.source, model, layers)
        # A model whose entry has no loss fits itself: loss and training pass it by.
        loss: Loss | None = _last("loss", layers) if entry.loss else None
        where = f"{self.source}: {run.task} {model}"
        return check_values(
            RunConfig,
            {
                "dataset": dataset,
                "model": model,
                "seed": seed,
                "implementation": entry.implementation,
                "hyperparameters": self.registry.hyperparameters(
                    entry.implementation, _merged("hyperparameters", layers), where
                ),
                "max_length": _last("max_length", layers)
                or self.registry.dataset(dataset).max_length,
                "loss": loss and loss.model_dump(),
                "training": _merged("training", layers) if loss else None,
                "evaluation": _merged("evaluation", layers),
                "split": self._split(run, overrides),
            },
            where,
        )

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

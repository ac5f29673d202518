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
from seqrec.layout import Run
from seqrec.typed_yaml import Strict, check_values

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
        dataset, model, seed = run
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
        where = f"{self.source}: {dataset} {model}"
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
            },
            where,
        )


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

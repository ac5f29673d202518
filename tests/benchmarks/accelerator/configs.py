"""Configurations of runs as plain objects, for machines without pydantic.

Where it is installed, `complete` writes out every value of a resolved configuration, defaults
included; `read_config` makes an object with the same attributes of that.
"""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqrec.experiment.schema import RunConfig

SECTIONS = ("loss", "training", "evaluation", "split")
"""Values that are objects themselves; other mappings are dictionaries in a configuration, too."""


def complete(config: "RunConfig") -> dict[str, Any]:
    """Return all values of a configuration, as JSON can hold them."""

    def values(model: Any) -> dict[str, Any] | None:
        return model and {name: getattr(model, name) for name in type(model).model_fields}

    sections = {name: values(getattr(config, name)) for name in SECTIONS}
    return {**config.model_dump(mode="json"), **sections}


def read_config(values: dict[str, Any]) -> Any:
    """Make an object with the attributes of a `RunConfig` of what `complete` has written."""
    sections = {name: values[name] and SimpleNamespace(**values[name]) for name in SECTIONS}
    return SimpleNamespace(**{**values, **sections})

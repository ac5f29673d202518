"""Reports to experiment trackers: ours, each a module here, and those of other packages."""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

OURS = {
    "tensorboard": "TensorBoard",
    "mlflow": "MLflow",
    "wandb": "WeightsAndBiases",
    "clearml": "ClearML",
}
"""The class of each tracker, in the module of its name, which is imported where it is asked for."""

ENTRY_POINTS = "seqrec.trackers"
"""Group of entry points by which an installed package adds trackers: name = "module:Class"."""


def tracker_names() -> list[str]:
    """List our trackers, then those that installed packages add."""
    return list(dict.fromkeys([*OURS, *sorted(entry_points(group=ENTRY_POINTS).names)]))


def tracker_class(name: str) -> Any:
    """Import the class of a tracker; raises `ModuleNotFoundError` where its library is missing."""
    if name in OURS:
        return getattr(import_module(f"{__name__}.{name}"), OURS[name])
    return entry_points(group=ENTRY_POINTS)[name].load()

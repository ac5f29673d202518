"""The folder that a measurement starts from: resolved configurations and logs.

`prepare` writes it where the whole environment is; everything else takes numpy and torch alone.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from accelerator.configs import complete, read_config

from seqrec.data.interactions import load_sequences
from seqrec.data.sequences import Sequences
from seqrec.data.simulation import simulate_dataset
from seqrec.errors import SeqrecError
from seqrec.files import write_text
from seqrec.json_files import as_json, read_json
from seqrec.layout import LogFiles

if TYPE_CHECKING:
    from seqrec.experiment.schema import RunConfig

REAL = ("ml-1m", "beauty")
STAND_INS = {"like-ml-20m": "ml-20m", "like-steam": "steam", "like-yelp": "yelp"}
"""Simulated logs, and the datasets of whose size they are."""
SMALL = "small"
"""A log, and small networks of every model, on which a training takes a moment."""
SMALL_SIZES = {"users": 200, "items": 120, "mean_length": 14, "min_length": 4, "max_length": 30}
FEW = {"hidden_size": 16, "blocks": 1, "layers": 1, "intermediate_size": 32}
"""Sizes of a small network; the number of its heads must divide the width."""
FEW_NEGATIVES = 8


@dataclass(frozen=True)
class Prepared:
    """What lies in a folder that was prepared."""

    folder: Path
    tiny: bool
    configs: dict[str, dict[str, dict[str, Any]]]
    """All values of a configuration, by log and model."""
    simulated: dict[str, dict[str, Any]]
    """Settings of the logs that are simulated on the spot."""
    published_seconds: dict[str, dict[str, float]]
    """Training times of the paper, by dataset and model."""

    @classmethod
    def read(cls, folder: Path) -> "Prepared":
        """Read what `prepare` has written. Raises `SeqrecError` if that is not there."""
        try:
            return cls(folder, **read_json(folder / "prepared.json"))
        except (OSError, TypeError) as error:
            raise SeqrecError(
                f"{folder}: holds nothing prepared ({error}). Call "
                f"python tests/benchmarks/accelerator --prepare {folder} where the whole "
                "environment is."
            ) from None

    def config(self, log: str, model: str, seed: int = 0) -> Any:
        """Return an object with the attributes of the `RunConfig`."""
        return read_config(self.configs[log][model] | {"seed": seed})

    def log(self, name: str) -> Sequences:
        return load_sequences(self._place(name))

    def missing(self) -> list[str]:
        """Name the logs that have yet to be simulated."""
        return [name for name in self.simulated if not LogFiles(self._place(name)).digest.is_file()]

    def simulate(self, names: Iterable[str]) -> None:
        for name in names:
            write_log(self._place(name), simulate_dataset(SimpleNamespace(**self.simulated[name])))

    def _place(self, name: str) -> Path:
        return self.folder / "logs" / name


def write_log(folder: Path, log: Sequences) -> None:
    """Write what `load_sequences` reads; the folder is there once it is whole."""
    part = folder.with_name(f"{folder.name}.part")
    rmtree(part, ignore_errors=True)
    rmtree(folder, ignore_errors=True)
    part.mkdir(parents=True)
    files = LogFiles(part)
    np.save(files.items, log.items)
    np.save(files.offsets, log.offsets)
    write_text(files.statistics, as_json({"items": log.num_items}))
    write_text(files.digest, as_json({"sha256": log.sha256()}))
    part.rename(folder)


def prepare(folder: Path, processed: Path, tiny: bool) -> None:
    """Write the configurations of all models on all logs, and the logs that are not simulated."""
    from seqrec.data.datasets import Simulation, load_dataset
    from seqrec.data.interactions import Interactions
    from seqrec.experiment.grid import load_experiment
    from seqrec.layout import ConfigFiles
    from seqrec.report.paper import read_published

    small = Simulation(**SMALL_SIZES).model_dump()
    logs = {**{name: name for name in REAL}, **STAND_INS}
    every = [f"datasets=[{','.join(logs.values())}]"]
    runs = {
        (run.dataset, run.model): run
        for experiment in ("beyond", "paper")
        for run in load_experiment(experiment, every, "accelerator").runs
        if run.loss and not run.seed
    }
    configs: dict[str, dict[str, Any]] = {}
    for log, dataset in logs.items():
        of_log = {model: run for (name, model), run in runs.items() if name == dataset}
        configs[log] = {
            model: shrunk(run) if tiny else complete(run) for model, run in of_log.items()
        }
    configs[SMALL] = {model: shrunk(run) for (name, model), run in runs.items() if name == REAL[0]}
    simulated = {SMALL: small}
    for name in STAND_INS:
        settings = load_dataset(name).simulate
        assert settings is not None
        simulated[name] = small if tiny else settings.model_dump()
    if tiny:
        simulated |= dict.fromkeys(REAL, small)
    published: dict[str, dict[str, float]] = {}
    files = ConfigFiles()
    for (dataset, model), numbers in read_published(
        files.published("results"), "dataset", "model"
    ).items():
        if "training_seconds" in numbers:
            published.setdefault(dataset, {})[model] = numbers["training_seconds"]
    for name in () if tiny else REAL:
        write_log(folder / "logs" / name, Interactions.load(processed / name))
    content = {
        "tiny": tiny,
        "configs": configs,
        "simulated": simulated,
        "published_seconds": published,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "prepared.json", json.dumps(content, indent=1) + "\n")


def shrunk(config: "RunConfig") -> dict[str, Any]:
    """Return all values of a configuration, with sizes at which an epoch takes a moment."""
    values = complete(config)
    own = values["hyperparameters"]
    few = {name: size for name, size in FEW.items() if name in own}
    heads = {"heads": min(own["heads"], 2)} if "heads" in own else {}
    values |= {"hyperparameters": {**own, **few, **heads}, "max_length": 12}
    values["training"] |= {"batch_size": 64, "max_epochs": 2, "patience": 2, "learning_rate": 0.01}
    if values["loss"]["negatives"]:
        values["loss"]["negatives"] = min(values["loss"]["negatives"], FEW_NEGATIVES)
    return values

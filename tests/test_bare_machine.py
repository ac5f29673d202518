"""Models train and are evaluated with torch and numpy alone, as on a borrowed GPU machine."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_runs import LOSSES, NETWORKS, ROOT, preprocessed_log, small_config

from seqrec.data.interactions import Interactions
from seqrec.experiment.schema import RunConfig
from seqrec.models import Network
from seqrec.protocol.evaluation import evaluate
from seqrec.training.arithmetic import Engine
from seqrec.training.beginning import begin_run
from seqrec.training.loop import Trainer, train

BARE = """
import importlib.util, json, pkgutil, sys
from pathlib import Path

sys.path[:0] = sys.argv[1].split(",")
from accelerator.bare import hide_absent_packages

hide_absent_packages()
assert importlib.util.find_spec("pydantic") is None
"""
"""The beginning of a process in which packages are not installed."""

ROOMS = ("protocol", "models", "training", "training.losses")

IMPORTS = """
for room in sys.argv[2].split(","):
    package = importlib.import_module(f"seqrec.{room}")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"seqrec.{room}.{module.name}")
import seqrec.data.interactions, seqrec.data.simulation
import seqrec.running.engine, seqrec.running.memory
"""

TRAINS = """
from accelerator.configs import read_config
from seqrec.data.interactions import load_sequences
from seqrec.protocol.evaluation import evaluate
from seqrec.training.arithmetic import Engine
from seqrec.training.beginning import begin_run
from seqrec.training.loop import Trainer, train
import torch

log = load_sequences(Path(sys.argv[2]))
for line in sys.stdin:
    config, engine = read_config(json.loads(line)), Engine(torch.device("cpu"))
    splits, network = begin_run(config, log, engine)
    trainer = Trainer(network, splits, config, engine)
    losses = [epoch.training_loss for epoch in train(trainer)]
    quality = evaluate(trainer.result().scorers, splits, config)
    print(json.dumps([losses, quality.validation, quality.test]), flush=True)
"""


def in_a_bare_process(code: str, *arguments: str, given: str = "") -> str:
    paths = ",".join(map(str, (ROOT, ROOT / "tests/benchmarks")))
    command = [sys.executable, "-c", BARE + code, paths, *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_trains_and_evaluates_imports_nothing_that_a_bare_machine_lacks() -> None:
    in_a_bare_process(IMPORTS, ",".join(ROOMS))


def trained_here(config: RunConfig, log: Interactions) -> list[Any]:
    import torch

    engine = Engine(torch.device("cpu"))
    splits, network = begin_run(config, log, engine)
    assert isinstance(network, Network)
    trainer = Trainer(network, splits, config, engine)
    losses = [epoch.training_loss for epoch in train(trainer)]
    quality = evaluate(trainer.result().scorers, splits, config)
    return [losses, quality.validation, quality.test]


@pytest.mark.usefixtures("benchmark")
def test_trainings_on_a_bare_machine_end_with_the_same_metrics(tmp_path: Path) -> None:
    complete = importlib.import_module("accelerator.configs").complete
    folder = preprocessed_log(tmp_path)
    configs = [small_config(name) for name in NETWORKS if name != "hstu"]
    configs += [small_config("sasrec", loss) for loss in LOSSES]
    configs.append(
        small_config(
            "hstu", "gbce", training={"batch_size": 50, "warmup_steps": 2, "max_epochs": 2}
        )
    )
    lines = "".join(json.dumps(complete(config)) + "\n" for config in configs)
    found = in_a_bare_process(TRAINS, str(folder), given=lines).splitlines()
    log = Interactions.load(folder)
    for config, line in zip(configs, found, strict=True):
        assert json.loads(line) == trained_here(config, log), config.json()


@pytest.mark.usefixtures("benchmark")
@pytest.mark.parametrize("loss", [*LOSSES, None])
def test_a_configuration_read_without_pydantic_has_the_same_attributes(loss: str | None) -> None:
    configs = importlib.import_module("accelerator.configs")
    config = small_config("popularity") if loss is None else small_config("sasrec", loss)
    read = configs.read_config(json.loads(json.dumps(configs.complete(config))))
    for name in type(config).model_fields:
        ours, theirs = getattr(config, name), getattr(read, name)
        if name in configs.SECTIONS and ours is not None:
            ours, theirs = dict(ours), vars(theirs)
        assert theirs == ours

"""SASRec+ of this project."""

import time

import numpy as np
import torch
from adapter import SETTINGS, Task

from seqrec import __version__
from seqrec.data.sequences import Sequences
from seqrec.experiment.schema import RunConfig
from seqrec.models import Network
from seqrec.protocol.splits import leave_one_out
from seqrec.running.engine import choose_engine
from seqrec.running.memory import hand_back_freed_memory, keep_freed_memory
from seqrec.running.options import EngineOptions
from seqrec.training.arithmetic import set_arithmetic
from seqrec.training.building import seeded_model
from seqrec.training.loop import Trainer, train

SCORED_AT_ONCE = 512


def main() -> None:
    task = Task.given()
    network = {key: SETTINGS[key] for key in ("blocks", "heads", "dropout")}
    config = RunConfig.model_validate(
        {
            "dataset": "peers",
            "model": "sasrec+",
            "seed": SETTINGS["seed"],
            "implementation": "sasrec",
            "hyperparameters": network | {"hidden_size": SETTINGS["width"]},
            "max_length": SETTINGS["max_length"],
            "loss": {"kind": "cross-entropy"},
            "training": {
                "batch_size": SETTINGS["batch_size"],
                "learning_rate": SETTINGS["learning_rate"],
                "max_epochs": task.epochs,
                "patience": task.epochs,
            },
            "evaluation": {},
        }
    )
    keep_freed_memory()
    engine = choose_engine(EngineOptions(device="cpu", threads=task.threads))
    set_arithmetic(engine)
    # An item in the place of the test target, which nobody looks at.
    ends = task.offsets[1:]
    items = np.insert(task.items, ends, task.items[ends - 1])
    offsets = task.offsets + np.arange(len(task.offsets))
    splits = leave_one_out(Sequences(items, offsets, task.num_items))
    model = seeded_model(config, task.num_items)
    assert isinstance(model, Network)
    trainer = Trainer(model, splits, config, engine)
    # The last epoch's weights, as of the others.
    epochs, start = [], time.perf_counter()
    for _ in train(trainer):
        hand_back_freed_memory()
        epochs.append(time.perf_counter() - start)
        start = time.perf_counter()
    score, lists = trainer.result().scorers.test, []
    with torch.inference_mode():
        for first in range(0, task.users, SCORED_AT_ONCE):
            users = np.arange(first, min(first + SCORED_AT_ONCE, task.users))
            lists.append(task.best_unseen(users, score(users).numpy()))
    task.finish(np.concatenate(lists), epochs, __version__)


if __name__ == "__main__":
    main()

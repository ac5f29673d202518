"""Seconds of training steps, validations and epochs, of the package and of the textbook."""

import math
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy as np
from accelerator.bench import Bench
from textbook import Baseline

from seqrec.protocol.splitting import split_log
from seqrec.training.arithmetic import set_arithmetic
from seqrec.training.loop import Trainer

WARM_UP = 5
"""Steps that are not counted: kernels are chosen, compiled and recorded in them."""
BLOCKS = 3
BLOCK_SECONDS = 0.4
LONGEST_EPOCH_SECONDS = 2.0
"""A shorter epoch is measured as a whole, a longer one estimated from its parts."""
TEXTBOOK_USERS = 500
"""Validated by the textbook, which ranks one user after another."""


def next_step(trainer: Trainer) -> None:
    """Train on the next batch, of another epoch if this one is over."""
    if not trainer.users_left:
        trainer.begin_epoch()
    trainer.step()


def end_epoch(trainer: Trainer) -> float:
    """End the epoch under way with its validation, and return the mean loss."""
    with trainer.clock():
        return trainer.end_epoch().training_loss


def steps_of_an_epoch(trainer: Trainer) -> int:
    """Count the steps of the epoch under way."""
    order = trainer.position.order
    assert order is not None
    return math.ceil(len(order) / trainer.settings.batch_size)


def package(
    bench: Bench, log: str, model: str, precision: str, compile: bool
) -> Iterator[dict[str, Any]]:
    """Measure the package's training; `launch, s` is how long the host takes to start a step."""
    start = bench.seconds()
    trainer = bench.trainer(log, model, precision, compile)
    built = bench.seconds()
    next_step(trainer)
    found: dict[str, Any] = {
        "build, s": built - start,
        "first step, s": bench.seconds() - built,
        "precision": precision,
        "compile": compile,
    }
    blocks = measured_blocks(bench, lambda: next_step(trainer))
    found |= {name: median(block[name] for block in blocks) for name in blocks[0]}
    found["steps an epoch"] = steps_of_an_epoch(trainer)
    yield found
    end_epoch(trainer)  # the first time, memory for it is found
    found |= whole_epoch(bench, trainer, found["step, s"] * found["steps an epoch"])
    yield found


def whole_epoch(bench: Bench, trainer: Trainer, expected: float) -> dict[str, Any]:
    """Measure an epoch and its validation, or the validation alone where steps would take long."""
    whole = expected < LONGEST_EPOCH_SECONDS
    trainer.begin_epoch()
    start = bench.seconds()
    trainer.step()
    while whole and trainer.users_left:
        trainer.step()
    trained = bench.seconds()
    end_epoch(trainer)
    validation = bench.seconds() - trained
    training = trained - start if whole else expected
    return {
        "validation, s": validation,
        "epoch, s": training + validation,
        "epoch": "measured" if whole else "steps and validation added up",
    }


def measured_blocks(bench: Bench, step: Callable[[], Any]) -> list[dict[str, float]]:
    """Seconds of a step, on average over blocks of steps between which alone the host waits."""
    tiny = bench.prepared.tiny
    for _ in range(1 if tiny else WARM_UP):
        step()
    start = bench.seconds()
    step()
    number = 1 if tiny else max(1, int(BLOCK_SECONDS / (bench.seconds() - start)))
    blocks = []
    for _ in range(1 if tiny else BLOCKS):
        start = bench.seconds()
        for _ in range(number):
            step()
        launched = time.perf_counter() - start
        blocks.append(
            {"step, s": (bench.seconds() - start) / number, "launch, s": launched / number}
        )
    return blocks


def textbook(bench: Bench, log: str, model: str) -> Iterator[dict[str, Any]]:
    """Measure the textbook's training and validation, in float32."""
    config = bench.prepared.config(log, model)
    set_arithmetic(bench.engine("float32", False))
    splits = split_log(bench.log(log), config.split)
    baseline = Baseline(splits.train, config, bench.device)
    trainable = np.flatnonzero(splits.train.ends - splits.train.starts > 1)
    size = min(config.training.batch_size, len(trainable))

    def step() -> None:
        baseline.step(baseline.rng.choice(trainable, size, replace=False))

    step()
    found: dict[str, Any] = {"precision": "float32", "compile": False}
    blocks = measured_blocks(bench, step)
    found["step, s"] = median(block["step, s"] for block in blocks)
    found["steps an epoch"] = math.ceil(len(trainable) / size)
    yield found
    users = min(TEXTBOOK_USERS, splits.validation.num_users)
    start = bench.seconds()
    baseline.evaluate(splits.validation, np.arange(users))
    each = (bench.seconds() - start) / users
    validated = min(config.training.validation_users, splits.validation.num_users)
    found["validation, s"] = each * validated
    found["epoch, s"] = found["step, s"] * found["steps an epoch"] + found["validation, s"]
    yield found

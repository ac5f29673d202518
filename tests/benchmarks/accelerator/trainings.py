"""Whole trainings, whole epochs, and trainings that share the device."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from accelerator.bench import Bench
from accelerator.process import Process
from accelerator.steps import WARM_UP, end_epoch, next_step, steps_of_an_epoch

from seqrec.protocol.evaluation import evaluate
from seqrec.training.loop import train

SHARED_EPOCHS = 3
SHARED_LIMIT_SECONDS = 120


def to_early_stopping(
    bench: Bench, log: str, model: str, precision: str, compile: bool
) -> Iterator[dict[str, Any]]:
    """Train to early stopping and evaluate; what is known is told after each epoch."""
    start = bench.seconds()
    trainer = bench.trainer(log, model, precision, compile)
    found: dict[str, Any] = {
        "build, s": bench.seconds() - start,
        "precision": precision,
        "compile": compile,
    }
    for epoch in train(trainer):
        found |= {"training, s": epoch.seconds, "epochs": epoch.number}
        found["best epoch"] = trainer.position.best_epoch
        yield found
    start = bench.seconds()
    quality = evaluate(trainer.result().scorers, trainer.splits, trainer.config)
    found |= {"evaluation, s": bench.seconds() - start, "test": quality.test}
    yield found


def epochs(
    bench: Bench, log: str, model: str, precision: str, compile: bool
) -> Iterator[dict[str, Any]]:
    """Measure one whole epoch with its validation, then the evaluation of every user."""
    start = bench.seconds()
    trainer = bench.trainer(log, model, precision, compile)
    built = bench.seconds()
    for _ in range(WARM_UP):
        next_step(trainer)
    found: dict[str, Any] = {
        "build, s": built - start,
        "warm-up, s": bench.seconds() - built,
        "precision": precision,
        "compile": compile,
    }
    end_epoch(trainer)
    start = bench.seconds()
    trainer.begin_epoch()
    while trainer.users_left:
        trainer.step()
    trained = bench.seconds()
    number = steps_of_an_epoch(trainer)
    end_epoch(trainer)
    found |= {
        "steps an epoch": number,
        "step, s": (trained - start) / number,
        "validation, s": bench.seconds() - trained,
        "epoch, s": bench.seconds() - start,
    }
    yield found
    start = bench.seconds()
    evaluate(trainer.result().scorers, trainer.splits, trainer.config)
    found["evaluation, s"] = bench.seconds() - start
    yield found


def sharing(
    bench: Bench, log: str, model: str, precision: str, runs: int
) -> Iterator[dict[str, Any]]:
    """Measure a training alone, then as many at once as `runs` says, each in its own process."""
    with ExitStack() as stack:
        sharers = [stack.enter_context(Process(bench.prepared.folder)) for _ in range(runs)]
        for sharer in sharers:
            sharer.await_start()
        for seed, sharer in enumerate(sharers):
            sharer.send(
                {
                    "kind": "sharer",
                    "arguments": {
                        "log": log,
                        "model": model,
                        "precision": precision,
                        "seed": seed,
                    },
                }
            )
        for sharer in sharers:  # the first answer comes once it is ready
            sharer.answer(SHARED_LIMIT_SECONDS)
        first = sharers[0]
        first.send({})
        alone = first.answer(SHARED_LIMIT_SECONDS)["epoch, s"]
        yield {"alone, epoch, s": alone}
        for sharer in sharers:
            sharer.send({})
        together = [sharer.answer(SHARED_LIMIT_SECONDS)["epoch, s"] for sharer in sharers]
        slowest = max(together)
        yield {
            "runs": runs,
            "precision": precision,
            "alone, epoch, s": alone,
            "together, epoch, s": slowest,
            "as fast as one after another": runs * alone / slowest,
        }


def sharer(
    bench: Bench, log: str, model: str, precision: str, seed: int
) -> Iterator[dict[str, Any]]:
    """Train some epochs each time that a line comes in; answer with the seconds of one."""
    trainer = bench.trainer(log, model, precision, seed=seed)
    for _ in range(WARM_UP):
        next_step(trainer)
    end_epoch(trainer)
    yield {"ready": True}
    while sys.stdin.readline():
        start = bench.seconds()
        for _ in range(SHARED_EPOCHS):
            trainer.begin_epoch()
            while trainer.users_left:
                trainer.step()
            end_epoch(trainer)
        yield {"epoch, s": (bench.seconds() - start) / SHARED_EPOCHS}

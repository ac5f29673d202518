"""The process that measures: it reads cases as lines of JSON, and answers with what it finds.

It answers once when it is ready. A case is `{"kind": ..., "arguments": {...}}`. Answers are
`{"found": {...}}`, as often as there is something new, then `{}`; or `{"error": ..., "ends": ...}`,
where `ends` tells that the device can no longer be used by this process.
"""

import gc
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from accelerator import checks, scale, steps, trainings
from accelerator.bench import Bench
from accelerator.prepared import Prepared
from accelerator.process import one_line

from seqrec.json_files import plain_values
from seqrec.running.memory import keep_freed_memory
from seqrec.training.arithmetic import set_arithmetic

KINDS: dict[str, Callable[..., Iterator[dict[str, Any]]]] = {
    "golden": checks.golden,
    "learns": checks.learns,
    "package": steps.package,
    "textbook": steps.textbook,
    "to early stopping": trainings.to_early_stopping,
    "epochs": trainings.epochs,
    "items": scale.items,
    "sharing": trainings.sharing,
    "sharer": trainings.sharer,
}


def serve(folder: Path) -> None:
    """Measure the cases that come in, until no more do."""
    # What libraries print must not be taken for an answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(message: dict[str, Any]) -> None:
        try:
            answers.write(json.dumps(plain_values(message)) + "\n")
            answers.flush()
        except BrokenPipeError:  # whoever asked is gone
            os._exit(1)

    keep_freed_memory()
    bench = Bench(Prepared.read(folder))
    set_arithmetic(bench.engine("float32", False))  # imports much of torch the first time
    tell({"found": {"ready": True}})
    gc.freeze()  # what is there by now will not be freed, and need not be looked through each time
    while line := sys.stdin.readline():
        case = json.loads(line)
        try:
            bench.forget_peak()
            for found in KINDS[case["kind"]](bench, **case["arguments"]):
                tell({"found": {**found, **bench.peaks()}})
            message: dict[str, Any] = {}
        except Exception as error:
            traceback.print_exc()
            message = {"error": one_line(error), "ends": is_broken(bench.device)}
        tell(message)
        # Compiled for one network after another, torch would soon give up compiling.
        torch.compiler.reset()
        gc.collect()


def is_broken(device: torch.device) -> bool:
    """Whether the device no longer computes for this process, as after an illegal access."""
    try:
        return int(torch.ones(2, device=device).sum()) != 2
    except Exception:
        return True

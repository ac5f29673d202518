"""What measurements share: processes that are measured, and the rates of the machine."""

import json
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from seqrec.experiment.schema import RunConfig
from seqrec.running.device import product_name

HERE = Path(__file__).parent


def conditions(threads: int, quick: bool) -> dict[str, Any]:
    """When, on which CPU and with which libraries something is measured."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": product_name(torch.device("cpu")),
        "threads": threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "quick": quick,
    }


class Worker:
    """A process that measures one side of a case; see worker.py."""

    def __init__(self, side: str, data: Path, config: RunConfig, threads: int) -> None:
        command = [sys.executable, str(HERE / "worker.py"), side, str(data), config.json()]
        command += [str(threads), str(time.time())]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, command: str, number: int = 0) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{command} {number}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker ended early: {' '.join(self.process.args[:4])}")
        return json.loads(line)

    def close(self) -> None:
        self.process.communicate()


class Timer:
    """Adds up the seconds spent in a method of a class, or of one object."""

    def __init__(self, owner: Any, method: str) -> None:
        self.seconds = 0.0
        original = getattr(owner, method)

        def timed(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            result = original(*arguments, **named)
            self.seconds += time.perf_counter() - start
            return result

        setattr(owner, method, timed)


def machine_rates(device: torch.device) -> dict[str, float]:
    """Operations a second of matrix products at the models' width, and bytes a second of copies."""

    # A GPU is given many at once: one product takes it less time than being told of it.
    at_once = 100 if device.type == "cuda" else 1

    def fastest(action: Any, repeats: int = 10) -> float:
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            for _ in range(at_once):
                action()
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append((time.perf_counter() - start) / at_once)
        return min(seconds)

    rates = {}
    for kind in (torch.float32, torch.bfloat16):
        left = torch.ones(1024, 64, dtype=kind, device=device)
        right = torch.ones(64, 4096, dtype=kind, device=device)
        operations = 2 * 1024 * 64 * 4096
        seconds = fastest(lambda left=left, right=right: left @ right)
        rates[str(kind).removeprefix("torch.")] = operations / seconds
    numbers = torch.ones(50_000_000, device=device)
    rates["bytes"] = 2 * 4 * len(numbers) / fastest(numbers.clone)
    return rates


def floor_seconds(facts: dict[str, Any], rates: dict[str, float]) -> float:
    """A step's products at the measured rates, and the optimiser's traffic.

    Adam reads a weight, its gradient and two moments, and writes all but the gradient.
    """
    traffic = facts["parameters"] * 7 * 4 / rates["bytes"]
    return product_seconds(facts["operations"], rates) + traffic


def product_seconds(operations: dict[str, int], rates: dict[str, float]) -> float:
    """Operations of matrix products, by their type, at the measured rates."""
    return sum(count / rates[kind] for kind, count in operations.items())

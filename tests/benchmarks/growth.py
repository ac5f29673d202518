"""How cost grows with the work: items, sequence length, and users of a memory-mapped log."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch

from seqrec.models.sasrec import SASRec
from seqrec.training import losses

ITEMS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 2_000_000)
LENGTHS = (50, 100, 200, 500, 1_000)
USERS = (10_000, 100_000, 1_000_000, 10_000_000)
POSITIONS, SEQUENCES, WIDTH, NEGATIVES = 1_000, 128, 64, 300


def seconds(action: Callable[[], Any]) -> float:
    """The median of three, after one to warm up."""
    action()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return median(times)


def loss_and_gradient(items: int, sampled: bool) -> Callable[[], None]:
    """A loss in float32 over a table of so many items, for a thousand positions."""
    torch.manual_seed(0)
    hidden = torch.randn(POSITIONS, WIDTH, requires_grad=True)
    table = (0.02 * torch.randn(items, WIDTH)).requires_grad_()
    targets = torch.randint(items, (POSITIONS,))
    negatives = torch.randint(items, (SEQUENCES, NEGATIVES))
    counts = [POSITIONS // SEQUENCES] * (SEQUENCES - 1)
    counts.append(POSITIONS - sum(counts))

    def step() -> None:
        if sampled:
            value = losses.sampled_cross_entropy(hidden, targets, table, negatives, counts)
        else:
            value = losses.cross_entropy(hidden, targets, table)
        torch.autograd.grad(value, (hidden, table))

    return step


def network_step(length: int) -> Callable[[], None]:
    """SASRec forward and backward on sixteen sequences of that length."""
    torch.manual_seed(0)
    network = SASRec(1_000, length)
    rows = torch.randint(1, 1_000, (16, length))

    def step() -> None:
        network(rows).sum().backward()

    return step


def resident(users: int) -> dict[str, float]:
    """Memory of a process that draws batches from a log of so many users, in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, folder, str(users)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def draw_batches(folder: Path, users: int) -> dict[str, float]:
    """What `resident` runs in a process of its own."""
    from seqrec.data.sequences import Sequences
    from seqrec.models import NextItem
    from seqrec.protocol.splits import leave_one_out
    from seqrec.training.batches import training_batch

    length = 10
    for name, size in (("items", users * length), ("offsets", users + 1)):
        kind = np.int32 if name == "items" else np.int64
        array = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", kind, (size,))
        for first in range(0, size, 10_000_000):
            index = np.arange(first, min(first + 10_000_000, size))
            array[index] = index % 1_000 + 1 if name == "items" else index * length
        array.flush()
        del array
    items = np.load(folder / "items.npy", mmap_mode="r")
    offsets = np.load(folder / "offsets.npy", mmap_mode="r")
    split = leave_one_out(Sequences(items, offsets, 1_000)).train
    before = anonymous_memory()
    rng, task, generator = np.random.default_rng(0), NextItem(), torch.Generator()
    start = time.perf_counter()
    for _ in range(100):
        chosen = rng.integers(users, size=SEQUENCES)
        training_batch(split, chosen, 50, task, generator, torch.device("cpu"))
    return {
        "log bytes": float(items.nbytes + offsets.nbytes),
        "own memory": float(anonymous_memory() - before),
        "seconds a batch": (time.perf_counter() - start) / 100,
    }


def anonymous_memory() -> int:
    """Bytes that this process holds, apart from pages of files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


def measure_growth() -> dict[str, Any]:
    return {
        "items": {
            name: {items: seconds(loss_and_gradient(items, sampled)) for items in ITEMS}
            for name, sampled in (("full", False), (f"{NEGATIVES} negatives", True))
        },
        "length": {length: seconds(network_step(length)) for length in LENGTHS},
        "users": {users: resident(users) for users in USERS},
    }


def draw_growth(growth: dict[str, Any], path: Path) -> None:
    """Three panels on logarithmic axes."""
    figure, (items, length, users) = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    for name, times in growth["items"].items():
        items.loglog([*times], [*times.values()], marker="o", label=name)
    items.set(xlabel="items", ylabel="seconds of a loss and its gradients")
    length.loglog([*growth["length"]], [*growth["length"].values()], marker="o")
    length.set(xlabel="sequence length", ylabel="seconds of SASRec, 16 sequences")
    counts = [*growth["users"]]
    for key in ("log bytes", "own memory"):
        users.loglog(
            counts, [max(1, growth["users"][c][key]) for c in counts], marker="o", label=key
        )
    users.set(xlabel="users", ylabel="bytes")
    for panel in (items, users):
        panel.legend(frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    print(json.dumps(draw_batches(Path(sys.argv[1]), int(sys.argv[2]))))

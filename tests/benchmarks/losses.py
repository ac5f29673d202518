"""How fast each loss is: as the package does it, by autograd in chunks, and as a textbook does.

    make losses                     (or: python tests/benchmarks/losses.py [--quick])

Nothing but the loss and its gradients is timed, on made-up hidden states of a batch like those of
ml-1m; `--quick` takes a small one. The textbook computes all logits at once and leaves the gradient
to autograd. The sides take turns, and medians are printed. Results go to a JSON file.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from tabulate import tabulate
from torch import Tensor

from seqrec.experiment.schema import BUILT_IN_LOSSES, Loss
from seqrec.files import write_text
from seqrec.running.device import product_name
from seqrec.running.memory import keep_freed_memory
from seqrec.training.losses.generic import full_by_autograd, sampled_by_autograd
from seqrec.training.losses.registry import formula_of, full_loss, sampled_loss_of
from seqrec.training.losses.sampled import Sampled

NEGATIVES = {"sequence": 256, "position": 64}
"""By how they are shared; a textbook has no room for more vectors of each position."""


@dataclass(frozen=True)
class Size:
    """A batch, as far as a loss sees it."""

    sequences: int
    length: int
    items: int
    width: int
    rounds: int


WHOLE = Size(128, 165, 3_416, 64, rounds=7)
QUICK = Size(16, 50, 1_000, 32, rounds=3)

Compute = Callable[[Tensor, Tensor], Tensor]
"""A loss of hidden states and the item table."""


def sides(loss: Loss, size: Size) -> dict[str, Compute]:
    """Return the ways to compute a loss, on the same targets and negatives."""
    generator = torch.Generator().manual_seed(0)
    positions, rows = size.sequences * size.length, size.items + 1
    targets = torch.randint(1, rows, (positions,), generator=generator)
    formula = formula_of(loss, size.items)
    if loss.negatives is None:
        by_hand = full_loss(loss, size.items)
        return {
            "ours": lambda hidden, table: by_hand(hidden, targets, table),
            "autograd": lambda hidden, table: full_by_autograd(formula, hidden, targets, table),
            "textbook": lambda hidden, table: formula(hidden @ table.T, targets).mean(),
        }
    shared = loss.sharing == "sequence"
    each = size.sequences if shared else positions
    negatives = torch.randint(1, rows, (each, loss.negatives), generator=generator)
    counts = [positions // each] * each
    arguments = Sampled(targets, negatives, counts, distinct=False)
    ours = sampled_loss_of(loss, size.items)

    def textbook(hidden: Tensor, table: Tensor) -> Tensor:
        of_rows = hidden.view(each, -1, size.width) @ table[negatives].transpose(1, 2)
        target_logits = (hidden * table[targets]).sum(1)
        return formula(target_logits, of_rows.flatten(0, 1)).mean()

    return {
        "ours": lambda hidden, table: ours(hidden, table, arguments),
        "autograd": lambda hidden, table: sampled_by_autograd(formula, hidden, table, arguments),
        "textbook": textbook,
    }


def measure(loss: Loss, size: Size) -> dict[str, list[float]]:
    """Seconds of each side, of which the first time is not counted."""
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(size.sequences * size.length, size.width, generator=generator)
    table = 0.1 * torch.randn(size.items + 1, size.width, generator=generator)
    computes = sides(loss, size)
    seconds: dict[str, list[float]] = {side: [] for side in computes}
    for number in range(size.rounds + 1):
        for side, compute in computes.items():
            leaves = [hidden.clone().requires_grad_(), table.clone().requires_grad_()]
            start = time.perf_counter()
            compute(*leaves).backward()
            if number:
                seconds[side].append(time.perf_counter() - start)
    return seconds


def configured(kind: str) -> Loss:
    sharing = BUILT_IN_LOSSES[kind]
    return Loss.model_validate({"kind": kind, "negatives": NEGATIVES.get(sharing or "")})


def row(loss: Loss, seconds: dict[str, list[float]]) -> dict[str, Any]:
    """The figures of a loss that the table shows."""
    ours, autograd, textbook = (median(seconds[side]) for side in ("ours", "autograd", "textbook"))
    return {
        "loss": loss.kind,
        "negatives": f"{loss.negatives} a {loss.sharing}" if loss.negatives else "all items",
        "ours, s": ours,
        "by autograd, s": autograd,
        "textbook, s": textbook,
        "ratio": textbook / ours,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small batch: seconds in all")
    parser.add_argument("--output", type=Path, default=Path("results/benchmark/losses.json"))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args(arguments)
    keep_freed_memory()
    torch.set_num_threads(given.threads)
    losses = [configured(kind) for kind in BUILT_IN_LOSSES]
    rows = [row(loss, measure(loss, QUICK if given.quick else WHOLE)) for loss in losses]
    result = {
        "device": product_name(torch.device("cpu")),
        "threads": given.threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "quick": given.quick,
        "losses": rows,
    }
    given.output.parent.mkdir(parents=True, exist_ok=True)
    write_text(given.output, json.dumps(result, indent=1) + "\n")
    print(tabulate(rows, headers="keys", tablefmt="github", floatfmt=".3f"))
    print(f"\n{given.output}: on {result['device']}, {given.threads} threads")


if __name__ == "__main__":
    main()

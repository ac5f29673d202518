"""How time and memory grow with the interactions of a log, up to 100 million.

    make scale                      (or: python tests/benchmarks/scale.py [--quick])

Logs of 1, 10 and 100 million interactions are made up, in order of time as a shop would write them,
and go the way of every log: preprocessed, audited, trained on for the first 200 steps of an epoch,
and validated on a sample of users. Every stage runs in a process of its own (scale_stages.py).
`--quick` takes small logs, to see that everything works. Results go to a JSON file, and a figure
beside it. The folder for temporary files must have 5 GB.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from axes import draw_lines
from measuring import conditions
from phases import measured_process
from report import markdown_table
from scale_stages import PROCESSED, RAW_FILE, STAGES, Sizes

from seqrec.files import write_text
from seqrec.report.figures.style import own_style

PROGRAM = Path(__file__).with_name("scale_stages.py")
PHASES = {
    "checksum": "record the raw file's checksum",
    "preprocess": "preprocess",
    "audit": "audit",
    "load": "load the log, which checks its digest",
    "prepare": "split, and prepare training",
    "steps": "first training steps",
    "validate": "validate a sample of users",
}
"""What is measured, and its name in the table."""
LIKE_THE_LOG = "(as the log grows)"
"""A dotted line: seconds in proportion to the log, and its bytes."""
WHOLE = Sizes((1_000_000, 10_000_000, 100_000_000), 100_000, steps=200, validated=10_000)
QUICK = Sizes((20_000, 60_000), 500, steps=3, validated=50)


def measure_scale(sizes: Sizes, threads: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Measure all phases by number of interactions; the logs lie in `folder` meanwhile."""
    found: dict[str, dict[str, Any]] = {}
    for interactions in sizes.interactions:
        print(f"{interactions:,} interactions", flush=True)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            phases: dict[str, Any] = {}
            for stage in STAGES:
                settings = [place, str(interactions), json.dumps(sizes), str(threads)]
                phases |= measured_process([sys.executable, str(PROGRAM), stage, *settings])
            log = Path(place)
            found[str(interactions)] = {
                "raw bytes": (log / RAW_FILE).stat().st_size,
                "log bytes": sum(one.stat().st_size for one in (log / PROCESSED).iterdir()),
                "phases": {phase: phases[phase] for phase in PHASES},
            }
    return found


def draw_scale(scale: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw seconds and memory of every phase by interactions."""

    def lines(key: str, unit: float = 1.0) -> dict[str, dict[int, float]]:
        return {
            phase: {int(n): one["phases"][phase][key] / unit for n, one in scale.items()}
            for phase in PHASES
        }

    seconds, memory = lines("seconds"), lines("own bytes", 1e9)
    first, start = next(iter(seconds["preprocess"].items()))
    seconds[LIKE_THE_LOG] = {int(n): start * int(n) / first for n in scale}
    memory[LIKE_THE_LOG] = {int(n): one["log bytes"] / 1e9 for n, one in scale.items()}
    with own_style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.8), layout="constrained")
        draw_lines(left, seconds, "Time", "interactions", "seconds")
        draw_lines(right, memory, "Memory, mapped files apart", "interactions", "GB")
        # Both panels have the same lines.
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        figure.savefig(path)
        plt.close(figure)


def scale_table(measured: dict[str, Any]) -> str:
    """Return seconds and memory of every phase, as Markdown."""
    scale = measured["interactions"]
    sizes = [f"{int(count):,}" for count in scale]
    rows = []
    for phase, name in PHASES.items():
        phases = [one["phases"][phase] for one in scale.values()]
        rows.append(
            [name]
            + [f"{one['seconds']:.1f}" for one in phases]
            + [f"{one['own bytes'] / 1e9:.2f}" for one in phases]
            + [f"{phases[-1]['resident bytes'] / 1e9:.2f}"]
        )
    log = [f"{one['log bytes'] / 1e9:.2f}" for one in scale.values()]
    rows.append(["size of the log", *("" for _ in log), *log, ""])
    headers = ["", *(f"{size}, s" for size in sizes), *(f"{size}, GB" for size in sizes)]
    headers.append(f"{sizes[-1]} with mapped files, GB")
    return markdown_table([dict(zip(headers, row, strict=True)) for row in rows], {""})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small logs: seconds in all")
    parser.add_argument("--output", type=Path, default=Path("results/benchmark/scale.json"))
    parser.add_argument("--folder", type=Path, help="where the logs lie meanwhile")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args(arguments)
    sizes = QUICK if given.quick else WHOLE
    scale = measure_scale(sizes, given.threads, given.folder)
    result = {
        **conditions(given.threads, given.quick),
        "items": sizes.items,
        "steps": sizes.steps,
        "validated": sizes.validated,
        "interactions": scale,
    }
    given.output.parent.mkdir(parents=True, exist_ok=True)
    draw_scale(scale, given.output.with_suffix(".png"))
    write_text(given.output, json.dumps(result, indent=1) + "\n")
    print(f"\n{scale_table(result)}\n\n{given.output}: on {result['device']}")


if __name__ == "__main__":
    main()

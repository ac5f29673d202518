"""Lay out what an experiment asks for: its runs by dataset and model, and what they may cost."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seqrec.experiment.grid import Grid
from seqrec.experiment.schema import RunConfig
from seqrec.layout import CONFIG_FILES, ConfigFiles, ResultFiles
from seqrec.running import costs
from seqrec.running.costs import LogSize
from seqrec.running.display import duration
from seqrec.wording import counted

MB_PER_GB = 1000


def overview(grid: Grid, sizes: Mapping[str, LogSize], gpu: bool) -> RenderableType:
    """Lay out the grid with a line per task and model, and totals.

    `sizes` are those of the logs that are known; `gpu` tells whether runs would be on a GPU, or
    else on one CPU thread.
    """
    cells: dict[tuple[str, str], list[RunConfig]] = {}
    for run in grid.runs:
        cells.setdefault(run.run[:2], []).append(run)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Dataset", "Model"):
        table.add_column(heading, overflow="fold")
    for heading in ("Seeds", "Negatives", "Max. epochs", "Time", "Memory"):
        table.add_column(heading, justify="right")
    if grid.tried:
        table.add_column("Tried", overflow="fold")
    seconds, gigabytes, shown = 0.0, 0.0, ""
    for (task, model), runs in cells.items():
        one = runs[0]
        size = sizes.get(one.dataset)
        cost = ["?", "?"]
        if size:
            time = 60 * len(runs) * costs.training_minutes(one, size, gpu, threads=1)
            memory = costs.memory_mb(one, size, gpu) / MB_PER_GB
            cost = [duration(time), f"{memory:.1f} GB"]
            seconds, gigabytes = seconds + time, max(gigabytes, memory)
        table.add_row(
            "" if task == shown else task,
            model,
            _ranges([run.seed for run in runs]),
            _negatives(one),
            str(one.training.max_epochs) if one.training else "",
            *cost,
            *([grid.tried.get(model, "")] if grid.tried else []),
        )
        shown = task
    device = "one GPU" if gpu else "one CPU thread"
    unknown = [dataset for dataset in grid.datasets if dataset not in sizes]
    runs_and_place = f"{counted(len(grid.runs), 'run')} in {ResultFiles.of(grid.name).folder}"
    lines = [f"{runs_and_place}."]
    if gigabytes:
        lines = [
            f"{runs_and_place}: {duration(seconds)} on {device} in all, {gigabytes:.1f} GB for the "
            "largest.",
            "Estimated generously, as for a cluster, and for at most "
            f"{costs.EPOCHS} epochs of each run.",
        ]
    if grid.tuned:
        lines.append(
            f"Not counted: {counted(len(grid.tuned), 'run')} of the settings that will be chosen, "
            "with new seeds."
        )
    if unknown:
        lines.append(
            f"Not counted: {', '.join(unknown)}, whose sizes are known after `seqrec preprocess`."
        )
    return Group(table, Text(), *map(Text, [*lines, *_origins(grid.files, CONFIG_FILES)]))


def _origins(files: Sequence[Path], config: ConfigFiles) -> list[str]:
    """Say which files are the package's, and which are used instead of one; none of a checkout's.

    Of the others it is clear from where they are.
    """
    packaged = [path for path in files if path.is_relative_to(config.packaged)]
    replacing = [path for path in files if config.replaced(path)]
    names = ", ".join(str(path.relative_to(config.packaged)) for path in packaged)
    return [
        *([f"From the package ({config.packaged}): {names}."] if packaged else []),
        *([f"Instead of the package's: {', '.join(map(str, replacing))}."] if replacing else []),
    ]


def _negatives(run: RunConfig) -> str:
    """Say how many negatives a loss has; empty for models that fit themselves."""
    if run.loss is None:
        return ""
    return f"{run.loss.negatives:,}" if run.loss.negatives else "all items"


def _ranges(numbers: Sequence[int]) -> str:
    """Write numbers shortly: `0-9`, or `0, 2-4`."""
    parts: list[list[int]] = [[numbers[0]]]
    for before, number in pairwise(numbers):
        if number == before + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, part)) for part in parts)

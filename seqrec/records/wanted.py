"""Which runs an experiment asks for, as its `grid.json` says."""

from pathlib import Path

from pydantic import BaseModel, NonNegativeInt

from seqrec.layout import REFERENCE, REFERENCE_RESULTS, ResultFiles, Run
from seqrec.records.json_files import read_json
from seqrec.typed_yaml import FileName, check_values


class _GridRun(BaseModel):
    """A run of a grid that somebody else may have written: its names must be safe as file names."""

    dataset: FileName
    model: FileName
    seed: NonNegativeInt
    config_hash: str | None = None


class _Grid(BaseModel):
    experiment: str = ""
    settings: list[str] = []
    variant_of: str = ""
    runs: list[_GridRun]


def wanted_runs(results: Path) -> dict[Run, str | None]:
    """Read the runs that an experiment asks for, with the hash of their configuration where known.

    Empty for results without a grid. Raises `SeqrecError` if the grid is damaged.
    """
    runs = _grid_of(results).runs
    return {Run(run.dataset, run.model, run.seed): run.config_hash for run in runs}


def models_in_order(results: Path) -> list[str]:
    """List the models that an experiment asks for, in the order of its file.

    Empty for results without a grid, and for promoted records, which come from several experiments.
    """
    grid = _grid_of(results)
    runs = [] if grid.experiment == REFERENCE else grid.runs
    return list(dict.fromkeys(run.model for run in runs))


def settings_of(results: Path) -> list[str]:
    """Return the `key=value` settings that a named variant of an experiment was last made with."""
    return _grid_of(results).settings


def variant_of(results: Path) -> str:
    """Name the experiment that a variant was made from; empty where that is not known."""
    return _grid_of(results).variant_of


def promoted_datasets(reference: Path = REFERENCE_RESULTS) -> list[str]:
    """List the datasets of the promoted records, which come from several experiments."""
    return sorted({run.dataset for run in wanted_runs(reference)})


def _grid_of(results: Path) -> _Grid:
    path = ResultFiles(results).grid
    return check_values(_Grid, read_json(path), str(path)) if path.is_file() else _Grid(runs=[])

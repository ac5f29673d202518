"""Guard results: those of something else are never replaced, and nothing else is mixed in.

Results belong to what their `grid.json` names: an experiment with its settings, and the runs that
it asks for. Without one they belong to their finished runs, as those of `seqrec train` do.
"""

import shlex
from contextlib import suppress
from pathlib import Path

from seqrec.errors import SeqrecError
from seqrec.experiment.grid import Grid, load_experiment
from seqrec.experiment.schema import RunConfig
from seqrec.experiment.settings import is_about_the_grid
from seqrec.json_files import read_json
from seqrec.layout import ResultFiles, Run, RunFiles
from seqrec.records.grid_file import GridFile


def require_own_results(grid: Grid) -> None:
    """Raise `SeqrecError` if a variant's name has results of something else.

    That is a variant of another experiment or one with other settings, or runs of `seqrec train`
    that the variant does not ask for.
    """
    results = ResultFiles.of(grid.name)
    before = GridFile.read(results.folder)
    finished = [folder for folder in results.run_folders() if RunFiles(folder).metrics.is_file()]
    problem = ""
    if before.variant_of not in ("", grid.experiment):
        problem = (
            f"holds a variant of {before.variant_of}, not of {grid.experiment}. Take another name"
        )
    elif before.settings and (
        not grid.settings or (finished and _of_runs(before.settings) != _of_runs(grid.settings))
    ):
        problem = (
            f"was begun with SET={shlex.join(before.settings)!r}; give the same again, or take "
            "another name"
        )
    elif not results.grid.is_file() and (strangers := _strangers(finished, grid)):
        shown = ", ".join(strangers[:3]) + (", ..." if len(strangers) > 3 else "")
        problem = (
            f"holds results that {grid.experiment} does not ask for ({shown}). Take another name"
        )
    if problem:
        folder = results.folder
        raise SeqrecError(
            f"{folder}: {problem}. For its tables and figures alone: `seqrec tables {folder}`, "
            f"`seqrec figures {folder}`."
        )


def _of_runs(settings: list[str]) -> set[str]:
    """Return the settings that say how runs are done, rather than which runs there are."""
    return {setting for setting in settings if not is_about_the_grid(setting)}


def _strangers(finished: list[Path], grid: Grid) -> list[str]:
    """Name the finished runs that a grid does not ask for, or asks for with other settings."""
    asked = {run.run: run.hash() for run in grid.runs}
    found = []
    for folder in finished:
        with suppress(SeqrecError):  # a damaged record is reported where it is read
            record = read_json(RunFiles(folder).metrics)
            made_elsewhere = record.get("predictions") is not None
            if not made_elsewhere and asked.get(Run.of(folder)) != record.get("config_hash"):
                found.append(Run.of(folder).title)
    return found


def require_place(config: RunConfig, name: str, experiment: str) -> None:
    """Raise `SeqrecError` if the results `name` have no place for a run of `seqrec train`.

    That is if they belong to an experiment that has no such model on such a dataset, with any seed,
    or that asks for this run with other settings.
    """
    results = ResultFiles.of(name).folder
    if name == experiment:  # its file may have changed since its grid was written
        asked = GridFile.of(load_experiment(experiment)).wanted()
    else:
        asked = GridFile.read(results).wanted()
    problem = ""
    if asked and config.run[:2] not in {run[:2] for run in asked}:
        problem = (
            f"belongs to an experiment that has no {config.model} on {config.run.task}, and its "
            "tables would show one. Give --name <new name>, or --experiment with one that has it."
        )
    elif asked.get(config.run) not in (None, config.hash()):
        problem = f"asks for {config.run.title} with other settings. Give --name <new name>."
    if problem:
        raise SeqrecError(f"{results}: {problem}")

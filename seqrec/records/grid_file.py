"""`grid.json`: which runs an experiment asks for, as its tables and status know it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, NonNegativeInt

from seqrec.experiment.grid import Grid
from seqrec.experiment.schema import Report
from seqrec.experiment.variants import untuned_name
from seqrec.files import write_text
from seqrec.json_files import as_json, read_json
from seqrec.layout import REFERENCE, REFERENCE_RESULTS, ResultFiles, Run, task_of
from seqrec.typed_yaml import FileName, check_values


class AskedRun(BaseModel):
    """A run of a grid that somebody else may have written: its names must be safe as file names."""

    dataset: FileName
    model: FileName
    seed: NonNegativeInt
    config_hash: str | None = None
    """Hash of the configuration that is asked for; None if that is not known."""
    split: FileName | None = None
    """Name of the split where the experiment has several."""

    @classmethod
    def of(cls, run: Run, config_hash: str | None = None) -> "AskedRun":
        """Describe a run by its name."""
        return cls(
            dataset=run.dataset,
            model=run.model,
            seed=run.seed,
            config_hash=config_hash,
            split=run.split,
        )

    @property
    def run(self) -> Run:
        return Run(task_of(self.dataset, self.split), self.model, self.seed)


class GridFile(BaseModel):
    """The content of `grid.json`."""

    experiment: str = ""
    settings: list[str] = []
    """`key=value` settings that a named variant of an experiment was last made with."""
    variant_of: str = ""
    """The experiment that a variant was made from; empty for others, and where it is not known."""
    report: Report = Report()
    """What tables and figures show."""
    titles: dict[str, str] = {}
    """Titles that the experiment gives to models, by their names."""
    trials: dict[str, str] = {}
    """The trials of a search by their names, with the model that each is a trial of."""
    runs: list[AskedRun]

    @classmethod
    def of(cls, grid: Grid) -> "GridFile":
        """Describe an experiment as it is now."""
        return cls(
            experiment=grid.name,
            settings=grid.settings,
            variant_of="" if grid.experiment == grid.name else grid.experiment,
            report=grid.report,
            titles=dict(grid.titles),
            trials=dict(grid.trials),
            runs=_in_order(grid),
        )

    @classmethod
    def of_reference(cls, runs: Iterable[Run], titles: Mapping[str, str] = {}) -> "GridFile":
        """Describe promoted records, which come from several experiments."""
        asked = [AskedRun.of(run) for run in runs]
        return cls(experiment=REFERENCE, titles=dict(titles), runs=asked)

    @property
    def is_promoted(self) -> bool:
        """Whether these are promoted records, where nothing is trained."""
        return self.experiment.partition("/")[0] == REFERENCE

    def promoted(self, name: str, runs: Iterable[Run], before: "GridFile") -> "GridFile":
        """Describe an experiment that is promoted whole, `runs` of it, into a folder of its own.

        What was promoted into the folder `before` stays. The order is that of the experiment's
        file, and not of a variant, which may have a part of it alone.
        """
        known = {asked.run: asked for asked in self.runs}
        asked = {run: known.get(run) or AskedRun.of(run) for run in [*known, *runs]}
        earlier = {one.run: one for one in before.runs}
        order = [*earlier, *asked] if self.variant_of else [*asked, *earlier]
        return GridFile(
            experiment=f"{REFERENCE}/{name}",
            report=before.report if self.variant_of and before.runs else self.report,
            titles=before.titles | self.titles,
            trials=before.trials | self.trials,
            runs=[(earlier | asked)[run] for run in dict.fromkeys(order)],
        )

    @classmethod
    def read(cls, results: Path) -> "GridFile":
        """Read the grid of an experiment's results; it is empty for results without one.

        Raises `SeqrecError` if the file is damaged.
        """
        path = ResultFiles(results).grid
        return check_values(cls, read_json(path), str(path)) if path.is_file() else cls(runs=[])

    def text(self) -> str:
        """Return the content of the file: the same text for the same runs."""
        return as_json(self.model_dump(exclude_defaults=True))

    def write(self, path: Path) -> None:
        """Write the file; raises `SeqrecError` if it cannot be written."""
        write_text(path, self.text())

    def wanted(self) -> dict[Run, str | None]:
        """Return the runs that are asked for, with the hash of their configuration where known."""
        return {run.run: run.config_hash for run in self.runs}

    def models_in_order(self) -> list[str]:
        """List the models in the order of the experiment's file; none for promoted records."""
        runs = [] if self.experiment == REFERENCE else self.runs
        return list(dict.fromkeys(run.model for run in runs))


def _in_order(grid: Grid) -> list[AskedRun]:
    """List the runs of an experiment, those of chosen settings after the trials of their model."""
    tuned = [AskedRun.of(run) for run in grid.tuned]
    listed = [AskedRun.of(run.run, run.hash()) for run in grid.runs]
    tasks = list(dict.fromkeys(asked.run.task for asked in listed))
    bases = list(dict.fromkeys(grid.trials.get(asked.model, asked.model) for asked in listed))

    def place(asked: AskedRun) -> tuple[int, int]:
        base = grid.trials.get(asked.model) or untuned_name(asked.model)
        return tasks.index(asked.run.task), bases.index(base)

    return sorted([*listed, *tuned], key=place) if tuned else listed


def promoted_runs(reference: Path = REFERENCE_RESULTS) -> list[Run]:
    """List the promoted records, which come from several experiments."""
    return [*GridFile.read(reference).wanted()]

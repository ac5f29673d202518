"""Plan an experiment: what its rules depend on, ask for and pass on; nothing here writes.

The workflow asks these questions while it is parsed, so nothing here imports torch or Snakemake.
"""

import errno
import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from seqrec.data.datasets import load_dataset
from seqrec.data.freshness import log_settings
from seqrec.data.local_files import user_files
from seqrec.errors import SeqrecError
from seqrec.experiment.custom import custom_module
from seqrec.experiment.grid import Grid, load_experiment
from seqrec.experiment.naming import dataset_title, model_title
from seqrec.experiment.schema import RunConfig
from seqrec.experiment.variants import tuned_name
from seqrec.files import holds, require_writable
from seqrec.layout import (
    CONFIG_FILES,
    PACKAGE,
    REFERENCE,
    LogFiles,
    ResultFiles,
    Run,
    RunFiles,
    near,
)
from seqrec.records.fingerprint import DECISIVE_ROOMS
from seqrec.records.grid_file import GridFile, promoted_runs
from seqrec.running import costs
from seqrec.running.guard import require_own_results
from seqrec.running.workflow import WorkflowConfig
from seqrec.typed_yaml import check_values, load_yaml

REPORT_ROOMS = ("data", "experiment", *DECISIVE_ROOMS, "records", "report")
"""The rooms of the package whose code writes tables and figures, or makes a record stale."""


class Wildcards(Protocol):
    """The values that Snakemake finds in the path of a run's output."""

    task: str
    model: str
    seed: str


@dataclass(frozen=True)
class Plan:
    """An experiment as the rules see it: its results, its datasets and its runs."""

    experiment: str
    settings: list[str]
    """`key=value` pairs that change the experiment."""
    rename: str
    """The name that the changed experiment is given; empty where it keeps its own."""
    grid: Grid | None
    """None for promoted records, which are shown and never trained."""

    @classmethod
    def load(cls, experiment: str, settings: list[str], rename: str = "") -> "Plan":
        """Read and expand an experiment, or take the promoted records as they are.

        Raises `SeqrecError` for a mistake in the configuration, and for a name that has results of
        something else, which would be replaced or would get the wrong tables.
        """
        grid = None
        if experiment != REFERENCE:
            grid = load_experiment(experiment, settings, rename or None)
        plan = cls(experiment, settings, rename, grid)
        if grid and rename:
            require_own_results(grid)
        return plan

    @property
    def name(self) -> str:
        return self.grid.name if self.grid else REFERENCE

    @property
    def arguments(self) -> str:
        """The arguments by which a command of `seqrec` finds the experiment, for a shell."""
        name = ["--name", self.name] if self.rename else []
        return shlex.join([self.experiment, *self.settings, *name])

    @property
    def results(self) -> ResultFiles:
        return ResultFiles.of(self.name)

    @cached_property
    def datasets(self) -> list[str]:
        return self.grid.datasets if self.grid else sorted({r.dataset for r in self._promoted})

    @cached_property
    def tasks(self) -> list[str]:
        """The datasets, each under each of its splits: what tables and figures keep apart."""
        return self.grid.tasks if self.grid else sorted({run.task for run in self._promoted})

    @cached_property
    def models(self) -> list[str]:
        if not self.grid:
            return sorted({run.model for run in self._promoted})
        return list(dict.fromkeys(run.model for run in self.runs))

    @cached_property
    def _promoted(self) -> list[Run]:
        return promoted_runs()

    @property
    def runs(self) -> list[RunConfig]:
        return self.grid.runs if self.grid else []

    def candidates(self, wildcards: Wildcards) -> list[RunConfig]:
        """Return the run that a job of the rule `train` is for, or those that it is chosen from."""
        run = Run(wildcards.task, wildcards.model, int(wildcards.seed))
        return [self._runs[run]] if run in self._runs else self._trials[run.task, run.model]

    def configuration(self, wildcards: Wildcards) -> str:
        """Return the configuration of a run as JSON; empty while it is to be chosen."""
        run = self._runs.get(Run(wildcards.task, wildcards.model, int(wildcards.seed)))
        return run.json() if run else ""

    def trials(self, wildcards: Wildcards) -> list[Path]:
        """Return the `.success` of the trials that a run is chosen from; none for others."""
        chosen_from = self._trials.get((wildcards.task, wildcards.model), [])
        return [self.results.run(*run.run).success for run in chosen_from]

    @cached_property
    def _runs(self) -> dict[Run, RunConfig]:
        return {run.run: run for run in self.runs}

    @cached_property
    def _trials(self) -> dict[tuple[str, str], list[RunConfig]]:
        """The trials of each task and model that is tuned."""
        found: dict[tuple[str, str], list[RunConfig]] = {}
        trials = self.grid.trials if self.grid and self.grid.tuned else {}
        for run in self.runs:
            if base := trials.get(run.model):
                found.setdefault((run.run.task, tuned_name(base)), []).append(run)
        return found

    @property
    def successes(self) -> list[Path]:
        """The `.success` of every run."""
        tuned = self.grid.tuned if self.grid else ()
        return [self.results.run(*run).success for run in (*self._runs, *tuned)]

    @property
    def grid_digest(self) -> str:
        """A digest of what the experiment asks for."""
        return _digest(self.grid) if self.grid else ""

    @property
    def has_new_grid(self) -> bool:
        """Whether the experiment asks for other runs than when its grid was last written."""
        path = self.results.grid
        if self.grid is None or not path.exists():
            return False
        return not holds(path, GridFile.of(self.grid).text().encode())

    @cached_property
    def records_and_failures(self) -> list[Path]:
        """Records and failures of runs, and failures to obtain the data, that exist now."""
        runs = [RunFiles(folder) for folder in self.results.run_folders()]
        found = [path for run in runs for path in (run.metrics, run.failure) if path.is_file()]
        data = [self.results.data_failure(dataset) for dataset in self.datasets]
        return sorted([*found, *(path for path in data if path.is_file())])

    @property
    def report_inputs(self) -> list[Path]:
        """Files beside records and code that tables and figures are made from."""
        timing = [path for path in (self.results.timing,) if path.is_file()]
        return [self.results.grid, *CONFIG_FILES.published_files, *timing]

    @property
    def tables_code(self) -> list[Path]:
        """The code that tables depend on: custom models can make a record stale, too."""
        modules = {custom_module(run.implementation) for run in self.runs}
        custom = [module for module in modules if module is not None]
        return sorted({*self.figures_code, *custom})

    @property
    def figures_code(self) -> list[Path]:
        return _code(*REPORT_ROOMS)

    @property
    def titles(self) -> list[str]:
        """What tables and figures call the datasets and models, from their YAML files."""
        models = map(model_title, self.models)
        return [*map(dataset_title, self.datasets), *sorted(models)]


def read(config: dict[str, Any]) -> tuple[WorkflowConfig, Plan]:
    """Check the workflow's configuration, and load the experiment that it names.

    What `config` lacks is that of `config/workflow.yaml`.

    Raises `SeqrecError` for every mistake in it, for a folder whose path Snakemake cannot handle,
    and for results that cannot be written although the experiment has changed.
    """
    if set("{}") & set(str(Path.cwd())):
        raise SeqrecError(
            f"{Path.cwd()}: Snakemake takes braces in a path for a value's name. "
            "Rename that folder."
        )
    defaults = CONFIG_FILES.workflow
    options = check_values(
        WorkflowConfig, {**load_yaml(defaults), **config}, f"{defaults} or --config"
    )
    try:
        settings = shlex.split(options.set)
    except ValueError as error:
        raise SeqrecError(f"--config set: {options.set}: {error}.") from None
    plan = Plan.load(options.experiment, settings, options.name)
    if plan.has_new_grid:
        require_writable(plan.results.folder)
    return options, plan


def _code(*rooms: str) -> list[Path]:
    """List the package's files in these rooms, and those that every room stands on."""
    sources = near(PACKAGE)
    ground = sources.glob("*.py")
    return sorted({*ground, *(path for room in rooms for path in (sources / room).rglob("*.py"))})


def grid_digest(experiment: str) -> str:
    """Return a digest of what an experiment asks for, or the mistake that makes it unreadable."""
    try:
        return _digest(load_experiment(experiment))
    except SeqrecError as error:  # it is reported where the experiment itself is run
        return str(error)


def _digest(grid: Grid) -> str:
    return sha256(GridFile.of(grid).text().encode()).hexdigest()


def dataset_source(dataset: str) -> str:
    """Return the part of a dataset's YAML that decides its raw file, as one sorted JSON string."""
    parts = {"sources", "simulate"}
    values = load_dataset(dataset).model_dump(mode="json", include=parts)
    return json.dumps(values, sort_keys=True)


def dataset_reading(dataset: str) -> str:
    """Return the part of a dataset's YAML that decides its log, as one sorted JSON string."""
    return log_settings(load_dataset(dataset))


def dataset_files(dataset: str) -> list[str]:
    """List the dataset's files that the user provides and may replace."""
    return list(map(str, user_files(dataset, load_dataset(dataset))))


def uses_gpu(candidates: Sequence[RunConfig], device: str) -> bool:
    """Whether a run that is one of these can use a GPU: only training by gradient descent does."""
    return any(run.loss is not None for run in candidates) and device != "cpu"


def memory_mb(candidates: Sequence[RunConfig], digest: str, device: str) -> int:
    """Return the host memory to ask for, in 10^6 bytes, by the sizes of the log with this digest.

    The run will be one of the candidates. Raises `FileNotFoundError` that names `digest` while
    there is no log: Snakemake asks again.
    """
    size, gpu = _size(digest), uses_gpu(candidates, device)
    return max(costs.memory_mb(run, size, gpu) for run in candidates)


def minutes(candidates: Sequence[RunConfig], digest: str, device: str, threads: int) -> int:
    """Return the time to ask for, in minutes; raises as `memory_mb` does."""
    size, gpu = _size(digest), uses_gpu(candidates, device)
    return max(costs.minutes(run, size, gpu, threads) for run in candidates)


def _size(digest: str) -> costs.LogSize:
    if not Path(digest).exists():  # the error must name the file by the same text
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), digest)
    try:
        return costs.LogSize.read(LogFiles(Path(digest).parent))
    except (OSError, SeqrecError):
        return costs.LogSize(0, 0)  # the run itself will say what is wrong with its log


def engine_arguments(options: WorkflowConfig) -> str:
    """Return the options of `seqrec execute` that say where and how runs compute, for a shell."""
    chunk = options.logits_per_chunk
    return shlex.join(
        [
            *("--device", options.device, "--precision", options.precision),
            *(() if chunk == "auto" else ("--logits-per-chunk", chunk)),
            *("--runs-per-gpu", str(options.runs_per_gpu)),
            "--compile" if options.compile else "--no-compile",
            *(word for tracker in options.track.split() for word in ("--track", tracker)),
        ]
    )

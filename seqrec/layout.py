"""Where everything lies: configuration, data, and the results of an experiment.

All names of files and folders that more than one module needs are here; nobody else joins them.
Paths are relative to the project's folder, in which every command is run: the checkout, or a study
that `seqrec init` has made.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

CONFIG = Path("config")
RAW = Path("data/raw")
PROCESSED = Path("data/processed")
RESULTS = Path("results")

PACKAGE = Path(__file__).resolve().parent
PROJECT = PACKAGE / "project"
"""What the package carries for studies outside of the checkout: configuration, workflow, profiles
and an example. In the checkout its parts are links to the folders at the top."""
SNAKEFILE = PROJECT / "Snakefile"
"""The workflow, for other workflows to include or to use as a module."""

PAPER = "paper"
"""The experiment that reproduces the paper."""
REFERENCE = "reference"
"""The results that promoted records are copied into; nothing is ever trained into them."""
REFERENCE_RESULTS = RESULTS / REFERENCE
RESERVED_RESULTS = (REFERENCE, "benchmark")
"""Names of results that no experiment may have."""
PUBLISHED = ("results", "num_negatives", "datasets", "splits", "beyond")
"""Files of `config/published/`."""


def near(path: Path) -> Path:
    """Shorten a path that lies in the project's folder, in which every command is run."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


FOLDER_NAME = r"(?!\.)[^{}\x00-\x1f\x7f\ud800-\udfff]+"
"""Names of folders in results that somebody may have made: UTF-8, and no braces, which Snakemake
takes for a value's name. Names that an experiment may use are narrower."""


@dataclass(frozen=True)
class ConfigFiles:
    """Files of a configuration folder: experiments, and the registries that they draw on.

    Where the folder lacks a file, that of the package counts. Without the folder there is no
    project here, and nothing is found.
    """

    folder: Path = CONFIG
    packaged: Path = PROJECT / CONFIG

    def experiment(self, name: str) -> Path:
        return self._find(f"{name}.yaml")

    def dataset(self, name: str) -> Path:
        return self._find("datasets", f"{name}.yaml")

    def model(self, name: str) -> Path:
        return self._find("models", f"{name}.yaml")

    def schema(self, kind: str) -> Path:
        """Where a JSON Schema is written."""
        return self.folder / "schema" / f"{kind}.schema.json"

    def published(self, name: str) -> Path:
        """Numbers of the paper or of others: one of `PUBLISHED`."""
        return self._find("published", f"{name}.csv")

    @property
    def published_files(self) -> list[Path]:
        """All numbers that others have published."""
        return [self.published(name) for name in PUBLISHED]

    @property
    def workflow(self) -> Path:
        return self.experiment("workflow")

    def experiments(self) -> list[str]:
        """Names of the experiments, sorted."""
        return [name for name in self._names() if name != self.workflow.stem]

    def datasets(self) -> list[str]:
        """Names of the datasets, sorted."""
        return self._names("datasets")

    def models(self) -> list[str]:
        """Names of the models and templates, sorted."""
        return self._names("models")

    def replaced(self, path: Path) -> Path | None:
        """Return the package's file that a file of the folder is used instead of, if any."""
        if path.is_relative_to(self.folder):
            packaged = self.packaged / path.relative_to(self.folder)
            if os.path.lexists(packaged) and not packaged.samefile(path):
                return packaged
        return None

    def _find(self, *parts: str) -> Path:
        own, *packaged = (folder.joinpath(*parts) for folder in self._folders)
        # A link that leads nowhere is a mistake to report, not a file that is absent.
        return next((path for path in (own, *packaged) if os.path.lexists(path)), own)

    def _names(self, *parts: str) -> list[str]:
        folders = [folder.joinpath(*parts) for folder in self._folders]
        return sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})

    @property
    def _folders(self) -> tuple[Path, ...]:
        """Where to look, in this order."""
        return (self.folder, self.packaged) if self.folder.is_dir() else (self.folder,)


CONFIG_FILES = ConfigFiles()
"""Those of the project."""


def no_project(config: ConfigFiles) -> str:
    """Say what is wrong where there is no configuration folder at all."""
    return (
        f"{config.folder}/: no such folder. Run from the project's folder, or make one: "
        "`seqrec init my-study`."
    )


def manifest(dataset: str, raw: Path = RAW) -> Path:
    """The record of which raw file a dataset has."""
    return raw / f"{dataset}.json"


def simulated_file(dataset: str, raw: Path = RAW) -> Path:
    """The raw file of a simulated dataset."""
    return raw / f"{dataset}.txt"


def download_log(dataset: str) -> Path:
    """What the workflow's job that fetched a dataset has printed."""
    return RAW / "logs" / f"download-{dataset}.log"


def preprocessing_log(dataset: str) -> Path:
    """What the workflow's job that made a log of interactions has printed."""
    return PROCESSED / "logs" / f"preprocess-{dataset}.log"


def preprocessing_benchmark(dataset: str) -> Path:
    """What that job took."""
    return PROCESSED / "benchmarks" / f"{dataset}.tsv"


@dataclass(frozen=True)
class LogFiles:
    """Files of a preprocessed log, `data/processed/<dataset>/`."""

    folder: Path

    @classmethod
    def of(cls, dataset: str) -> "LogFiles":
        return cls(PROCESSED / dataset)

    @property
    def items(self) -> Path:
        return self.folder / "items.npy"

    @property
    def offsets(self) -> Path:
        return self.folder / "offsets.npy"

    @property
    def times(self) -> Path:
        """Only in logs whose raw file has times."""
        return self.folder / "times.npy"

    @property
    def user_ids(self) -> Path:
        return self.folder / "user_ids.parquet"

    @property
    def item_ids(self) -> Path:
        return self.folder / "item_ids.parquet"

    @property
    def statistics(self) -> Path:
        return self.folder / "statistics.json"

    @property
    def reading(self) -> Path:
        """The settings that the log was made by."""
        return self.folder / "reading.json"

    @property
    def digest(self) -> Path:
        """Written last: without it there is no log."""
        return self.folder / "digest.json"

    @property
    def audit(self) -> Path:
        """What the log's numbers say about results on it; only where somebody has asked."""
        return self.folder / "audit.json"

    @property
    def audit_page(self) -> Path:
        """The same for people."""
        return self.folder / "audit.html"


@dataclass(frozen=True)
class RunFiles:
    """Files of one run, `<results>/runs/<task>/<model>/seed-<n>/`."""

    folder: Path

    @property
    def metrics(self) -> Path:
        """Written last: with it the run has finished."""
        return self.folder / "metrics.json"

    @property
    def history(self) -> Path:
        return self.folder / "history.csv"

    @property
    def ranks(self) -> Path:
        return self.folder / "ranks.npy"

    @property
    def target_counts(self) -> Path:
        return self.folder / "target_counts.npy"

    @property
    def recommended_counts(self) -> Path:
        """To how many test users each item is recommended; records of older versions lack it."""
        return self.folder / "recommended_counts.npy"

    @property
    def target_users(self) -> Path:
        """Whose each test target is; absent where every user of the log has one, in order."""
        return self.folder / "target_users.npy"

    @property
    def history_lengths(self) -> Path:
        """Length of the history that each test target was ranked from; older records lack it."""
        return self.folder / "history_lengths.npy"

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def weights(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def log(self) -> Path:
        """What all attempts of the workflow have printed, one after another."""
        return self.folder / "log.txt"

    @property
    def failure(self) -> Path:
        """Why the last attempt failed."""
        return self.folder / "failure.json"

    @property
    def progress(self) -> Path:
        """What a run under way reports."""
        return self.folder / "progress.json"

    @property
    def resume(self) -> Path:
        """The newest state of an unfinished training."""
        return self.folder / "resume.pt"

    @property
    def previous_resume(self) -> Path:
        return self.folder / "resume.previous.pt"

    @property
    def success(self) -> Path:
        """A copy of `metrics`, by which the workflow knows that the run has succeeded."""
        return self.folder / ".success"

    @property
    def promoted(self) -> tuple[Path, ...]:
        """The files of a record that are kept for good, `metrics` last; weights are not."""
        arrays = (self.ranks, self.target_counts, self.recommended_counts)
        of_targets = (self.target_users, self.history_lengths)
        return (self.config, self.history, *arrays, *of_targets, self.metrics)

    @property
    def of_targets(self) -> tuple[Path, ...]:
        """The files that say the same in every record of a task."""
        return (self.target_counts, self.target_users, self.history_lengths)

    def shared(self, path: Path) -> Path:
        """Where promoted records keep a file of targets once, for all records of a task."""
        return self.folder.parents[1] / path.name


class Run(NamedTuple):
    """The name of one run: what it trains, on what, and with which seed."""

    task: str
    """A dataset, or `<dataset>@<split>` where an experiment has several splits."""
    model: str
    seed: int

    @classmethod
    def of(cls, folder: Path) -> "Run":
        """Read the run's name off its folder, `.../<task>/<model>/seed-<n>`."""
        task, model, seed = folder.parts[-3:]
        return cls(task, model, int(seed.removeprefix("seed-")))

    @property
    def dataset(self) -> str:
        return dataset_of(self.task)

    @property
    def split(self) -> str | None:
        """The name of the split; None where there is but one."""
        _, mark, split = self.task.partition(SPLIT_MARK)
        return split if mark else None

    @property
    def title(self) -> str:
        """The run's name in messages."""
        return f"{self.task} {self.model} seed {self.seed}"


SPLIT_MARK = "@"
"""Stands between a dataset and the name of its split; no name holds it."""


def task_of(dataset: str, split: str | None) -> str:
    """Name a task: a dataset, under one of several splits if `split` names one."""
    return dataset if split is None else f"{dataset}{SPLIT_MARK}{split}"


def dataset_of(task: str) -> str:
    """Return the dataset of a task."""
    return task.partition(SPLIT_MARK)[0]


def _folders_in(folder: Path, name: str) -> list[Path]:
    """List the folders in `folder` whose names match `name`, sorted; none if it is not a folder."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / one for one in sorted(names) if re.fullmatch(name, one)]


def run_folder(task: str, model: str, seed: int | str) -> Path:
    """A run's folder, relative to the results of its experiment."""
    return Path("runs", task, model, f"seed-{seed}")


def results_of(run: Path) -> Path | None:
    """Return the folder of results in which a run's folder lies; None if it lies elsewhere."""
    for results in run.parents[3:4]:
        if ResultFiles(results).runs == run.parents[2]:
            return results
    return None


@dataclass(frozen=True)
class ResultFiles:
    """Files of an experiment's results, `results/<name>/`."""

    folder: Path

    @classmethod
    def of(cls, name: str) -> "ResultFiles":
        return cls(RESULTS / name)

    @property
    def grid(self) -> Path:
        """Which runs the experiment asks for."""
        return self.folder / "grid.json"

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def run(self, task: str, model: str, seed: int | str) -> RunFiles:
        return RunFiles(self.folder / run_folder(task, model, seed))

    def run_folders(self) -> Iterator[Path]:
        """Folders in `runs/` that are named like a run's, sorted; no copies beside them."""
        for task in _folders_in(self.runs, FOLDER_NAME):
            for model in _folders_in(task, FOLDER_NAME):
                yield from _folders_in(model, r"seed-(0|[1-9][0-9]{0,17})")

    @property
    def data_failures(self) -> Path:
        return self.folder / "data-failures"

    def data_failure(self, dataset: str) -> Path:
        """Why the data could not be obtained."""
        return self.data_failures / f"{dataset}.json"

    @property
    def logs(self) -> Path:
        """What the workflow's jobs have printed."""
        return self.folder / "logs"

    def log(self, step: str) -> Path:
        """What the job of a step such as `tables` has printed."""
        return self.logs / f"{step}.log"

    def run_log(self, task: str, model: str, seed: int | str) -> Path:
        """What the job of a run has printed."""
        return self.logs / task / model / f"seed-{seed}.log"

    def run_benchmark(self, task: str, model: str, seed: int | str) -> Path:
        """What the job of a run took."""
        return self.benchmarks / task / model / f"seed-{seed}.tsv"

    @property
    def benchmarks(self) -> Path:
        """What the workflow's jobs took."""
        return self.folder / "benchmarks"

    @property
    def csv(self) -> Path:
        """One line for every finished run."""
        return self.folder / "results.csv"

    @property
    def timing(self) -> Path:
        """How long epochs take on one quiet machine, where somebody has measured it."""
        return self.folder / "timing.json"

    @property
    def tables(self) -> Path:
        return self.folder / "tables"

    @property
    def figures(self) -> Path:
        return self.folder / "figures"

    @property
    def report(self) -> Path:
        """The page that shows everything."""
        return self.folder / "report.html"

    def study(self, name: str) -> "ResultFiles":
        """The files of a promoted experiment that keeps its records apart from the others."""
        return ResultFiles(self.folder / name)

    @property
    def folders(self) -> tuple[Path, ...]:
        """All folders of an experiment; no promoted experiment has the name of one."""
        written = (self.tables, self.figures, self.logs, self.benchmarks)
        return (self.runs, self.data_failures, *written)

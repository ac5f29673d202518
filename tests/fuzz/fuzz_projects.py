"""Two small projects whose files the fuzzer damages: one to train in, one of somebody's results."""

import json
from contextlib import suppress
from pathlib import Path

import yaml
from damages import OUTSIDE
from record_factory import make_failure, make_record, without_digests, write_grid
from shipped import copied_config
from small_runs import SIZES, small_config
from valid_files import CONFIGURATIONS, FILTERS, NUMBERS, RAW_FILES

from seqrec.data.datasets import load_dataset
from seqrec.data.download import download
from seqrec.data.preprocessing import preprocess
from seqrec.experiment.grid import load_experiment
from seqrec.layout import ConfigFiles, ResultFiles, Run, RunFiles
from seqrec.protocol.epoch import Epoch
from seqrec.records import Record, read_record
from seqrec.records.arrays import Arrays
from seqrec.records.writing import write_record
from seqrec.running.options import EngineOptions
from seqrec.running.run import run

ON_CPU = EngineOptions("cpu", 1, "float32")
RESULTS = Path("results/theirs")
RUNS = {
    model: ResultFiles(RESULTS).run("small", model, 0).folder
    for model in ("popularity", "mine", "unfinished")
}
"""Folders of runs of the small dataset; the last was stopped after its first epoch."""
EXPERIMENT = {
    "datasets": ["small"],
    "models": ["popularity", {"name": "mine", "like": "sasrec", "hyperparameters": {"blocks": 1}}],
    "training": {"max_epochs": 2, "batch_size": 32},
    "overrides": [{"models": ["mine"], "hyperparameters": {"hidden_size": 8}}],
}


def make_projects(folder: Path) -> dict[str, Path]:
    """Make the folders that cases start from copies of, by name; the project is in `project`."""
    made = {"inputs": folder / "inputs", "results": folder / "results"}
    for place in made.values():
        copied_config(place / "project")
        (place / OUTSIDE).write_text("of mine\n")
    _fill_inputs(made["inputs"] / "project")
    _fill_results(made["results"] / "project")
    return made


def entry_of(name: str) -> str:
    """The dataset that reads the raw file `name`."""
    return "of-" + name.replace(".", "-")


def _fill_inputs(project: Path) -> None:
    """Write configurations of every kind, and data files of every format with their datasets."""
    (project / "data/raw").mkdir(parents=True)
    files = {**CONFIGURATIONS, "config/uses-mine.yaml": {"datasets": ["plain"], "models": ["mine"]}}
    raw = {"log.txt": (NUMBERS, RAW_FILES["log.txt"][1], {})} | RAW_FILES
    raw["own.csv"] = RAW_FILES["log.csv"]
    for name, (content, write, form) in raw.items():
        write(content, project / "data/raw" / name)
        source = {"file": name} | ({"member": "log.txt"} if name.endswith(".zip") else {})
        entry = {"title": name, "max_length": 10, "sources": [source], "format": form}
        entry |= {"filter": FILTERS[name]} if name in FILTERS else {}
        files[f"config/datasets/{entry_of(name)}.yaml"] = entry
    files["config/datasets/plain.yaml"] = {**files["config/datasets/of-log-txt.yaml"]}
    for path, values in files.items():
        (project / path).write_text(yaml.safe_dump(values, sort_keys=False))
    dataset = load_dataset("plain", ConfigFiles(project / "config"))
    download("plain", dataset, project / "data/raw", mirror="")


def _fill_results(project: Path) -> None:
    """Train two models, leave a training unfinished, and write records, a failure and a report."""
    small = {"title": "Small", "max_length": 10, "simulate": SIZES}
    (project / "config/datasets/small.yaml").write_text(yaml.safe_dump(small))
    (project / "config/theirs.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    results, log = project / RESULTS, project / "data/processed/small"
    dataset = load_dataset("small", ConfigFiles(project / "config"))
    manifest = download("small", dataset, project / "data/raw", mirror="")
    preprocess("small", dataset, manifest, log)
    grid = load_experiment("theirs", config=project / "config")
    for config in grid.runs:
        folder = ResultFiles(results).run(*config.run).folder
        run(config, log, folder, ON_CPU)
        _without_times(folder)
        (folder / ".success").write_bytes((folder / "metrics.json").read_bytes())
    unfinished = small_config("sasrec", model="unfinished")
    with suppress(KeyboardInterrupt):
        run(unfinished, log, project / RUNS["unfinished"], ON_CPU, [Halt()])
    for model in ("sasrec+", "sasrec+10", "bert4rec"):
        for seed in (0, 1):
            folder = make_record(results, model=model, seed=seed)
    without_digests(folder)
    make_failure(ResultFiles(results).run("ml-1m", "gru4rec", 0).folder)
    wanted = [Run.of(folder) for folder in ResultFiles(results).run_folders()]
    write_grid(results, *wanted, Run("steam", "sasrec+", 0))
    failures = ResultFiles(results).data_failures
    failures.mkdir()
    (failures / "steam.json").write_text(json.dumps({"error": "no network", "remedy": "Wait."}))


class Halt:
    """Stops a training after its first epoch, as Ctrl-C does."""

    def epoch(self, epoch: Epoch) -> None:
        raise KeyboardInterrupt

    def result(self, record: Record) -> None: ...


def _without_times(folder: Path) -> None:
    """Give a record the same times whenever it was made."""
    record = read_record(folder)
    lines = record.history().assign(seconds=1.5).to_dict("records")
    history = [
        Epoch(line.pop("epoch"), line.pop("seconds"), line.pop("training_loss"), line)
        for line in lines
    ]
    renewed = record.model_copy(update={"training_seconds": 1.5, "peak_memory_bytes": 10**8})
    weights = RunFiles(folder).weights.read_bytes()
    write_record(renewed, Arrays(record.ranks(), record.target_counts()), history, weights)

"""A cluster is asked for more than was ever measured, but not many times more."""

import csv
import json
from pathlib import Path

import pytest
from small_runs import ROOT

from seqrec.data.datasets import load_dataset
from seqrec.experiment.grid import load_run
from seqrec.experiment.schema import RunConfig
from seqrec.layout import ConfigFiles, Run
from seqrec.running import costs
from seqrec.running.costs import LogSize

REFERENCE = sorted((ROOT / "results/reference").glob("runs/*/*/*/metrics.json"))


def rows(path: str) -> list[dict[str, str]]:
    with (ROOT / path).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run_of(dataset: str, model: str) -> RunConfig:
    experiment = "demo" if dataset == "demo" else "paper"
    return load_run(experiment, Run(dataset, model, 0), config=ROOT / "config")[1]


@pytest.mark.parametrize(
    "row", rows("profiles/measured.csv"), ids=lambda r: f"{r['dataset']}-{r['model']}"
)
def test_memory_that_was_measured_is_asked_for(row: dict[str, str]) -> None:
    size = LogSize(int(row["items"]), int(row["interactions"]))
    asked = costs.memory_mb(run_of(row["dataset"], row["model"]), size, gpu=False)
    assert 1.3 * int(row["memory_mb"]) < asked < 3 * int(row["memory_mb"])


@pytest.mark.parametrize("path", REFERENCE, ids=lambda path: "-".join(path.parts[-4:-2]))
def test_reference_records_would_have_fitted_by_the_second_attempt(path: Path) -> None:
    record = json.loads(path.read_text(encoding="utf-8"))
    gpu = record["device_kind"] != "cpu"
    config = RunConfig.model_validate(record["config"])
    statistics = record["data"]["statistics"]
    size = LogSize(statistics["items"], statistics["interactions"])
    if not gpu:  # of a GPU it is the device's memory that is recorded
        # Each attempt asks for as much again, and goes on from where the one before was.
        assert record["peak_memory_bytes"] / 1e6 < 2 * costs.memory_mb(config, size, gpu)
    assert record["training_seconds"] / 60 < costs.minutes(config, size, gpu, record["threads"])


@pytest.mark.parametrize(
    "row", rows("config/published/results.csv"), ids=lambda r: f"{r['dataset']}-{r['model']}"
)
def test_the_papers_trainings_would_have_had_the_time(row: dict[str, str]) -> None:
    expected = load_dataset(row["dataset"], ConfigFiles(ROOT / "config")).expected
    assert expected is not None
    size = LogSize(expected.items, expected.interactions)
    asked = costs.minutes(run_of(row["dataset"], row["model"]), size, gpu=True, threads=1)
    assert int(row["training_seconds"]) / 60 < asked < 13 * 60


def test_a_fit_is_asked_for_as_one_and_own_models_may_mean_anything_by_a_name() -> None:
    size = LogSize(26_744, 20_000_000)
    for model in ("popularity", "bpr-mf"):
        assert costs.minutes(run_of("ml-20m", model), size, gpu=False, threads=1) < 12 * 60
    plain = run_of("ml-1m", "sasrec+")
    odd = {"layers": [256, 128], "hidden_size": "small", "heads": None}
    own = plain.model_copy(update={"hyperparameters": odd})
    asked = [costs.memory_mb(one, size, gpu=False) for one in (plain, own)]
    assert asked[0] == asked[1]


def test_more_threads_and_a_gpu_take_less_time_and_a_gpu_more_memory() -> None:
    config, size = run_of("ml-1m", "sasrec+"), LogSize(3416, 999_611)
    one, four = (costs.minutes(config, size, gpu=False, threads=n) for n in (1, 4))
    assert one > four > costs.minutes(config, size, gpu=True, threads=1)
    assert costs.memory_mb(config, size, gpu=True) > costs.memory_mb(config, size, gpu=False)

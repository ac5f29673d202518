"""`grid.json` says which runs an experiment asks for, and reads back as it was written."""

from pathlib import Path

import pytest
import yaml
from shipped import copied_config
from small_runs import ROOT

from seqrec.experiment.grid import load_experiment
from seqrec.layout import REFERENCE, ResultFiles, Run
from seqrec.records.grid_file import GridFile, promoted_runs


@pytest.mark.parametrize(
    ("settings", "rename"), [([], None), (["training.max_epochs=2", "models=popularity"], "quick")]
)
def test_a_grid_reads_back_as_the_experiment_asks(
    tmp_path: Path, settings: list[str], rename: str | None
) -> None:
    grid = load_experiment("demo", settings, rename, ROOT / "config")
    GridFile.of(grid).write(ResultFiles(tmp_path).grid)
    read = GridFile.read(tmp_path)
    assert read == GridFile.of(grid)
    assert read.text() == ResultFiles(tmp_path).grid.read_text()
    assert list(read.wanted().items()) == [(run.run, run.hash()) for run in grid.runs]
    assert read.models_in_order() == list(dict.fromkeys(run.model for run in grid.runs))
    assert (read.experiment, read.settings) == (grid.name, settings)
    assert read.variant_of == ("demo" if rename else "")


def test_runs_of_chosen_settings_come_after_the_trials_of_their_model(tmp_path: Path) -> None:
    config = copied_config(tmp_path)
    space = {"training.batch_size": {"values": [1, 2, 3], "models": ["sasrec*"]}}
    content = {
        "datasets": ["demo", "ml-1m"],
        "models": ["sasrec", "sasrec+", "popularity"],
        "search": {"trials": 2, "reseed": 1, "space": space},
    }
    (config / "mine.yaml").write_text(yaml.safe_dump(content))
    grid = load_experiment("mine", config=config)
    GridFile.of(grid).write(ResultFiles(tmp_path).grid)
    read = GridFile.read(tmp_path)
    models = [f"{base}.{end}" for base in ("sasrec", "sasrec+") for end in ("t00", "t01", "tuned")]
    assert read.models_in_order() == [*models, "popularity"]
    assert [run.task for run in read.wanted()] == ["demo"] * 7 + ["ml-1m"] * 7
    assert [run for run, known in read.wanted().items() if known is None] == [*grid.tuned]
    assert read.trials == {name: name.rpartition(".")[0] for name in models if "tuned" not in name}


def test_results_without_a_grid_ask_for_nothing(tmp_path: Path) -> None:
    assert GridFile.read(tmp_path).wanted() == {}


def test_promoted_runs_have_no_order_of_a_file(tmp_path: Path) -> None:
    runs = [Run("yelp", "sasrec", 1), Run("beauty", "mine", 0)]
    GridFile.of_reference(runs).write(ResultFiles(tmp_path).grid)
    read = GridFile.read(tmp_path)
    assert read.experiment == REFERENCE
    assert read.wanted() == dict.fromkeys(runs)
    assert read.models_in_order() == []
    assert promoted_runs(tmp_path) == runs

"""The demo shows that a learned sequence model is well ahead where order matters."""

from pathlib import Path

import pytest
from small_runs import ROOT

from seqrec.data.datasets import load_dataset
from seqrec.data.download import download
from seqrec.data.preprocessing import preprocess
from seqrec.experiment.grid import load_run
from seqrec.layout import ConfigFiles, Run, run_folder
from seqrec.running.options import EngineOptions
from seqrec.running.run import run

CPU = EngineOptions("cpu", 1)
CONFIG = ROOT / "config"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    dataset = load_dataset("demo", ConfigFiles(CONFIG))
    preprocess("demo", dataset, download("demo", dataset, folder / "raw", mirror=""), folder / "p")
    return folder / "p"


def test_sasrec_is_well_ahead_of_popularity_and_bpr_mf_on_the_demo(
    data: Path, tmp_path: Path
) -> None:
    # A smaller network than the demo trains, with fewer epochs at a higher learning rate.
    quick = ["training.max_epochs=4", "training.learning_rate=0.005"]
    quick += ["hyperparameters.hidden_size=32", "hyperparameters.blocks=1"]
    ndcg = {}
    for model, settings in (("popularity", []), ("bpr-mf", []), ("sasrec+", quick)):
        name = "quick" if settings else None
        _, config = load_run("demo", Run("demo", model, 0), settings, name, CONFIG)
        ndcg[model] = run(config, data, tmp_path / run_folder(*config.run), CPU).test["ndcg@10"]
    assert ndcg["sasrec+"] > 1.5 * ndcg["bpr-mf"]
    assert ndcg["bpr-mf"] > 1.5 * ndcg["popularity"] > 0

"""The shipped experiments are what they promise; `paper` is the paper's grid."""

import pytest
from small_runs import ROOT

from seqrec.experiment.grid import load_experiment
from seqrec.experiment.schema import RunConfig

CONFIG = ROOT / "config"
PAPER_DATASETS = ["ml-1m", "ml-20m", "steam", "beauty", "yelp"]
NEGATIVES = [10, 30, 100, 300, 1000, 3000]
PAPER_MODELS = [
    "popularity",
    "bpr-mf",
    "gru4rec",
    "bert4rec",
    "sasrec",
    "sasrec+",
    *[f"sasrec+{count}" for count in NEGATIVES],
]


@pytest.fixture(scope="module")
def paper() -> dict[tuple[str, str], list[RunConfig]]:
    runs: dict[tuple[str, str], list[RunConfig]] = {}
    for run in load_experiment("paper", config=CONFIG).runs:
        runs.setdefault((run.dataset, run.model), []).append(run)
    return runs


Paper = dict[tuple[str, str], list[RunConfig]]


def test_the_paper_has_every_model_on_every_dataset_and_nothing_else(paper: Paper) -> None:
    assert set(paper) == {(d, m) for d in PAPER_DATASETS for m in PAPER_MODELS}
    for (_, model), runs in paper.items():
        assert [run.seed for run in runs] == (list(range(10)) if model == "bpr-mf" else [0])


def test_the_paper_is_256_wide_on_ml_20m_alone(paper: Paper) -> None:
    for (dataset, model), runs in paper.items():
        for run in runs:
            wide = 256 if dataset == "ml-20m" else 64
            assert run.hyperparameters.get("hidden_size") == (
                None if model in ("popularity", "bpr-mf") else wide
            )


def test_the_paper_reads_200_items_of_movielens_and_50_elsewhere(paper: Paper) -> None:
    for (dataset, _), runs in paper.items():
        assert {run.max_length for run in runs} == {200 if dataset.startswith("ml-") else 50}


def test_the_papers_models_have_its_hyperparameters(paper: Paper) -> None:
    for (dataset, model), runs in paper.items():
        found = dict(runs[0].hyperparameters)
        found.pop("hidden_size", None)
        if model.startswith("sasrec"):
            assert found == {"blocks": 2, "heads": 1, "dropout": 0.1}, dataset
        elif model == "bert4rec":
            assert found == {
                "layers": 2,
                "heads": 2,
                "intermediate_size": 256,
                "dropout": 0.1,
                "mask_probability": 0.2,
            }
        elif model == "gru4rec":
            assert found == {"layers": 1}
        elif model == "bpr-mf":
            assert found == {
                "factors": 128,
                "learning_rate": 0.05,
                "regularization": 0.01,
                "iterations": 100,
            }
        else:
            assert found == {}


def test_the_papers_losses_are_its_own(paper: Paper) -> None:
    for (_, model), runs in paper.items():
        loss = runs[0].loss
        found = loss and (loss.kind, loss.negatives, loss.sharing)
        if model in ("popularity", "bpr-mf"):
            assert found is None
        elif model == "sasrec":
            assert found == ("binary-cross-entropy", 1, "position")
        elif model in ("sasrec+", "gru4rec", "bert4rec"):
            assert found == ("cross-entropy", None, None)
        else:
            count = int(model.removeprefix("sasrec+"))
            assert found == ("sampled-cross-entropy", count, "sequence")


def test_the_papers_optimisation_is_its_own(paper: Paper) -> None:
    for (_, model), runs in paper.items():
        for run in runs:
            assert (run.evaluation.batch_size, run.evaluation.cutoffs) == (256, [10, 100])
            if model in ("popularity", "bpr-mf"):
                assert run.training is None
                continue
            assert run.training is not None
            patient = (200, 20) if model == "bert4rec" else (100, 10)
            assert (run.training.max_epochs, run.training.patience) == patient
            assert (run.training.batch_size, run.training.learning_rate) == (128, 1e-3)
            assert run.training.validation_users == 10_000


def test_the_demo_runs_every_family_with_10_30_and_100_negatives() -> None:
    runs = load_experiment("demo", config=CONFIG).runs
    families = ["popularity", "bpr-mf", "gru4rec", "bert4rec", "gpt4rec", "sasrec", "sasrec+"]
    assert [run.model for run in runs] == [*families, "sasrec+10", "sasrec+30", "sasrec+100"]


def test_beyond_has_three_networks_of_one_size_with_three_losses_trained_alike() -> None:
    runs = load_experiment("beyond", config=CONFIG).runs
    assert {run.dataset for run in runs} == {"ml-1m", "beauty"}
    trained = {(run.training.batch_size, run.training.patience) for run in runs if run.training}
    assert trained == {(128, 10)}
    sizes = {"hidden_size": 64, "blocks": 2, "heads": 1, "dropout": 0.1}.items()
    factorial = {
        (run.dataset, run.implementation, run.loss.kind, run.loss.negatives)
        for run in runs
        if run.loss and run.model != "esasrec" and sizes <= run.hyperparameters.items()
    }
    losses = [("cross-entropy", None), ("sampled-cross-entropy", 3000), ("gbce", 256)]
    assert factorial == {
        (dataset, network, *loss)
        for dataset in ("ml-1m", "beauty")
        for network in ("sasrec", "ligr", "hstu")
        for loss in losses
    }


def test_time_has_the_settings_of_the_follow_up_study_under_its_four_splits() -> None:
    runs = load_experiment("time", config=CONFIG).runs
    assert {run.dataset for run in runs} == {"beauty-5core", "ml-100k"}
    rules = {(run.split.kind, run.split.quantile, run.split.validation) for run in runs}
    assert rules == {
        ("leave-one-out", None, None),
        *(("global-temporal", 0.9, one) for one in ("by-time", "by-user", "last-train-item")),
    }
    trained = [run.training for run in runs if run.training]
    assert {(one.batch_size, one.patience, one.max_epochs) for one in trained} == {(256, 10, 300)}
    assert {run.max_length for run in runs} == {128}
    (bert,) = {tuple(sorted(r.hyperparameters.items())) for r in runs if r.model == "bert4rec"}
    assert dict(bert) == {
        "hidden_size": 64,
        "intermediate_size": 128,
        "layers": 2,
        "heads": 1,
        "dropout": 0.1,
        "mask_probability": 0.2,
    }
    (plus,) = {tuple(sorted(r.hyperparameters.items())) for r in runs if r.model == "sasrec+"}
    assert dict(plus) == {"hidden_size": 64, "blocks": 2, "heads": 1, "dropout": 0.1}


def test_smoke_runs_everything_for_one_epoch() -> None:
    runs = load_experiment("smoke", config=CONFIG).runs
    assert {run.dataset for run in runs} == {"ml-1m", "beauty"}
    assert {run.model for run in runs} == {*PAPER_MODELS, "gpt4rec", "ligr", "hstu"}
    assert {run.training.max_epochs for run in runs if run.training} == {1}
    assert {run.hyperparameters["iterations"] for run in runs if run.model == "bpr-mf"} == {1}

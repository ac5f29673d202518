"""A run under any split is trained, recorded, resumed and read as under leave-one-out."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from small_runs import outcome, preprocessed_log, small_config
from test_resume import CPU, EPOCHS, stop_after

from seqrec.data.interactions import Interactions, OriginalIds, write_log
from seqrec.data.statistics import Statistics
from seqrec.errors import SeqrecError, Stopped
from seqrec.experiment.schema import RunConfig
from seqrec.layout import LogFiles, Run, RunFiles, run_folder
from seqrec.models import Fitted, Network
from seqrec.models.sasrec import SASRec
from seqrec.protocol.metrics import set_metric
from seqrec.protocol.ranking import MISS
from seqrec.protocol.splitting import split_log
from seqrec.records import read_record
from seqrec.running.options import EngineOptions
from seqrec.running.recommend import Recommender
from seqrec.running.reevaluation import evaluate_again
from seqrec.running.run import run
from seqrec.training.arithmetic import Engine
from seqrec.training.beginning import begin_run
from seqrec.training.loop import Trainer, train

TEMPORAL = {"kind": "global-temporal", "quantile": 0.7, "validation": "last-train-item"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with times: each user begins at some moment, and interacts now and then."""
    folder = tmp_path_factory.mktemp("data")
    log = Interactions.load(preprocessed_log(folder))
    rng = np.random.default_rng(0)
    begins = np.repeat(rng.integers(0, 10_000, log.num_users), np.diff(log.offsets))
    steps = rng.integers(0, 1000, len(log.items))
    steps[log.offsets[:-1]] = 0
    passed = np.cumsum(steps)
    passed -= np.repeat(passed[log.offsets[:-1]], np.diff(log.offsets))
    return with_times(log, begins + passed, folder / "timed")


def with_times(log: Interactions, times: np.ndarray, folder: Path) -> Path:
    import pyarrow as pa

    ids = OriginalIds(pa.array(log.user_ids()), pa.array(log.item_ids()))
    assert log.folder is not None
    statistics = Statistics.read(LogFiles(log.folder).statistics)
    folder.mkdir()
    write_log(LogFiles(folder), replace(log, times=times), ids, statistics, "{}")
    return folder


def config_of(implementation: str = "sasrec", **split: Any) -> RunConfig:
    return small_config(implementation, "sampled", split=TEMPORAL | split)


@pytest.mark.parametrize("target", ["last", "first", "random", "successive", "all"])
@pytest.mark.parametrize("implementation", ["sasrec", "popularity", "bpr-mf"])
def test_a_record_says_whose_each_target_is_and_from_what_it_was_ranked(
    data: Path, tmp_path: Path, implementation: str, target: str
) -> None:
    config = config_of(implementation, target=target)
    folder = tmp_path / run_folder(*config.run)
    run(config, data, folder, CPU)
    record, log = read_record(folder), Interactions.load(data)
    test = split_log(log, config.split).test
    row, _ = test.target_pairs(np.arange(test.num_users))
    users, lengths = record.target_users(), record.history_lengths()
    assert users is not None
    assert lengths is not None
    assert users.tolist() == test.users_of(row).tolist()
    assert lengths.tolist() == test.lengths(row).tolist()
    assert len(record.ranks()) == len(record.target_counts()) == len(users)
    assert record.users == len(set(users.tolist()))
    assert record.has_sets == (target == "all")
    assert ("recall@10" in record.test) == (target == "all")
    if target == "all":
        values = set_metric(record.ranks(), users, "ndcg", 10)
        assert record.test["ndcg@10"] == pytest.approx(values.mean())
    assert record.config["split"]["target"] == target
    train = split_log(log, config.split).train
    trained = np.flatnonzero(train.ends > train.starts)
    _, items = test.target_pairs(np.arange(test.num_users))
    assert record.cold
    assert record.cold.users == len(set(users.tolist()) - set(trained.tolist()))
    assert record.cold.items == len(set(items[record.target_counts() == 0].tolist()))


@pytest.mark.parametrize("split", [TEMPORAL, TEMPORAL | {"validation": "by-time"}])
@pytest.mark.parametrize("refit", [False, True])
def test_a_network_is_never_trained_on_anything_after_the_cut(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    split: dict[str, Any],
    refit: bool,
) -> None:
    # A marker stands wherever something happened after the cut, and nowhere else.
    log = Interactions.load(data)
    assert log.times is not None
    config = small_config(split=split | {"refit": refit, "target": "successive"})
    after = log.times > np.quantile(log.times, config.split.quantile or 0)
    marker = log.num_items
    items = np.where(after, marker, np.where(log.items == marker, 1, log.items))
    marked = with_times(replace(log, items=items.astype(np.int32)), log.times, tmp_path / "marked")
    fed: dict[bool, set[int]] = {True: set(), False: set()}
    forward = SASRec.forward

    def watched(network: SASRec, rows: torch.Tensor) -> torch.Tensor:
        fed[network.training].update(rows.flatten().tolist())
        return forward(network, rows)

    monkeypatch.setattr(SASRec, "forward", watched)
    run(config, marked, tmp_path / run_folder(*config.run), CPU)
    assert len(fed[True]) > 10
    assert marker not in fed[True]
    # Histories that targets are ranked from do hold it, so it would have been seen.
    test = split_log(Interactions.load(marked), config.split).test
    assert marker in test.pairs(np.arange(test.num_users))[1]


def test_models_that_fit_themselves_see_nothing_after_the_cut(data: Path, tmp_path: Path) -> None:
    config, log = config_of("popularity"), Interactions.load(data)
    assert log.times is not None
    folder = tmp_path / run_folder(*config.run)
    run(config, data, folder, CPU)
    counts = Recommender.load(folder, data).model.state()["counts"]
    cut = np.quantile(log.times, 0.7)
    users = np.repeat(np.arange(log.num_users), np.diff(log.offsets))
    before = pd.DataFrame({"user": users, "item": log.items})[log.times <= cut]
    kept = before.groupby("user").filter(lambda events: len(events) > 1)
    expected = kept.item.value_counts().reindex(range(1, log.num_items + 1), fill_value=0)
    assert counts.tolist() == expected.tolist()


def test_bpr_mf_ranks_alike_for_all_users_it_has_not_seen_and_not_at_random(
    data: Path, tmp_path: Path
) -> None:
    config, log = config_of("bpr-mf", quantile=0.2), Interactions.load(data)
    folder = tmp_path / run_folder(*config.run)
    run(config, data, folder, CPU)
    learned = split_log(log, config.split).train_and_validation
    new = np.flatnonzero(learned.lengths(np.arange(log.num_users)) == 0)
    model = Recommender.load(folder, data).model
    assert isinstance(model, Fitted)
    scores = model.score(new)
    assert len(scores) > 1
    assert torch.equal(scores, scores[:1].expand_as(scores))
    assert len(scores[0].unique()) > 1


def count_steps(done: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Add to `done` for each step of training."""
    step = Trainer.step

    def counted(trainer: Trainer) -> None:
        done.append(1)
        step(trainer)

    monkeypatch.setattr(Trainer, "step", counted)


@pytest.mark.parametrize("refit", [False, True])
def test_stopped_after_any_step_it_ends_as_if_nothing_had_happened(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refit: bool
) -> None:
    training = EPOCHS | {"max_epochs": 2, "batch_size": 40}
    config = small_config("sasrec", "sampled", split=TEMPORAL | {"refit": refit}, training=training)
    whole = tmp_path / "whole" / run_folder(*config.run)
    done: list[int] = []
    count_steps(done, monkeypatch)
    run(config, data, whole, CPU)
    stops, steps_in_all = 0, len(done)
    for steps in range(1, 30):
        folder = tmp_path / f"stopped-{steps}" / run_folder(*config.run)
        done.clear()
        with monkeypatch.context() as signalled:
            stop_after(steps, signalled)
            try:
                run(config, data, folder, CPU)
                break
            except Stopped:
                stops += 1
        torch.manual_seed(steps)  # nothing may depend on where the process left its own state
        run(config, data, folder, CPU)
        assert len(done) == steps_in_all, "a step was done twice"
        assert outcome(folder) == outcome(whole), steps
        assert not list(folder.glob("resume*"))
    assert stops > (8 if refit else 5)


def test_a_refit_trains_on_train_and_validation_for_the_best_number_of_epochs(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = {}
    for refit in (False, True):
        config = config_of(refit=refit)
        folder = tmp_path / str(refit) / run_folder(*config.run)
        run(config, data, folder, CPU)
        results[refit] = read_record(folder)
    plain, again = results[False], results[True]
    assert (plain.validation, plain.best_epoch) == (again.validation, again.best_epoch)
    assert plain.test != again.test
    assert plain.refit_seconds is None
    assert again.refit_seconds is not None
    assert again.config_hash != plain.config_hash
    assert f"{again.best_epoch} epochs" in capsys.readouterr().err
    # By hand: the same training on the larger part.
    epochs = {"batch_size": 32, "max_epochs": again.best_epoch, "patience": 99}
    merged = small_config("sasrec", "sampled", split=TEMPORAL, training=epochs)
    engine = Engine(torch.device("cpu"))
    splits, network = begin_run(merged, Interactions.load(data), engine)
    assert isinstance(network, Network)
    together = replace(splits, train=splits.train_and_validation)
    for _ in train(Trainer(network, together, merged, engine)):
        last = {name: weight.clone() for name, weight in network.state_dict().items()}
    kept = load_file(again.files.weights)
    assert all(torch.equal(kept[name], weight) for name, weight in last.items())


def test_the_weights_are_evaluated_again_under_the_split_they_were_trained_for(
    data: Path, tmp_path: Path
) -> None:
    config = config_of(target="successive")
    folder = tmp_path / run_folder(*config.run)
    run(config, data, folder, CPU)
    ranks = read_record(folder).ranks()
    changed = config_of(target="successive").model_copy(
        update={"evaluation": config.evaluation.model_copy(update={"cutoffs": [20]})}
    )
    record = evaluate_again(changed, data, folder, CPU)
    assert record is not None
    assert "ndcg@20" in record.test
    assert np.array_equal(read_record(folder).ranks(), ranks)
    assert read_record(folder).target_users() is not None
    # Another split, or weights that were not those validated, are trained anew.
    assert evaluate_again(config_of(target="last"), data, folder, CPU) is None
    assert evaluate_again(small_config("sasrec", "sampled"), data, folder, CPU) is None
    refit = config_of(refit=True)
    run(refit, data, tmp_path / "refit" / run_folder(*refit.run), CPU)
    cutoffs = refit.evaluation.model_copy(update={"cutoffs": [20]})
    other = refit.model_copy(update={"evaluation": cutoffs})
    assert evaluate_again(other, data, tmp_path / "refit" / run_folder(*refit.run), CPU) is None


def test_a_record_of_another_split_leaves_no_array_behind(data: Path, tmp_path: Path) -> None:
    temporal, plain = config_of(), small_config("sasrec", "sampled")
    folder = tmp_path / run_folder(*plain.run)
    run(temporal, data, folder, CPU)
    assert RunFiles(folder).target_users.is_file()
    run(plain, data, folder, CPU)
    assert read_record(folder).target_users() is None
    assert not RunFiles(folder).target_users.exists()


@pytest.mark.parametrize("seen", ["drop", "keep"])
@pytest.mark.parametrize("kind", [{}, TEMPORAL])
def test_recommendations_hold_seen_items_only_if_the_split_keeps_them(
    data: Path, tmp_path: Path, kind: dict[str, Any], seen: str
) -> None:
    config = small_config("sasrec", "sampled", split=kind | {"seen": seen})
    folder = tmp_path / run_folder(*config.run)
    run(config, data, folder, CPU)
    recommender, log = Recommender.load(folder, data), Interactions.load(data)
    user = int(np.diff(log.offsets).argmax())
    history = log.item_ids()[log.history(user) - 1].tolist()
    found = recommender.recommend(history, k=log.num_items)
    assert bool({*history} & {*found["item"]}) == (seen == "keep")
    assert len(found) == log.num_items - (len({*history}) if seen == "drop" else 0)
    assert bool((read_record(folder).ranks() == MISS).any()) <= (seen == "drop")


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (TEMPORAL | {"at": "1960-01-01"}, "leaves 0 users to train"),
        (TEMPORAL | {"at": "2030-01-01"}, "0 to test"),
    ],
)
def test_a_split_that_leaves_nobody_is_refused_before_training(
    data: Path, tmp_path: Path, split: dict[str, Any], message: str
) -> None:
    config = small_config(split=split)
    with pytest.raises(SeqrecError, match=message):
        run(config, data, tmp_path / run_folder(*config.run), CPU)
    failure = json.loads(RunFiles(tmp_path / run_folder(*config.run)).failure.read_text())
    assert message in failure["error"]


def test_a_log_without_times_is_refused_before_training(tmp_path: Path) -> None:
    config = config_of()
    with pytest.raises(SeqrecError, match="no times"):
        run(config, preprocessed_log(tmp_path), tmp_path / run_folder(*config.run), EngineOptions())


def test_a_named_split_is_part_of_the_runs_name(data: Path, tmp_path: Path) -> None:
    config = config_of(name="temporal")
    assert config.run == Run("small@temporal", "sasrec", 0)
    folder = tmp_path / run_folder(*config.run)
    run(config, data, folder, CPU)
    record = read_record(folder)
    assert (record.dataset, record.split, record.task) == ("small", "temporal", "small@temporal")
    assert record.run == config.run
    assert config.hash() not in (config_of().hash(), small_config("sasrec", "sampled").hash())

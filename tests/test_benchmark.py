"""The benchmark compares like with like, and its figures are what they say."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import (
    ROOT,
    batch_of,
    hidden_states,
    preprocessed_log,
    simulated_log,
    small_config,
    without_dropout,
)

from seqrec.experiment.grid import load_experiment
from seqrec.experiment.schema import BUILT_IN_LOSSES
from seqrec.layout import ConfigFiles
from seqrec.models import Network
from seqrec.protocol.metrics import metrics_from_ranks
from seqrec.protocol.ranking import rank_users
from seqrec.protocol.splits import leave_one_out
from seqrec.report.paper import read_published
from seqrec.report.timing import read_timing
from seqrec.training.arithmetic import Engine
from seqrec.training.batches import TrainingSequences
from seqrec.training.building import build_model
from seqrec.training.objective import make_objective
from seqrec.training.scoring import network_scorer

CPU = torch.device("cpu")
SPLITS = leave_one_out(simulated_log())


@pytest.mark.usefixtures("benchmark")
def test_the_times_in_the_references_tables_are_those_measured() -> None:
    from report import timing

    measured = json.loads((ROOT / "results/benchmark/whole-cpu.json").read_text())
    assert timing(measured) == read_timing(ROOT / "results/reference")


NAMES = {
    "attention.in_projection.": "attention.in_proj_",
    "attention.out_projection.": "attention.out_proj.",
    "inner.": "feedforward.0.",
    "outer.": "feedforward.3.",
}
BERT_NAMES = {
    "attention.in_projection.": "self_attn.in_proj_",
    "attention.out_projection.": "self_attn.out_proj.",
    "attention_norm.": "norm1.",
    "feedforward_norm.": "norm2.",
    "inner.": "linear1.",
    "outer.": "linear2.",
}


LIGR_NAMES = {
    **{ours: theirs for ours, theirs in NAMES.items() if ours.startswith("attention.")},
    "feedforward.outer.": "outer.",
}
HSTU_NAMES = {"in_projection.": "project.", "out_projection.": "out."}


def with_our_weights(baseline: Any, network: Network, implementation: str) -> None:
    every = {"sasrec": NAMES, "bert4rec": BERT_NAMES, "ligr": LIGR_NAMES, "hstu": HSTU_NAMES}
    names = every.get(implementation, {})
    weights = {}
    for name, tensor in network.state_dict().items():
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        if name.endswith("feedforward.inner.weight"):  # the two of SwiGLU, stacked
            place = name.removesuffix("feedforward.inner.weight")
            weights[f"{place}gate.weight"], weights[f"{place}inner.weight"] = tensor.chunk(2)
        elif name.endswith("by_distance"):
            weights[f"{name}.weight"] = tensor[:, None]
        elif name != "segments.weight":
            weights[name] = tensor
    baseline.network.load_state_dict(weights)


@pytest.mark.parametrize("implementation", ["sasrec", "gru4rec", "bert4rec", "ligr", "hstu"])
def test_the_textbook_computes_what_the_package_computes(
    benchmark: Any, implementation: str
) -> None:
    hyperparameters = without_dropout(implementation)
    if implementation == "bert4rec":
        hyperparameters["mask_probability"] = 0.999999  # every position, so that nothing is drawn
    config = small_config(implementation, hyperparameters=hyperparameters)
    torch.manual_seed(0)
    network = build_model(config, SPLITS.test.num_items)
    assert isinstance(network, Network)
    if implementation == "bert4rec":
        torch.nn.init.zeros_(network.segments.weight)
    config = small_config(
        implementation,
        hyperparameters={"heads": 1, "blocks": 1, "layers": 1, "dropout": 0.0}
        | {"expansion": 4, "temperature": 0.05}
        | hyperparameters,
    )
    from textbook import Baseline  # the fixture makes it known

    baseline = Baseline(SPLITS.train, config, CPU)
    with_our_weights(baseline, network, implementation)

    users = np.arange(30)
    everyone = np.arange(SPLITS.train.num_users)
    sequences = TrainingSequences.of(SPLITS.train, network.task, config.max_length)
    assert config.loss is not None
    objective = make_objective(network, config.loss, None, Engine(CPU))
    ndcg = metrics_from_ranks(
        rank_users(
            network_scorer(network.eval(), SPLITS.validation, config.max_length, CPU),
            SPLITS.validation,
            everyone,
            32,
        ),
        [10],
    )["ndcg@10"]
    assert baseline.evaluate(SPLITS.validation, everyone) == pytest.approx(ndcg, rel=1e-3)

    generator = torch.Generator().manual_seed(0)
    batch = batch_of(sequences, users, generator)
    hidden = hidden_states(network, batch)
    assert baseline.step(users) == pytest.approx(objective(hidden, batch).item(), rel=1e-3)


@pytest.mark.parametrize("loss", ["sampled", "binary"])
def test_the_textbook_learns_from_negatives(benchmark: Any, loss: str) -> None:
    from textbook import Baseline  # the fixture makes it known

    baseline = Baseline(SPLITS.train, small_config("sasrec", loss), CPU)
    users = np.arange(100)
    first = baseline.step(users)
    for _ in range(60):
        last = baseline.step(users)
    assert last < 0.95 * first


def test_a_case_is_measured_by_two_processes_that_take_turns(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "ROUNDS", 1)
    data = preprocessed_log(tmp_path)
    sides = ["ours", "textbook"]
    case = benchmark.measure_case(data, small_config(loss="sampled"), 100, 1, sides)
    assert {side: len(times) for side, times in case["steps"].items()} == {
        side: benchmark.STEPS[side] for side in sides
    }
    facts = case["facts"]["ours"]
    assert facts["parameters"] > 61 * 8  # the item table and the rest
    # Attention and linear layers in float32; the loss in what the machine is fast at.
    assert facts["operations"]["float32"] > 0
    assert facts["precision"] in facts["operations"]
    assert {side: len(times) for side, times in case["validation"].items()} == {
        "ours": benchmark.VALIDATIONS,
        "textbook": benchmark.VALIDATIONS,
    }
    # At the least, every user's state against every item.
    assert facts["operations of a validation"]["float32"] > 2 * 100 * 60 * 8
    rates = {"float32": 1e9, "bfloat16": 1e9, "bytes": 1e9}
    row = benchmark.summary(case, rates)
    assert all(value > 0 for value in row.values())
    assert row["ratio"] == pytest.approx(row["textbook, s"] / row["step, s"])
    assert row["outside"] < 1


def test_the_floor_is_operations_and_bytes_over_their_rates(benchmark: Any) -> None:
    facts = {"operations": {"float32": 6e9, "bfloat16": 8e9}, "parameters": 1e6}
    rates = {"float32": 3e9, "bfloat16": 4e9, "bytes": 28e6}
    assert benchmark.floor_seconds(facts, rates) == pytest.approx(2 + 2 + 1)


def test_the_machines_rates_are_measured(benchmark: Any) -> None:
    rates = benchmark.machine_rates(CPU)
    assert set(rates) == {"float32", "bfloat16", "bytes"}
    assert all(1e8 < rate < 1e16 for rate in rates.values())


def test_the_whole_of_the_paper_is_the_sum_of_its_measured_parts(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import whole  # the fixture makes it known
    from report import whole_table

    monkeypatch.setattr(whole, "VALIDATED", 100)

    data = preprocessed_log(tmp_path)
    published = read_published(ConfigFiles().published("results"), "dataset", "model")
    runs = {run.model: run for run in load_experiment("paper").runs if run.dataset == "beauty"}
    cell = whole.measured_training(data, small_config(loss="sampled"), 1)
    cell |= {"steps": [1.0, 2.0, 9.0], "validation": whole.VALIDATED * 0.01}
    # 40,226 users: 315 steps and 10,000 users validated an epoch, everybody ranked twice at last.
    epoch, final = 315 * 2.0 + 10_000 * 0.01, 2 * 40_226 * 0.01
    for model, epochs in {"sasrec+": 16, "sasrec+10": 18, "gru4rec": 16, "bert4rec": 107}.items():
        found = whole.run_seconds(runs[model], cell, 40_226, published)
        assert (found["epoch, s"], found["epochs"]) == (pytest.approx(epoch), epochs)
        assert found["run, s"] == pytest.approx(epochs * epoch + final)

    fitted = small_config("bpr-mf")
    some = whole.measured_fit(data, fitted, 1)
    assert some["fit"] > 0
    some["fit"] = 3.0
    bpr = whole.run_seconds(runs["bpr-mf"], some | {"validation": 0.0}, 40_226, published)
    assert bpr["run, s"] == pytest.approx(2 * 3.0 * 100 / whole.FITTED_ITERATIONS)
    cells = {"one": cell | {"run": found}, "other": some | {"run": bpr}}
    sizes = {"users": 1, "items": 2, "interactions": 3}
    log = sizes | {"preprocess": {"seconds": 1.0, "peak bytes": 1e9}}
    cells = {f"small {name}": value for name, value in cells.items()}
    table = whole_table({"data": {"small": log}, "cells": cells})
    assert f"{(found['run, s'] + bpr['run, s']) / 3600:.0f}" in table.splitlines()[-1]


def test_every_loss_is_timed_against_a_textbook_that_computes_the_same(
    benchmark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import losses  # the fixture makes it known

    size = losses.Size(sequences=3, length=4, items=20, width=5, rounds=1)
    for kind in BUILT_IN_LOSSES:
        hidden, table = torch.randn(12, 5), torch.randn(21, 5)
        found = [
            compute(hidden, table)
            for compute in losses.sides(losses.configured(kind), size).values()
        ]
        assert len(found) == 3
        for each in found:
            torch.testing.assert_close(each, found[-1])
    losses.main(["--quick", "--output", str(tmp_path / "losses.json"), "--threads", "1"])
    rows = json.loads((tmp_path / "losses.json").read_text())["losses"]
    assert [row["loss"] for row in rows] == [*BUILT_IN_LOSSES]
    assert all(row["ratio"] == row["textbook, s"] / row["ours, s"] for row in rows)
    assert capsys.readouterr().out.count("\n| ") >= len(rows)


def test_products_inside_a_gpus_attention_are_counted_too(benchmark: Any) -> None:
    from worker import Products  # the fixture makes it known

    attended = torch.empty(2, 1, 5, 8, device="meta")
    with Products() as products:
        torch.ops.aten._scaled_dot_product_efficient_attention(
            attended, attended, attended, None, False, 0.0, True
        )
        torch.empty(3, 8, device="meta") @ torch.empty(8, 4, device="meta")
    # Scores and mixtures of 2 sequences of 5 by 5, and the product, at two operations each.
    assert products.operations == {"float32": 2 * (2 * 2 * 5 * 5 * 8 + 3 * 8 * 4)}

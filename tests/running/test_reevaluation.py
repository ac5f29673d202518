"""A change of the evaluation alone trains nothing again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import preprocessed_log, small_config

from seqrec.errors import SeqrecError
from seqrec.layout import run_folder
from seqrec.protocol.metrics import metrics_from_ranks
from seqrec.records import read_record
from seqrec.running.options import EngineOptions
from seqrec.running.reevaluation import evaluate_again
from seqrec.running.run import run

CPU = EngineOptions("cpu", 1, "float32")
CHANGED = {"batch_size": 7, "cutoffs": [3, 20], "sampled_negatives": 5}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preprocessed_log(tmp_path_factory.mktemp("data"))


def test_other_cutoffs_are_computed_from_the_weights_on_disk(data: Path, tmp_path: Path) -> None:
    config = small_config("bert4rec")
    changed = config.model_validate(config.model_dump() | {"evaluation": CHANGED})
    folder = tmp_path / run_folder(*config.run)
    before = run(config, data, folder, CPU)
    weights = (folder / "model.safetensors").read_bytes()
    assert evaluate_again(changed, data, folder, CPU) is not None
    record = read_record(folder)
    whole = run(changed, data, tmp_path / "trained" / run_folder(*config.run), CPU)
    assert record.config_hash == changed.hash() == whole.config_hash
    assert (record.test, record.validation) == (whole.test, whole.validation)
    assert record.test_sampled == whole.test_sampled is not None
    assert record.test == metrics_from_ranks(record.ranks(), [3, 10, 20])
    assert np.array_equal(record.ranks(), whole.ranks())
    assert np.array_equal(record.recommended_counts(), whole.recommended_counts())
    assert record.recommended_popularity == whole.recommended_popularity
    assert record.training_seconds == before.training_seconds
    assert (folder / "model.safetensors").read_bytes() == weights
    assert json.loads((folder / "metrics.json").read_text())["config"]["evaluation"] == CHANGED


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_it_is_evaluated_in_the_precision_of_its_training(
    precision: Any, data: Path, tmp_path: Path
) -> None:
    config = small_config("bert4rec")
    folder = tmp_path / run_folder(*config.run)
    before = run(config, data, folder, EngineOptions("cpu", 1, precision))
    cutoffs = {**config.evaluation.model_dump(), "cutoffs": [10, 20, 100]}
    changed = config.model_validate(config.model_dump() | {"evaluation": cutoffs})
    ranks, onednn = before.ranks(), torch.backends.mkldnn.enabled
    assert onednn == (precision == "bfloat16")
    for asked in ("float32", "bfloat16", "auto"):
        record = evaluate_again(changed, data, folder, EngineOptions("cpu", 1, asked))
        assert record is not None
        assert np.array_equal(record.ranks(), ranks)
        assert before.test.items() <= record.test.items()
        assert before.validation.items() <= record.validation.items()
        assert (record.precision, torch.backends.mkldnn.enabled) == (precision, onednn)


def test_whatever_decides_the_weights_is_trained(data: Path, tmp_path: Path) -> None:
    config = small_config()
    folder = tmp_path / run_folder(*config.run)
    run(config, data, folder, CPU)
    record = (folder / "metrics.json").read_bytes()
    for values in ({"seed": 1}, {"training": {"batch_size": 16, "max_epochs": 2}}):
        other = config.model_validate(config.model_dump() | values | {"evaluation": CHANGED})
        assert evaluate_again(other, data, folder, CPU) is None
    changed = config.model_validate(config.model_dump() | {"evaluation": CHANGED})
    another_log = preprocessed_log(tmp_path / "other", seed=9)
    assert evaluate_again(changed, another_log, folder, CPU) is None
    (folder / "model.safetensors").unlink()
    assert evaluate_again(changed, data, folder, CPU) is None
    assert (folder / "metrics.json").read_bytes() == record


def test_too_many_sampled_items_are_refused_before_training(data: Path, tmp_path: Path) -> None:
    config = small_config(evaluation={"sampled_negatives": 3000})
    with pytest.raises(SeqrecError, match="Ask for at most"):
        run(config, data, tmp_path, CPU)
    assert not list(tmp_path.glob("resume*"))

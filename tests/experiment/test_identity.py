"""The hash of a configuration: the same for equal ones, other for all others, and for good."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from shipped import copied_config
from small_runs import ROOT, small_config

from seqrec.errors import SeqrecError
from seqrec.experiment.grid import load_experiment, load_run
from seqrec.experiment.schema import RunConfig
from seqrec.layout import Run
from seqrec.typed_yaml import load_yaml

CONFIG = ROOT / "config"


def shuffled(value: Any, order: random.Random) -> Any:
    """The same mapping with its keys in another order, at every level."""
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: shuffled(value[key], order) for key in keys}
    return [shuffled(item, order) for item in value] if isinstance(value, list) else value


@given(st.integers(0, 10_000))
def test_the_order_of_keys_changes_no_run(seed: int) -> None:
    values = small_config(loss="sampled").model_dump(mode="json")
    other = RunConfig.model_validate(shuffled(values, random.Random(seed)))
    assert other.json() == small_config(loss="sampled").json()
    assert other.hash() == small_config(loss="sampled").hash()


def test_the_order_of_keys_in_the_files_changes_no_run(tmp_path: Path) -> None:
    before = [run.json() for run in load_experiment("paper", config=CONFIG).runs]
    config = copied_config(tmp_path)
    for path in [config / "paper.yaml", *(config / "models").glob("*.yaml")]:
        data = shuffled(load_yaml(path), random.Random(1))
        path.write_text(yaml.safe_dump(data, sort_keys=False))
    assert [run.json() for run in load_experiment("paper", config=config).runs] == before


def changed_leaves(value: Any) -> list[Any]:
    """Every way to change one leaf of JSON-like data."""
    if isinstance(value, dict):
        return [{**value, k: new} for k, v in value.items() for new in changed_leaves(v)]
    if isinstance(value, list):
        return [[*value, 50]]
    return [value * 2 if isinstance(value, int | float) and value else 1]


def test_the_hash_changes_with_every_value_and_is_the_same_for_the_same() -> None:
    config = small_config(loss="sampled", seed=3)
    values = config.model_dump(mode="json")
    hashes = {config.hash()}
    for field in ("seed", "max_length", "hyperparameters", "training", "evaluation"):
        for new in changed_leaves(values[field]):
            hashes.add(RunConfig.model_validate({**values, field: new}).hash())
    count = 1 + sum(
        len(changed_leaves(values[field]))
        for field in ("seed", "max_length", "hyperparameters", "training", "evaluation")
    )
    for changes in (
        {"dataset": "x"},
        {"model": "x"},
        {"implementation": "gru4rec"},
        {"loss": {**values["loss"], "negatives": 9}},
        {"loss": {**values["loss"], "sharing": "position"}},
        {"loss": {**values["loss"], "kind": "binary-cross-entropy"}},
    ):
        hashes.add(RunConfig.model_validate({**values, **changes}).hash())
        count += 1
    assert len(hashes) == count
    assert RunConfig.model_validate(json.loads(config.json())).hash() == config.hash()


@pytest.mark.parametrize(
    ("experiment", "dataset", "model", "settings", "expected"),
    [
        (
            "paper",
            "ml-20m",
            "bert4rec",
            [],
            "050906692366b27fa485d82d352a1d06f806c48a7d37356003eeb5eee4f120bd",
        ),
        (
            "paper",
            "ml-1m",
            "sasrec+3000",
            [],
            "c114fd8e468bdeb86da4104a110fc03181018177770044903c1fb46c17c4a94f",
        ),
        (
            "paper",
            "beauty",
            "gru4rec",
            [],
            "635215c658f1ab3e5c81aaad07ff9b4868613566d40b5b565f98693ff4883b8b",
        ),
        (
            "paper",
            "steam",
            "bpr-mf",
            [],
            "9695f9e8fc005ecbfbd58e594873b256db618178b13934133df542a726f88b0b",
        ),
        (
            "paper",
            "yelp",
            "popularity",
            [],
            "c3f4fd1875ce692f59a052be8afca723c16d220ad0da5846d0575e950df62944",
        ),
        (
            "demo",
            "demo",
            "gpt4rec",
            [],
            "98306f3061041a8a4e32abf3e7ac86c3df0ccd2e6b64e6b45eb251b0073d6c6c",
        ),
        (
            "demo",
            "demo",
            "sasrec",
            ["hyperparameters.dropout=0", "hyperparameters.hidden_size=64"],
            "55cdc95d8f71e4bfc13d1788823c8a88b83a60626a4c4b0238101ac063a99913",
        ),
        (
            "demo",
            "demo",
            "bert4rec",
            ["hyperparameters.heads=4", "training.max_epochs=3"],
            "95d20e8b19e23bc098b64052605e1cc00a8e43bbdbe0b9e8f13c72a1a3128d7b",
        ),
    ],
)
def test_the_hash_of_a_configuration_is_what_it_always_was(
    experiment: str, dataset: str, model: str, settings: list[str], expected: str
) -> None:
    rename = "changed" if settings else None
    _, run = load_run(experiment, Run(dataset, model, 0), settings, rename, CONFIG)
    assert run.hash() == expected


def test_the_hash_of_a_custom_models_configuration_is_what_it_always_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = copied_config(tmp_path)
    (tmp_path / "frozen_model.py").write_text(
        "class Custom:\n"
        "    def __init__(self, num_items, max_length, width: int = 8, rate: float = 1):\n"
        "        raise NotImplementedError\n"
    )
    (config / "models/custom.yaml").write_text(
        "implementation: frozen_model:Custom\n"
        "hyperparameters: {rate: 2}\n"
        "loss: {kind: cross-entropy}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    _, run = load_run("demo", Run("demo", "custom", 0), config=config)
    assert run.hash() == "a4b47608c25fb353135530a5b93946332a3488be3c070236a556286e177923eb"


LATER = {
    "loss": {"sampling": "uniform", "logq": False, "parameters": {}},
    "training": {
        "optimiser": "adam",
        "weight_decay": 0.0,
        "warmup_steps": 0,
        "schedule": "constant",
        "gradient_clipping": None,
        "stopping_metric": "ndcg@10",
        "sparse": False,
    },
}
OTHER: dict[str, Any] = {
    "loss": {"sampling": "popularity", "parameters": {"t": 0.5}},
    "training": {
        "weight_decay": 0.1,
        "warmup_steps": 3,
        "schedule": "cosine",
        "gradient_clipping": 1.0,
        "stopping_metric": "mrr@5",
    },
}


@pytest.mark.parametrize("section", LATER)
def test_a_later_key_at_its_default_is_left_out_and_any_other_value_counts(section: str) -> None:
    values = small_config(loss="sampled").model_dump(mode="json")
    plain = RunConfig.model_validate(values)
    spelt_out = RunConfig.model_validate({**values, section: values[section] | LATER[section]})
    assert spelt_out.json() == plain.json()
    assert not any(f'"{key}"' in plain.json() for key in LATER[section])
    hashes = {plain.hash()}
    for key, value in OTHER[section].items():
        changed = RunConfig.model_validate({**values, section: values[section] | {key: value}})
        assert changed.model_dump()[section][key] == value
        assert RunConfig.model_validate_json(changed.json()) == changed
        hashes.add(changed.hash())
    assert len(hashes) == 1 + len(OTHER[section])


def test_an_override_may_go_back_to_a_default(tmp_path: Path) -> None:
    config = copied_config(tmp_path)
    experiment = load_yaml(config / "demo.yaml") | {"models": ["sasrec"]}
    experiment["training"] |= {"gradient_clipping": 1.0, "stopping_metric": "mrr@5"}
    back = {"gradient_clipping": None, "stopping_metric": "ndcg@10"}
    experiment["overrides"] = [{"training": back}]
    (config / "demo.yaml").write_text(yaml.safe_dump(experiment))
    (run,) = load_experiment("demo", config=config).runs
    assert run.training is not None
    assert (run.training.gradient_clipping, run.training.stopping_metric) == (None, "ndcg@10")


def test_adamw_asks_for_a_weight_decay_without_which_it_is_adam(tmp_path: Path) -> None:
    config = copied_config(tmp_path)
    settings = ["models=[sasrec]", "training.optimiser=adamw"]
    with pytest.raises(SeqrecError, match="training: adamw without weight_decay is adam"):
        load_experiment("demo", settings, "other", config)
    (run,) = load_experiment("demo", [*settings, "training.weight_decay=0.1"], "other", config).runs
    assert run.training is not None
    assert run.training.weight_decay == 0.1

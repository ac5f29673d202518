"""Experiments are expanded to runs: what overrides what, and mistakes are explained."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from shipped import copied_config
from small_runs import ROOT

from seqrec.errors import SeqrecError
from seqrec.experiment.grid import Grid, load_experiment, load_run
from seqrec.experiment.registry import Registry
from seqrec.experiment.schema import RunConfig
from seqrec.layout import Run
from seqrec.typed_yaml import parse_yaml

CONFIG = ROOT / "config"


def grid_of(project: Path, name: str = "mine", *settings: str, **content: Any) -> Grid:
    """The grid of an experiment that is written beside the shipped ones."""
    config = project / "config"
    if not config.exists():
        copied_config(project)
    content = {"datasets": ["demo"], "models": ["sasrec+"]} | content
    (config / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return load_experiment(name, settings, "changed" if settings else None, config)


def only_run(grid: Grid) -> RunConfig:
    (run,) = grid.runs
    return run


def message_of(project: Path, **content: Any) -> str:
    with pytest.raises(SeqrecError) as caught:
        grid_of(project, **content)
    return str(caught.value)


# Mistakes


@pytest.mark.parametrize(
    ("content", "place", "hint"),
    [
        ({"datsets": ["demo"]}, "top level: unknown key 'datsets'", "'datasets'"),
        (
            {"training": {"max_epoch": 1}},
            "training: unknown key 'max_epoch'",
            "'max_epochs'",
        ),
        (
            {"evaluation": {"cutoff": [10]}},
            "evaluation: unknown key 'cutoff'",
            "'cutoffs'",
        ),
        (
            {"overrides": [{}, {"model": ["sasrec+"]}]},
            "overrides.1: unknown key 'model'",
            "'models'",
        ),
        (
            {"overrides": [{"training": {"patiense": 2}}]},
            "overrides.0.training: unknown key 'patiense'",
            "'patience'",
        ),
        (
            {"overrides": [{"loss": {"kind": "cross-entropy", "negative": 1}}]},
            "overrides.0.loss: unknown key 'negative'",
            "'negatives'",
        ),
        (
            {"overrides": [{"hyperparameters": {"hiden_size": 8}}]},
            "hyperparameters: sasrec takes no 'hiden_size'",
            "'hidden_size'",
        ),
        (
            {"models": [{"name": "a", "like": "sasrec", "los": {}}]},
            "unknown key 'los'",
            "'loss'",
        ),
    ],
)
def test_an_unknown_key_is_refused_at_every_level(
    tmp_path: Path, content: dict[str, Any], place: str, hint: str
) -> None:
    message = message_of(tmp_path, **content)
    assert str(tmp_path / "config" / "mine.yaml") in message
    assert place in message
    assert f"did you mean {hint}?" in message


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"hyperparameter": {}}, "top level: unknown key 'hyperparameter'; did you mean"),
        ({"hyperparameters": {"block": 1}}, "takes no 'block'; did you mean 'blocks'?"),
        ({"loss": {"kind": "crossentropy"}}, "loss.kind: "),
        ({"loss": {"knd": "cross-entropy"}}, "loss: unknown key 'knd'; did you mean 'kind'?"),
        ({"loss": {"kind": "sampled-cross-entropy"}}, "loss: sampled-cross-entropy needs 'neg"),
        ({"loss": {"kind": "cross-entropy", "negatives": 3}}, "loss: cross-entropy scores all"),
        ({"loss": {"kind": "gbcee", "negatives": 3}}, "loss.kind: no 'gbcee'; did you mean 'gb"),
        ({"loss": {"kind": "bpr", "negatives": 3, "parameters": {"t": 1}}}, "bpr takes no 't'"),
        ({"loss": {"kind": "bpr", "negatives": 3, "logq": True}}, "loss: logq corrects for sampl"),
        ({"loss": {"kind": "cross-entropy", "sampling": "popularity"}}, "loss: sampling is about"),
        ({"loss": {"kind": "no_such_file:margin"}}, "loss.kind 'no_such_file:margin' cannot be"),
        ({"training": {"stopping_metric": "recall@10"}}, "training.stopping_metric: write hit"),
        ({"training": {"epochs": 1}}, "training: unknown key 'epochs'; did you mean"),
        ({"training": {"batch_size": 0}}, "training.batch_size: "),
        ({"implementation": "sasrek"}, "Class); did you mean 'sasrec'?"),
        ({"hyperparameters": {"hidden_size": 9, "heads": 2}}, "not a multiple of heads 2"),
    ],
)
def test_a_mistake_in_a_models_entry_is_told_with_its_file(
    tmp_path: Path, change: dict[str, Any], place: str
) -> None:
    config = copied_config(tmp_path)
    path = config / "models" / "broken.yaml"
    path.write_text(
        yaml.safe_dump({"implementation": "sasrec", "loss": {"kind": "cross-entropy"}} | change)
    )
    with pytest.raises(SeqrecError) as caught:
        Registry(config).model("broken")
    assert str(caught.value).startswith(str(path))
    assert place in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"datasets": ["ml1m"]}, "datasets: no 'ml1m'; did you mean 'ml-1m'?"),
        ({"models": ["sasrek"]}, "model 'sasrek'"),
        ({"models": ["sasrec+N"]}, "sasrec+N needs 'negatives: [...]'"),
        ({"datasets": ["demo", "demo"]}, "'demo' is listed twice"),
        ({"models": ["sasrec+N", "sasrec+10"], "negatives": [10]}, "'sasrec+10' is listed twice"),
        ({"datasets": []}, "datasets: "),
        ({"models": ["../up"]}, "models.0"),
        ({"seeds": [-1]}, "seeds.0: "),
        ({"seeds": [0, 1, 0]}, "seeds: 0 is listed twice"),
        ({"seeds": []}, "seeds: "),
        ({"seeds": 3}, "seeds: write [3] for this seed, or [0, 1, 2] for three (got 3)"),
        ({"seeds": [2**63]}, "seeds.0: must be at most 922337203685477580"),
        ({"overrides": [{"seeds": [4, 4]}]}, "overrides.0.seeds: 4 is listed twice"),
        ({"overrides": [None]}, "overrides.0: must be a mapping"),
        ({"overrides": [{"models": []}]}, "overrides.0.models: must not be empty"),
        ({"overrides": None}, "overrides: must be a list"),
        ({"training": {"learning_rate": float("inf")}}, "finite number (got inf)"),
        (
            {"training": {"learning_rate": float("nan")}},
            "training.learning_rate: must be a",
        ),
        (
            {"overrides": [{"hyperparameters": {"dropout": float("nan")}}]},
            "hyperparameters: dropout: a record cannot hold nan; write a finite number",
        ),
        ({"negatives": [0]}, "negatives.0: "),
        ({"training": {"learning_rate": 0}}, "training.learning_rate: "),
        ({"overrides": [{"max_length": 1}]}, "max_length: "),
        (
            {"overrides": [{"datasets": ["beauty"]}]},
            "overrides.0.datasets: 'beauty' is in no run of this experiment",
        ),
        (
            {"overrides": [{"models": ["[" * 5000]}]},
            f"'{'[' * 99} ... {'[' * 99}' is in no run of this experiment",
        ),
        (
            {"overrides": [{}, {"models": ["sasrec+", "bert*"]}]},
            "overrides.1.models: 'bert*' is in no run of this experiment",
        ),
    ],
)
def test_a_mistake_in_an_experiment_is_told_with_its_place(
    tmp_path: Path, content: dict[str, Any], message: str
) -> None:
    assert message in message_of(tmp_path, **content)


def test_a_key_written_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    config = copied_config(tmp_path)
    path = config / "twice.yaml"
    path.write_text("datasets: [demo]\nmodels: [sasrec]\ntraining: {patience: 1}\nmodels: [a]\n")
    with pytest.raises(SeqrecError, match=r"twice\.yaml:4: .*key 'models' is written twice"):
        load_experiment("twice", config=config)


def test_an_unknown_experiment_names_the_nearest() -> None:
    with pytest.raises(SeqrecError, match=r"papr\.yaml: no such experiment; did you mean 'paper'"):
        load_experiment("papr", config=CONFIG)


def test_a_file_edited_in_between_is_read_again(tmp_path: Path) -> None:
    path = copied_config(tmp_path) / "models/sasrec+.yaml"
    assert only_run(grid_of(tmp_path)).hyperparameters["blocks"] == 2
    path.write_text(path.read_text() + "hyperparameters: {blocks: 1}\n")
    assert only_run(grid_of(tmp_path)).hyperparameters["blocks"] == 1


# Settings and overrides


def test_settings_need_a_new_name(tmp_path: Path) -> None:
    config = grid_of(tmp_path) and tmp_path / "config"
    for rename in (None, "", "mine"):
        with pytest.raises(SeqrecError, match=r"its results need a name of their own"):
            load_experiment("mine", ["seeds=[1]"], rename, config)
    for rename in ("reference", "benchmark", "../up"):
        with pytest.raises(SeqrecError, match="experiment name"):
            load_experiment("mine", ["seeds=[1]"], rename, config)
    assert load_experiment("mine", ["seeds=[1]"], "new", config).name == "new"


@pytest.mark.parametrize("settings", [[], ["seeds=[1]"]])
def test_no_experiment_takes_the_name_and_results_of_another(
    tmp_path: Path, settings: list[str]
) -> None:
    grid_of(tmp_path)
    with pytest.raises(SeqrecError, match="'demo' is the name of another experiment"):
        load_experiment("mine", settings, "demo", tmp_path / "config")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("max_epochs", "write key=value"),
        ("training.max_epochs=[", "not valid YAML"),
        ("trainig.max_epochs=1", "unknown key 'trainig'; did you mean 'training'?"),
        ("training.max_epoch=1", "unknown key 'max_epoch'; did you mean 'max_epochs'?"),
        ("hyperparameters.block=1", "takes no 'block'; did you mean 'blocks'?"),
        ("description=text", "unknown key 'description'"),
        ("training.max_epochs=no", "training: max_epochs must not be false; YAML reads yes, no, "),
        ("training.max_epochs=yes", "training: max_epochs must not be true"),
        ("training.max_epochs=2.5", "training.max_epochs: must be a whole number (got 2.5)"),
        ("training=5", "training: must be a mapping, such as {key: value} (got 5)"),
        ("learning_rate=0.1", "did you mean hyperparameters.learning_rate or training.learning_r"),
        ("patience=3", "unknown key 'patience'; did you mean training.patience?"),
        ("dropuot=0.2", "did you mean hyperparameters.dropout?"),
        (
            "loss.negatives=50",
            "loss: 'kind' is missing; a loss is given as a whole, as in loss.kind=",
        ),
        ("loss={kind: [x]}", "loss.kind: no ['x']; valid here: binary-cross-entropy"),
        ("training=" + "[" * 150, "not valid YAML: "),
        ("hyperparameters.a=" + "[" * 40 + "]" * 40, "is nested deeper than 30 levels"),
        ('hyperparameters.a="\\ud800"', "holds a character that no file can hold"),
        ("training.batch_size=99999999999999999999", "must be at most 9223372036854775807 (got 99"),
        ("datasets=[2024_01_15]", "datasets.0: Snakemake and YAML change names that read as a num"),
        ("models=[3.10]", "models.0: Snakemake and YAML change names that read as a number"),
        ("datasets=[2024-01-15]", "datasets.0: YAML takes it for a date: put it in quotes"),
    ],
)
def test_a_mistake_in_a_setting_is_told(tmp_path: Path, setting: str, message: str) -> None:
    with pytest.raises(SeqrecError) as caught:
        grid_of(tmp_path, "mine", setting)
    assert repr(setting)[1:-1] in str(caught.value)
    assert message in str(caught.value)


def test_what_is_written_later_wins(tmp_path: Path) -> None:
    named = {"name": "mine", "like": "bert4rec", "training": {"patience": 11, "batch_size": 11}}
    content: dict[str, Any] = {"models": [named]}

    def patience(*settings: str, **more: Any) -> tuple[int, int]:
        run = only_run(grid_of(tmp_path, "mine", *settings, **content, **more))
        assert run.training is not None
        assert run.training.max_epochs == 200  # of the entry that it is like
        return run.training.patience, run.training.batch_size

    first = {"training": {"patience": 13}}
    second = {"training": {"patience": 14}, "models": ["mi*"]}
    elsewhere = {
        "training": {"patience": 99},
        "datasets": ["demo"],
        "models": ["mine"],
        "seeds": [0],
    }
    assert patience() == (11, 11)
    assert patience(training={"patience": 12}) == (12, 11)
    assert patience(training={"patience": 12}, overrides=[first]) == (13, 11)
    assert patience(overrides=[first, second]) == (14, 11)
    assert patience(overrides=[second, first]) == (13, 11)
    assert patience("training.patience=15", overrides=[elsewhere, second]) == (15, 11)
    assert patience("training.patience=15", "training.batch_size=16") == (15, 16)


def test_an_override_reaches_the_runs_it_names_and_no_others(tmp_path: Path) -> None:
    grid = grid_of(
        tmp_path,
        datasets=["demo", "beauty"],
        models=["popularity", "gru4rec", "sasrec", "sasrec+"],
        overrides=[
            {"datasets": ["beauty"], "models": ["sasrec*"], "hyperparameters": {"hidden_size": 8}},
            {"models": ["gru4rec"], "seeds": [3, 4], "max_length": 7},
            {"datasets": ["demo"], "evaluation": {"sampled_negatives": 5}},
        ],
    )
    for run in grid.runs:
        small = run.dataset == "beauty" and run.model.startswith("sasrec")
        assert (run.hyperparameters.get("hidden_size") == 8) == small
        assert (run.max_length == 7) == (run.model == "gru4rec")
        assert (run.evaluation.sampled_negatives == 5) == (run.dataset == "demo")
    seeds = Counter((run.model, run.seed) for run in grid.runs)
    assert seeds == {
        ("popularity", 0): 2,
        ("gru4rec", 3): 2,
        ("gru4rec", 4): 2,
        ("sasrec", 0): 2,
        ("sasrec+", 0): 2,
    }


def test_the_loss_is_an_axis_of_its_own(tmp_path: Path) -> None:
    loss = {"kind": "binary-cross-entropy", "negatives": 4, "sharing": "sequence"}
    grid = grid_of(
        tmp_path,
        models=["popularity", "gru4rec", {"name": "bert-bce", "like": "bert4rec", "loss": loss}],
    )
    assert [run.loss and run.loss.model_dump() for run in grid.runs] == [
        None,
        {"kind": "cross-entropy", "negatives": None, "sharing": None},
        loss,
    ]


@given(st.integers(1, 100_000))
def test_any_number_of_negatives_has_a_model(count: int) -> None:
    entry = Registry(CONFIG).model(f"sasrec+{count}")
    assert entry.loss is not None
    assert entry.loss.negatives == count


def test_a_template_is_no_model_by_itself() -> None:
    with pytest.raises(SeqrecError, match=r"sasrec\+N.*is a template; write a number for N"):
        Registry(CONFIG).model("sasrec+N")
    with pytest.raises(SeqrecError):
        Registry(CONFIG).model("gru4rec+10")


def test_settings_narrow_a_grid_whose_overrides_then_reach_nothing() -> None:
    settings = ["datasets=[ml-1m]", "models=popularity", "seeds=[5,6]"]
    grid = load_experiment("paper", settings, "narrow", CONFIG)
    assert [(r.dataset, r.model, r.seed) for r in grid.runs] == [
        ("ml-1m", "popularity", 5),
        ("ml-1m", "popularity", 6),
    ]
    bpr = load_experiment("paper", ["models=bpr-mf", "seeds=[7]"], "narrow", CONFIG)
    assert {run.seed for run in bpr.runs} == {7}


def test_every_run_of_a_grid_is_the_same_when_it_is_asked_for_alone(tmp_path: Path) -> None:
    named = {"name": "mine", "like": "gru4rec", "hyperparameters": {"layers": 2}}
    overrides = [{"models": ["mi*"], "training": {"patience": 3}}]
    grid = grid_of(tmp_path, models=["sasrec+N", named], negatives=[3], overrides=overrides)
    for run in grid.runs:
        assert load_run("mine", run.run, config=tmp_path / "config") == ("mine", run)


def test_a_run_outside_the_grid_is_resolved_as_the_experiment_would() -> None:
    _, inside = load_run("paper", Run("ml-20m", "sasrec+30", 0), config=CONFIG)
    assert inside in load_experiment("paper", config=CONFIG).runs
    _, outside = load_run("paper", Run("ml-20m", "sasrec+77", 3), config=CONFIG)
    assert outside.hyperparameters == inside.hyperparameters
    assert outside.loss is not None
    assert (outside.loss.negatives, outside.seed) == (77, 3)
    with pytest.raises(SeqrecError, match="did you mean 'sasrec"):
        load_run("paper", Run("ml-20m", "sasreck", 0), config=CONFIG)
    with pytest.raises(SeqrecError, match="did you mean 'ml-20m'"):
        load_run("paper", Run("ml20m", "sasrec", 0), config=CONFIG)


@pytest.mark.parametrize(
    ("model", "setting", "message"),
    [
        ("sasrec+", "negatives=100", "'negatives' is about a grid, and this is one run"),
        ("sasrec+", "seeds=[5]", "--seed"),
        ("sasrec+", "models=[bert4rec]", "'models' is about a grid"),
        ("bpr-mf", "training.learning_rate=0.5", "hyperparameters (factors, "),
        ("popularity", "loss={kind: cross-entropy}", "hyperparameters (none)"),
    ],
)
def test_a_setting_that_a_run_has_no_use_for_is_refused(
    model: str, setting: str, message: str
) -> None:
    with pytest.raises(SeqrecError, match=re.escape(setting)) as caught:
        load_run("demo", Run("demo", model, 0), [setting], "changed", CONFIG)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"models": [{"name": "fast", "like": "bpr-mf", "training": {"learning_rate": 0.5}}]},
        {"models": [{"name": "fast", "like": "bpr-mf", "loss": {"kind": "cross-entropy"}}]},
        {
            "models": [{"name": "fast", "like": "bpr-mf"}, "sasrec"],
            "overrides": [{"models": ["fast"], "training": {"learning_rate": 0.5}}],
        },
    ],
    ids=["training", "loss", "override"],
)
def test_training_values_aimed_at_a_model_that_fits_itself_are_refused(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(SeqrecError, match=r"fast: (training|loss): this model fits itself"):
        grid_of(tmp_path, **changes)


def test_yaml_is_read_as_people_mean_it() -> None:
    text = "a: &base {rate: 1e-3, size: 1E5, id: 12e, name: '1e3'}\nb: {<<: *base, rate: 2}"
    base = {"rate": 0.001, "size": 100000.0, "id": "12e", "name": "1e3"}
    assert parse_yaml(text, "here") == {"a": base, "b": {**base, "rate": 2}}


def test_settings_of_one_run_need_to_fit_that_run_alone() -> None:
    # Popularity, in the same experiment, has no width.
    settings = ["hyperparameters.hidden_size=32"]
    name, run = load_run("paper", Run("ml-1m", "sasrec+", 0), settings, "narrow", CONFIG)
    assert (name, run.hyperparameters["hidden_size"]) == ("narrow", 32)
    with pytest.raises(SeqrecError, match="its results need a name"):
        load_run("paper", Run("ml-1m", "sasrec+", 0), settings, None, CONFIG)
    with pytest.raises(SeqrecError, match="did you mean 'hidden_size'"):
        load_run("paper", Run("ml-1m", "sasrec+", 0), ["hyperparameters.hidensize=2"], "x", CONFIG)


# Speed of planning


def test_thousands_of_runs_are_planned_without_torch() -> None:
    code = """
import sys
from seqrec.experiment.grid import load_experiment
runs = load_experiment("paper", [f"seeds={list(range(50))}"], "many").runs
print(len(runs), len({run.hash() for run in runs}), "torch" in sys.modules)
"""
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["3000", "3000", "False"]

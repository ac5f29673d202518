"""Grids and searches: what is tried of each model, under which name, and mistakes are explained."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from shipped import copied_config

from seqrec.errors import SeqrecError
from seqrec.experiment.grid import Grid, load_experiment, load_run
from seqrec.experiment.schema import RunConfig
from seqrec.experiment.search import Search, draw
from seqrec.layout import Run
from seqrec.typed_yaml import FILE_NAME

RATES = {"training.learning_rate": {"log": [0.0001, 0.01]}}
SPACE: dict[str, Any] = {**RATES, "hyperparameters.dropout": [0.1, 0.3, 0.5]}


def grid_of(project: Path, *settings: str, **content: Any) -> Grid:
    """The grid of an experiment that is written beside the shipped ones."""
    config = project / "config"
    if not config.exists():
        copied_config(project)
    content = {"datasets": ["demo"], "models": ["sasrec+", "sasrec"]} | content
    (config / "mine.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return load_experiment("mine", settings, "changed" if settings else None, config)


def searched(project: Path, *settings: str, trials: int = 6, **content: Any) -> Grid:
    """The grid of an experiment that searches `space`, or `SPACE`."""
    keys = {key: content.pop(key) for key in ("space", "seed", "reseed") if key in content}
    return grid_of(project, *settings, search={"trials": trials, "space": SPACE} | keys, **content)


def message_of(project: Path, *settings: str, **content: Any) -> str:
    with pytest.raises(SeqrecError) as caught:
        grid_of(project, *settings, **content)
    return str(caught.value)


def rate(run: RunConfig) -> float:
    assert run.training
    return run.training.learning_rate


# Drawing


ranges = st.tuples(st.floats(1e-6, 1e3), st.floats(1.5, 1e4)).map(lambda r: [r[0], r[0] * r[1]])
lists = st.lists(st.integers(0, 50) | st.floats(0, 1) | st.text(max_size=3), min_size=1, max_size=4)
one_key = st.one_of(
    st.fixed_dictionaries({"log": ranges}),
    st.fixed_dictionaries({"linear": ranges}),
    lists.map(lambda values: {"values": list({repr(v): v for v in values}.values())}),
)
spaces = st.lists(one_key, min_size=1, max_size=5).map(
    lambda keys: (
        {"training.learning_rate": {"log": [1e-5, 1.0]}}
        | {f"hyperparameters.h{number}": key for number, key in enumerate(keys)}
    )
)


def search_of(space: dict[str, Any], trials: int = 2, seed: int = 0) -> Search:
    return Search.model_validate({"trials": trials, "seed": seed, "space": space})


@settings(max_examples=40, deadline=None)
@given(spaces, st.integers(0, 2**63 - 1), st.integers(0, 40), st.integers(0, 40))
def test_more_trials_keep_the_earlier_ones_and_none_is_drawn_twice(
    space: dict[str, Any], seed: int, few: int, more: int
) -> None:
    search = search_of(space, seed=seed)
    fewer, whole = (draw(search, [*space], {}, number) for number in (few, few + more))
    assert whole[:few] == fewer
    assert len(whole) == few + more
    assert len({repr(sorted(setting.items())) for setting in whole}) == len(whole)


@settings(max_examples=40, deadline=None)
@given(spaces, st.integers(0, 1000))
def test_every_value_is_of_its_list_or_within_its_range(space: dict[str, Any], seed: int) -> None:
    for setting in draw(search_of(space, seed=seed), [*space], {}, 20):
        for key, value in setting.items():
            if "values" in space[key]:
                assert value in space[key]["values"]
            else:
                ((low, high),) = space[key].values()
                assert low <= value <= high
                assert isinstance(value, float), "of a range whose ends are none"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["log", "linear"]))
def test_a_range_is_covered_evenly_on_its_scale(seed: int, scale: str) -> None:
    """Every sixteenth of 64 draws: four, in a sequence that is more even than chance."""
    low, high = 0.0001, 0.1
    search = search_of({"a.b": {scale: [low, high]}, "a.c": [1, 2]}, seed=seed)
    drawn = [setting["a.b"] for setting in draw(search, ["a.b", "a.c"], {}, 64)]
    if scale == "log":
        places = [math.log(value / low) / math.log(high / low) for value in drawn]
    else:
        places = [(value - low) / (high - low) for value in drawn]
    for sixteenth in range(16):
        found = sum(sixteenth / 16 <= place < (sixteenth + 1) / 16 for place in places)
        assert 2 <= found <= 6, "but for rounding, and for settings that repeat"


def test_each_value_of_a_list_comes_equally_often() -> None:
    search = search_of({**RATES, "a.b": ["x", "y", "z"]})
    drawn = [setting["a.b"] for setting in draw(search, [*search.space], {}, 300)]
    assert all(abs(drawn.count(value) - 100) <= 3 for value in "xyz")


def test_whole_numbers_are_drawn_where_the_models_own_value_is_one() -> None:
    search = search_of({"a.size": {"log": [16, 256]}, "a.rate": {"linear": [0, 1]}})
    drawn = draw(search, [*search.space], {"a.size": 64, "a.rate": 0.2}, 60)
    assert all(isinstance(setting["a.size"], int) for setting in drawn)
    assert all(isinstance(setting["a.rate"], float) for setting in drawn)
    ends = search_of({"a.layers": {"linear": [1, 3]}, **RATES})
    layers = [s["a.layers"] for s in draw(ends, [*ends.space], {"a.layers": 2}, 300)]
    assert all(abs(layers.count(number) - 100) <= 3 for number in (1, 2, 3)), "the ends, too"


def test_drawn_settings_are_those_of_today() -> None:
    """A change here, perhaps by another scipy, makes trials of searches under way anew."""
    drawn = draw(search_of(SPACE), [*SPACE], {}, 3)
    assert [[*setting.values()] for setting in drawn] == [
        [0.000661, 0.5],
        [0.00278, 0.1],
        [0.00645, 0.3],
    ]


# Trials as runs


def test_a_search_is_ordinary_runs_and_its_first_trial_is_the_models_own_setting(
    tmp_path: Path,
) -> None:
    grid = searched(tmp_path, models=["sasrec+", "sasrec"], training={"max_epochs": 7})
    assert [run.model for run in grid.runs][:7] == [
        *(f"sasrec+.t0{n}" for n in range(6)),
        "sasrec.t00",
    ]
    plain = {run.model: run for run in grid_of(tmp_path, models=["sasrec+", "sasrec"]).runs}
    for run in grid.runs:
        assert FILE_NAME.matches(run.model)
        assert run.training
        assert run.training.max_epochs == 7
        base = plain[grid.trials[run.model]]
        own = (rate(base), base.hyperparameters["dropout"])
        is_own = (rate(run), run.hyperparameters["dropout"]) == own
        assert is_own == run.model.endswith(".t00")
        others = {k: v for k, v in run.hyperparameters.items() if k != "dropout"}
        assert others.items() <= base.hyperparameters.items()
        assert run.loss == base.loss
    assert len({run.hash() for run in grid.runs}) == 12


def test_a_longer_search_keeps_every_trial_bit_for_bit(tmp_path: Path) -> None:
    few = searched(tmp_path, trials=5).runs
    more = {run.run: run.json() for run in searched(tmp_path, trials=40).runs}
    assert [more[run.run] for run in few] == [run.json() for run in few]


def test_all_models_with_the_same_keys_try_the_same_values_on_every_dataset(tmp_path: Path) -> None:
    grid = searched(tmp_path, models=["sasrec+", "bert4rec"], datasets=["demo", "ml-1m"])
    values = [
        (rate(run), run.hyperparameters["dropout"]) for run in grid.runs if "t00" not in run.model
    ]
    assert values[:5] == values[5:10] == values[10:15] == values[15:]


def test_another_seed_draws_other_trials(tmp_path: Path) -> None:
    rates = [{rate(run) for run in searched(tmp_path, seed=seed).runs} for seed in (0, 1)]
    assert rates[0] & rates[1] <= {0.001}


def test_a_trial_that_is_asked_for_alone_is_the_same_run(tmp_path: Path) -> None:
    grid = searched(tmp_path)
    for run in grid.runs:
        assert load_run("mine", run.run, config=tmp_path / "config") == ("mine", run)


def test_titles_say_what_a_trial_differs_in(tmp_path: Path) -> None:
    named = {"name": "mine", "like": "sasrec", "title": "My SASRec"}
    grid = searched(tmp_path, models=["sasrec+", named])
    assert grid.titles["sasrec+.t00"] == "SASRec+ t00 (its own setting)"
    assert grid.titles["sasrec+.t01"] == "SASRec+ t01 (learning rate 0.000661, dropout 0.5)"
    assert grid.titles["mine.t02"].startswith("My SASRec t02 (learning rate ")


def test_a_key_may_be_for_some_models_and_a_model_without_any_runs_once(tmp_path: Path) -> None:
    space = {
        "training.learning_rate": {"log": [0.0001, 0.01], "models": ["sasrec*"]},
        "hyperparameters.factors": {"log": [16, 128], "models": ["bpr-mf"]},
        "loss.negatives": {"values": [100, 300], "models": ["sasrec+N"]},
    }
    grid = searched(tmp_path, models=["popularity", "bpr-mf", "sasrec", "sasrec+N"], space=space)
    assert [run.model for run in grid.runs].count("popularity") == 1
    assert "popularity" not in grid.trials
    assert all(16 <= r.hyperparameters["factors"] <= 128 for r in grid.runs if "bpr" in r.model)
    negatives = [r.loss.negatives for r in grid.runs if r.loss and "+N" in r.model]
    assert negatives[0] == 100, "the first of the list, as the entry has none of its own"
    assert set(negatives) == {100, 300}
    assert grid.titles["sasrec+N.t00"] == "SASRec+ N t00 (negatives 100)"


def test_each_split_is_searched_by_the_same_trials(tmp_path: Path) -> None:
    splits = {"loo": {}, "late": {"kind": "global-temporal"}}
    grid = searched(tmp_path, models=["sasrec+"], splits=splits, reseed=1, trials=3)
    assert grid.tasks == ["demo@loo", "demo@late"]
    rates = [rate(run) for run in grid.runs]
    assert rates[:3] == rates[3:]
    assert [run.task for run in grid.tuned] == grid.tasks


def test_chosen_settings_run_with_seeds_that_no_trial_has(tmp_path: Path) -> None:
    overrides = [{"models": ["sasrec"], "seeds": [4, 1]}]
    grid = searched(tmp_path, reseed=3, overrides=overrides)
    assert [*grid.tuned] == [
        *(Run("demo", "sasrec+.tuned", seed) for seed in (1, 2, 3)),
        *(Run("demo", "sasrec.tuned", seed) for seed in (0, 2, 3)),
    ]
    with pytest.raises(SeqrecError, match="its setting is chosen when all trials of sasrec have"):
        load_run("mine", grid.tuned[-1], config=tmp_path / "config")


# Grids


def test_a_grid_is_every_combination_in_the_order_of_the_file(tmp_path: Path) -> None:
    grid = grid_of(
        tmp_path,
        models=["gru4rec", "sasrec+"],
        grid={
            "training.learning_rate": [0.001, 0.0001],
            "hyperparameters.blocks": {"values": [3, 1], "models": ["sasrec+"]},
        },
    )
    assert [run.model for run in grid.runs] == [
        "gru4rec_learning-rate-0.001",
        "gru4rec_learning-rate-0.0001",
        "sasrec+_learning-rate-0.001_blocks-3",
        "sasrec+_learning-rate-0.001_blocks-1",
        "sasrec+_learning-rate-0.0001_blocks-3",
        "sasrec+_learning-rate-0.0001_blocks-1",
    ]
    assert grid.titles["sasrec+_learning-rate-0.001_blocks-3"] == (
        "SASRec+ (learning rate 0.001, blocks 3)"
    )
    last = grid.runs[-1]
    assert (rate(last), last.hyperparameters["blocks"]) == (0.0001, 1)
    assert not grid.trials


def test_keys_of_one_name_keep_their_sections(tmp_path: Path) -> None:
    grid = grid_of(
        tmp_path,
        models=["sasrec+"],
        grid={"training.batch_size": [64], "max_length": [10, 20], "loss.kind": ["cross-entropy"]},
    )
    names = [run.model for run in grid.runs]
    assert names[0] == "sasrec+_batch-size-64_max-length-10_kind-cross-entropy"
    assert [run.max_length for run in grid.runs] == [10, 20]


# Mistakes


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (
            {"hyperparameters.block": [1, 2]},
            "search.space: sasrec+ has no 'hyperparameters.block'; did you mean "
            "'hyperparameters.blocks'?",
        ),
        (
            {"dropout": [0.1]},
            "search.space: sasrec+ has no 'dropout'; did you mean 'hyperparameters.dropout'? If it "
            "is meant for other models, name them, as in dropout: {models: [",
        ),
        ({"training.learning_rat": [0.1]}, "did you mean 'training.learning_rate'?"),
        ({"loss.negatives": [1]}, "sasrec+ draws no negatives, as its loss is cross-entropy."),
        ({"evaluation.batch_size": [1]}, "sasrec+ has no 'evaluation.batch_size'"),
        (
            {"training.learning_rate": {"values": [1], "models": ["sasrek+"]}},
            "search.space.training.learning_rate.models: 'sasrek+' is no model of this experiment; "
            "did you mean 'sasrec+'?",
        ),
        (
            {"training.learning_rate": [0.1]},
            "search.trials: sasrec+: the space has no more than 1 setting beside the model's own, "
            "so write 'trials: 2', or a wider space.",
        ),
        (
            {"training.learning_rate": {"log": [0.1, 0.01]}},
            "write the lower end first, as in [0.01",
        ),
        ({"training.learning_rate": {"log": [0, 1]}}, "log: must begin above 0 (got 0)"),
        ({"training.learning_rate": {"linear": [-1e308, 1e308]}}, "is too wide for the numbers"),
        ({"training.learning_rate": {"log": [0.1]}}, "search.space.training.learning_rate.log"),
        ({"training.learning_rate": {"lag": [0.1, 1]}}, "unknown key 'lag'; did you mean 'log'?"),
        ({"training.learning_rate": {}}, "write one of values: [a, b], log: [low, high], linear"),
        ({"training.learning_rate": 3}, "learning_rate: write a list of values, as in [0.1, 0.3]"),
        ({"training.learning_rate": {"values": [1], "models": []}}, "models: must not be empty"),
        ({"training.learning_rate": []}, "search.space.training.learning_rate: must not be empty"),
        ({"training.learning_rate": [1, 1]}, "1 is listed twice"),
        ({"training.learning_rate": [0.1, -0.1]}, "training.learning_rate: must be greater than 0"),
        ({"hyperparameters.dropout": [0.1, "much"]}, "hyperparameters: dropout: "),
        ({}, "search.space: must not be empty"),
    ],
)
def test_a_mistake_in_a_search_is_told_with_its_place(
    tmp_path: Path, space: dict[str, Any], said: str
) -> None:
    message = message_of(tmp_path, search={"trials": 3, "space": space})
    assert str(tmp_path / "config/mine.yaml") in message
    assert said in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"search": {"space": SPACE}}, "search.trials: is missing"),
        ({"search": {"trials": 0, "space": SPACE}}, "search.trials: must be at least 1"),
        ({"search": {"trials": 2, "space": SPACE, "reseed": 0}}, "search.reseed: must be greater"),
        (
            {"search": {"trials": 2, "space": SPACE, "reseed": 10**12}},
            "reseed: must be at most 1000",
        ),
        ({"search": {"trials": 2, "spaces": SPACE}}, "unknown key 'spaces'; did you mean 'space'?"),
        (
            {"search": {"trials": 2, "space": SPACE}, "grid": {"training.batch_size": [1]}},
            "give 'grid' for every combination or 'search' for trials, not both",
        ),
        ({"grid": RATES}, "a grid needs a list of values; ranges are for 'search'"),
        (
            {"grid": {f"training.{key}": [*range(1, 301)] for key in ("patience", "max_epochs")}},
            "grid: sasrec+: 90,000 combinations are more than 10,000; list fewer values.",
        ),
        ({"grid": {"training.rate": [1]}}, "grid: sasrec+ has no 'training.rate'; did you mean"),
        (
            {"models": ["sasrec+N"], "search": {"trials": 2, "space": SPACE}},
            "sasrec+N needs 'negatives: [...]' to fill N",
        ),
        (
            {"models": ["sasrec+"], "grid": {"training.patience": [1, "1"]}},
            "two settings of sasrec+ would both be named sasrec+_patience-1",
        ),
    ],
)
def test_what_is_tried_is_one_thing_and_whole(
    tmp_path: Path, content: dict[str, Any], said: str
) -> None:
    assert said in message_of(tmp_path, **content)


def test_a_setting_of_what_is_tried_is_refused_and_others_reach_every_trial(tmp_path: Path) -> None:
    with pytest.raises(SeqrecError, match="tries values of this itself"):
        searched(tmp_path, "training.learning_rate=0.1")
    grid = searched(tmp_path, "training.max_epochs=2", "models=[sasrec+]")
    assert {run.training.max_epochs for run in grid.runs if run.training} == {2}
    assert len(grid.runs) == 6


def test_a_search_may_be_narrowed_and_extended_by_settings(tmp_path: Path) -> None:
    space = {**RATES, "hyperparameters.factors": {"values": [8, 16, 32], "models": ["bpr-mf"]}}
    space["training.learning_rate"] = {"log": [0.0001, 0.01], "models": ["sasrec+"]}
    content = {"models": ["sasrec+", "bpr-mf"], "space": space, "trials": 3}
    whole = [run.json() for run in searched(tmp_path, **content).runs]
    narrow = searched(tmp_path, "models=[sasrec+]", **content)
    assert [run.json() for run in narrow.runs] == whole[:3]
    longer = searched(tmp_path, "search.trials=5", "models=[sasrec+]", **content)
    assert [run.json() for run in longer.runs][:3] == whole[:3]
    assert len(longer.runs) == 5
    assert len(searched(tmp_path, "search.reseed=2", **content).tuned) == 4
    for setting, said in (
        ("search.trial=5", "unknown key 'search.trial'; did you mean 'search.trials'?"),
        ("search.space={}", "unknown key 'search.space'"),
        ("search.trials=none", "search.trials: must be a whole number"),
    ):
        with pytest.raises(SeqrecError) as caught:
            searched(tmp_path, setting, **content)
        assert said in str(caught.value)
    with pytest.raises(SeqrecError, match=r"search\.space: is missing"):
        grid_of(tmp_path, "search.trials=5")


def test_overrides_name_models_as_the_file_does(tmp_path: Path) -> None:
    grid = searched(tmp_path, overrides=[{"models": ["sasrec+"], "training": {"patience": 3}}])
    patience = {grid.trials[run.model]: run.training.patience for run in grid.runs if run.training}
    assert patience == {"sasrec+": 3, "sasrec": 10}

"""Splits in experiments: one for all runs, several by name, overridden, and on the command line."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from shipped import copied_config
from small_runs import small_config

from seqrec.errors import SeqrecError
from seqrec.experiment.grid import Grid, load_experiment, load_run
from seqrec.experiment.schema import RunConfig, RunSplit, SplitRule
from seqrec.experiment.settings import split_rule
from seqrec.layout import Run
from seqrec.typed_yaml import parse_yaml

TEMPORAL = {"kind": "global-temporal", "quantile": 0.8, "target": "first"}
FULL = {**TEMPORAL, "validation": "by-time", "refit": False, "seen": "drop"}


def experiment(tmp_path: Path, settings: list[str] | None = None, **content: Any) -> Grid:
    config = copied_config(tmp_path)
    values = {"datasets": ["ml-1m", "beauty"], "models": ["sasrec+", "popularity"], **content}
    (config / "mine.yaml").write_text(yaml.safe_dump(values))
    return load_experiment("mine", settings or [], "renamed" if settings else None, config)


def test_leave_one_out_is_the_default_and_no_key_of_a_configuration(tmp_path: Path) -> None:
    plain = experiment(tmp_path / "a")
    spelt = experiment(tmp_path / "b", split={"kind": "leave-one-out"})
    assert [run.json() for run in plain.runs] == [run.json() for run in spelt.runs]
    assert all("split" not in run.model_dump() for run in plain.runs)
    assert plain.tasks == plain.datasets == ["ml-1m", "beauty"]


@pytest.mark.parametrize("changes", [{"refit": True}, {"seen": "keep"}, TEMPORAL, {"name": "x"}])
def test_any_other_split_is_part_of_the_configuration(changes: dict[str, Any]) -> None:
    config = small_config(split=changes)
    assert config.hash() != small_config().hash()
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config
    assert config.model_dump()["split"].items() >= changes.items()


def test_one_split_serves_all_runs_and_overrides_change_it(tmp_path: Path) -> None:
    grid = experiment(
        tmp_path,
        split=TEMPORAL,
        overrides=[
            {"datasets": ["beauty"], "split": {"target": "successive", "at": date(2014, 5, 1)}}
        ],
    )
    of_dataset = {run.dataset: run.split.written() for run in grid.runs}
    assert of_dataset["ml-1m"] == FULL
    assert of_dataset["beauty"] == FULL | {"target": "successive", "at": "2014-05-01"}
    assert grid.tasks == ["ml-1m", "beauty"]


def test_a_kind_in_an_override_begins_a_split_of_its_own(tmp_path: Path) -> None:
    whole = {"datasets": ["beauty"], "split": {"kind": "leave-one-out"}}
    grid = experiment(tmp_path, split=TEMPORAL, overrides=[whole])
    assert {run.dataset for run in grid.runs if run.split == RunSplit()} == {"beauty"}


def test_splits_by_name_are_an_axis_beside_datasets_models_and_seeds(tmp_path: Path) -> None:
    grid = experiment(tmp_path, splits={"loo": {"kind": "leave-one-out"}, "time": TEMPORAL})
    assert grid.tasks == ["ml-1m@loo", "ml-1m@time", "beauty@loo", "beauty@time"]
    assert grid.datasets == ["ml-1m", "beauty"]
    assert len({run.hash() for run in grid.runs}) == len(grid.runs) == 8
    run = next(run for run in grid.runs if run.run == Run("beauty@time", "sasrec+", 0))
    assert run.split.written() == FULL | {"name": "time"}
    assert (run.run.dataset, run.run.split) == ("beauty", "time")


def test_settings_change_the_split_of_every_run(tmp_path: Path) -> None:
    settings = ["split.kind=global-temporal", "split.at=2014-05-01", "split.seen=keep"]
    grid = experiment(tmp_path, settings)
    changes = {"quantile": 0.9, "target": "last", "at": "2014-05-01", "seen": "keep"}
    assert all(run.split.written() == FULL | changes for run in grid.runs)


def test_settings_replace_or_add_to_splits_by_name(tmp_path: Path) -> None:
    splits = {"loo": {"kind": "leave-one-out"}, "time": TEMPORAL}
    grid = experiment(tmp_path / "a", ["split.seen=keep"], splits=splits)
    assert {run.split.seen for run in grid.runs} == {"keep"}
    assert {run.split.kind for run in grid.runs} == {"leave-one-out", "global-temporal"}
    grid = experiment(tmp_path / "b", ["splits={late: {kind: global-temporal}}"], splits=splits)
    assert grid.tasks == ["ml-1m@late", "beauty@late"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"split": TEMPORAL, "splits": {"x": TEMPORAL}}, "'split' .* or 'splits' .*not both"),
        ({"split": {"quantile": 0.9}}, "leave-one-out has no quantile; add kind: global-temporal"),
        ({"split": {"kind": "temporal"}}, "did you mean 'global-temporal'"),
        (
            {"split": {"kind": "global-temporal", "quantile": 1}},
            "split.quantile: must be less than 1",
        ),
        (
            {"splits": {"x": {"kind": "global-temporal", "quantile": 0}}},
            "splits.x.quantile: must be greater than 0",
        ),
        ({"split": {"kind": "global-temporal", "at": "may"}}, "split.at: write a date, such as"),
        ({"split": {"kind": "global-temporal", "at": 2014}}, "2014 is a number of seconds; write"),
        ({"split": {"kind": "global-temporal", "at": 20140501}}, "write a date as 2014-05-01"),
        (
            {"split": {"kind": "global-temporal", "at": "9999-12-31T23:59:59-10:00"}},
            "split.at: write a date, such as",
        ),
        ({"splits": {"a/b": TEMPORAL}}, "splits.*letter"),
        ({"splits": {"a@b": TEMPORAL}}, "splits.*letter"),
        ({"splits": {"x": TEMPORAL, "y": TEMPORAL}}, "ml-1m@x and ml-1m@y are one split"),
        (
            {"overrides": [{"models": ["sasrec+"], "split": {"seen": "keep"}}]},
            "ml-1m: its models differ in their split",
        ),
        (
            {"split": {**TEMPORAL, "target": "all"}, "evaluation": {"sampled_negatives": 5}},
            "sampled_negatives.*target",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, content: dict[str, Any], message: str
) -> None:
    with pytest.raises(SeqrecError, match=message):
        experiment(tmp_path, **content)


def test_a_run_of_an_experiment_with_several_splits_names_one(tmp_path: Path) -> None:
    experiment(tmp_path, splits={"loo": {}, "time": TEMPORAL})
    config = tmp_path / "config"
    _, run = load_run("mine", Run("ml-1m@time", "sasrec+", 3), config=config)
    assert run.split.name == "time"
    for task, message in (
        ("ml-1m", "several splits; name one, as in ml-1m@loo"),
        ("ml-1m@tim", "did you mean 'time'"),
    ):
        with pytest.raises(SeqrecError, match=message):
            load_run("mine", Run(task, "sasrec+", 3), config=config)
    for split in ("time", ""):
        with pytest.raises(SeqrecError, match=f"splits: no '{split}'; write ml-1m"):
            load_run("demo", Run(f"ml-1m@{split}", "sasrec+", 3), config=config)


@given(st.datetimes(datetime(1974, 1, 1), datetime(2100, 1, 1)))
def test_a_moment_is_the_same_however_it_is_written(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    elsewhere = moment.astimezone(timezone(timedelta(hours=5, minutes=30)))
    values = [int(moment.timestamp()), moment, elsewhere, elsewhere.isoformat(), moment.isoformat()]
    values += [moment.replace(tzinfo=None), parse_yaml(f"{moment:%Y-%m-%d %H:%M:%S}", "")]
    rules = {SplitRule(kind="global-temporal", at=value).model_dump_json() for value in values}  # type: ignore[arg-type]
    assert len(rules) == 1
    assert SplitRule.model_validate_json(rules.pop()).cut == moment.timestamp()


def test_a_date_is_its_first_moment() -> None:
    for text in ("2014-05-01", "2014-05-01T00:00:00", "2014-05-01T02:00:00+02:00", "1398902400"):
        rule = split_rule(["split.kind=global-temporal", f"split.at={text}"])
        assert (rule.at, rule.cut) == ("2014-05-01", 1398902400)


def test_other_settings_than_the_splits_are_refused_where_only_it_matters() -> None:
    with pytest.raises(SeqrecError, match="only the split matters here"):
        split_rule(["training.patience=3"])

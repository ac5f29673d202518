"""Hyperparameters are what a constructor takes, checked by its annotations."""

import inspect
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import Field
from shipped import copied_config
from small_runs import ROOT

from seqrec.errors import SeqrecError
from seqrec.experiment.grid import load_run
from seqrec.experiment.hyperparameters import Hyperparameters
from seqrec.experiment.parameters import Divides, PositiveInt, Probability
from seqrec.layout import Run
from seqrec.models import Network

CONFIG = ROOT / "config"


class OpenEnded(Network):
    def __init__(self, num_items: int, max_length: int, *rest: int, warm: float = 1.0, **more: int):
        raise NotImplementedError


class Unstorable(Network):
    def __init__(self, num_items: int, max_length: int, act: type = dict):
        raise NotImplementedError


class Checked(Network):
    def __init__(
        self,
        num_items: int,
        max_length: int,
        width: PositiveInt = 8,
        heads: Annotated[int, Divides("width")] = 1,
        dropout: Probability = 0,
        scale: Annotated[float, Field(lt=2)] = 1.0,
        anything: Any = None,
    ):
        raise NotImplementedError


class Unknown(Network):
    def __init__(self, num_items: int, max_length: int, width: "Missing" = 8):  # type: ignore[name-defined]  # noqa: F821
        raise NotImplementedError


def hyperparameters(project: Path, model: type, **given: Any) -> dict[str, Any]:
    """The hyperparameters of a custom model, read as for its run."""
    config = project / "config"
    if not config.exists():
        copied_config(project)
    entry = {
        "implementation": f"{__name__}:{model.__name__}",
        "loss": {"kind": "cross-entropy"},
        "hyperparameters": given,
    }
    (config / "models/custom.yaml").write_text(yaml.safe_dump(entry))
    return load_run("demo", Run("demo", "custom", 0), config=config)[1].hyperparameters


def test_hyperparameters_of_custom_models_are_what_their_signature_takes(tmp_path: Path) -> None:
    assert hyperparameters(tmp_path, OpenEnded) == {"warm": 1.0}
    assert hyperparameters(tmp_path, OpenEnded, other=1) == {"warm": 1.0, "other": 1}
    assert hyperparameters(tmp_path, Unknown, width="any") == {"width": "any"}
    with pytest.raises(SeqrecError, match=r"act: a record cannot hold <class 'dict'>; write a fi"):
        hyperparameters(tmp_path, Unstorable)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"width": 0}, "width: must be greater than 0 (got 0)."),
        ({"width": 9, "heads": 2}, "width 9 is not a multiple of heads 2."),
        ({"heads": 0}, "width 8 is not a multiple of heads 0."),
        ({"dropout": 1.0}, "dropout: must be less than 1 (got 1.0)."),
        ({"scale": 2.5}, "scale: must be less than 2 (got 2.5)."),
        ({"width": 8.0}, "width: must be a whole number (got 8.0)."),
        ({"anything": float("nan")}, "anything: a record cannot hold nan; write a finite number"),
    ],
)
def test_a_custom_model_annotates_like_a_built_in_one(
    tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(SeqrecError) as caught:
        hyperparameters(tmp_path, Checked, **given)
    assert f"custom.yaml: hyperparameters: {message}" in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    def constructor(num_items: int, max_length: int, width: PositiveInt, depth: int = 1) -> None:
        pass

    schema = Hyperparameters("a.b:C", inspect.signature(constructor))
    with pytest.raises(SeqrecError) as caught:
        schema.resolve({"depht": 1, "depth": "two"}, "here")
    assert str(caught.value).splitlines() == [
        "here: hyperparameters: a.b:C takes no 'depht'; did you mean 'depth'?",
        "here: hyperparameters: a.b:C needs 'width'.",
        "here: hyperparameters: depth: must be a whole number (got 'two').",
    ]


def test_values_of_built_in_models_are_converted_and_those_of_custom_ones_are_kept(
    tmp_path: Path,
) -> None:
    custom = hyperparameters(tmp_path, Checked, dropout=0, scale=1)
    assert [repr(custom[name]) for name in ("dropout", "scale")] == ["0", "1"]
    settings = ["hyperparameters.dropout=0", "hyperparameters.hidden_size=32.0"]
    _, run = load_run("demo", Run("demo", "sasrec+", 0), settings, "changed", CONFIG)
    built_in = run.hyperparameters
    assert [repr(built_in[name]) for name in ("dropout", "hidden_size")] == ["0.0", "32"]

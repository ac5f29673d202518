"""The network that reads times, as the tutorial shows it, is one that is accepted and trained."""

import sys
from pathlib import Path

import pytest
import torch
from documentation import shown_files
from small_runs import preprocessed_log, simulated_log, small_config, timed, timed_in

from seqrec.errors import SeqrecError
from seqrec.experiment.schema import RunConfig
from seqrec.running.options import EngineOptions
from seqrec.running.run import run
from seqrec.training.arithmetic import Engine
from seqrec.training.beginning import begin_run


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    (tmp_path / "my_gaps.py").write_text(shown_files()["my_gaps.py"], encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_gaps", raising=False)
    changes = {"implementation": "my_gaps:GapRec", "hyperparameters": {"hidden_size": 8}}
    return small_config("gru4rec").model_copy(update=changes)


def test_it_is_checked_and_trained(config: RunConfig, tmp_path: Path) -> None:
    data = timed_in(preprocessed_log(tmp_path / "data"))
    record = run(config, data, tmp_path / "run", EngineOptions("cpu", 1, "float32"))
    assert record.epochs == 2


def test_it_needs_a_log_with_times(config: RunConfig) -> None:
    engine = Engine(torch.device("cpu"))
    with pytest.raises(SeqrecError, match="has no times"):
        begin_run(config, simulated_log(), engine)
    begin_run(config, timed(simulated_log()), engine)

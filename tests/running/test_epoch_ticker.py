"""Progress within an epoch is shown on a terminal and nowhere else."""

import io
import time

import pytest
import torch
from small_runs import simulated_log, small_config

from seqrec.protocol.splits import leave_one_out
from seqrec.running import epoch_ticker
from seqrec.running.epoch_ticker import CLEAR_LINE, ticking
from seqrec.training.arithmetic import Engine
from seqrec.training.building import seeded_model
from seqrec.training.loop import Trainer


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    """A trainer after one step of its first epoch."""
    monkeypatch.setattr(epoch_ticker, "TICK_SECONDS", 0.01)
    config, log = small_config(), simulated_log()
    model = seeded_model(config, log.num_items)
    trainer = Trainer(model, leave_one_out(log), config, Engine(torch.device("cpu")))  # type: ignore[arg-type]
    trainer.begin_epoch()
    trainer.step()
    return trainer


def waited_for(text: str, terminal: io.StringIO) -> None:
    until = time.monotonic() + 20
    while text not in terminal.getvalue():
        assert time.monotonic() < until, terminal.getvalue()
        time.sleep(0.01)


def test_a_terminal_shows_how_far_the_epoch_is_and_makes_room_for_other_lines(
    trainer: Trainer,
) -> None:
    terminal = Terminal()
    with ticking(trainer, terminal) as ticker:
        waited_for("epoch   1  32 of 120 users", terminal)
        while trainer.users_left:
            trainer.step()
        waited_for("epoch   1  validating", terminal)
        with trainer.clock():
            trainer.end_epoch()
        ticker.clear()
        assert terminal.getvalue().endswith(CLEAR_LINE)
        length = len(terminal.getvalue())
        time.sleep(0.1)
        assert len(terminal.getvalue()) == length  # nothing is shown between epochs
    assert terminal.getvalue().endswith(CLEAR_LINE)


def test_a_log_file_gets_nothing(trainer: Trainer) -> None:
    log = io.StringIO()
    with ticking(trainer, log):
        time.sleep(0.1)
    assert log.getvalue() == ""

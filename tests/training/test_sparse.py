"""Gradients of the items that a step reads, and an Adam that passes over the others."""

import io
from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from small_runs import simulated_log, small_config, without_dropout
from test_loop import CPU, network_of, same

from seqrec.errors import SeqrecError
from seqrec.experiment.schema import RunConfig
from seqrec.protocol.splits import leave_one_out
from seqrec.training.arithmetic import Engine
from seqrec.training.loop import Trainer, train

SPLITS = leave_one_out(simulated_log(items=200))
LOSS = {"kind": "sampled-cross-entropy", "negatives": 4}


def trainer_of(
    sparse: bool = True, implementation: str = "sasrec", engine: Engine = CPU, **loss: Any
) -> Trainer:
    plain = small_config(implementation, hyperparameters=without_dropout(implementation))
    training = {"batch_size": 8, "max_epochs": 3, "learning_rate": 0.01, "sparse": sparse}
    changes = {"loss": LOSS | loss, "training": training}
    config = RunConfig.model_validate(plain.model_dump() | changes)
    return Trainer(network_of(config, SPLITS), SPLITS, config, engine)


@pytest.mark.parametrize("implementation", ["sasrec", "bert4rec", "gru4rec"])
@pytest.mark.parametrize("sharing", ["sequence", "position"])
def test_gradients_are_the_same_and_have_rows_for_the_items_read(
    implementation: str, sharing: str
) -> None:
    gradients = []
    for sparse in (False, True):
        trainer = trainer_of(sparse, implementation, sharing=sharing)
        trainer.begin_epoch()
        trainer.step()
        gradients.append({name: each.grad for name, each in trainer.network.named_parameters()})
    dense, lazy = gradients
    table = lazy["items.weight"]
    assert table is not None
    assert table.is_sparse
    assert len(table.coalesce().indices()[0]) < len(table)
    for name, gradient in dense.items():
        found = lazy[name]
        assert found is not None
        torch.testing.assert_close(found.to_dense(), gradient, rtol=1e-4, atol=1e-6)


def test_a_later_step_moves_the_items_that_it_reads_and_no_others() -> None:
    trainer = trainer_of()
    trainer.begin_epoch()
    for _ in range(3):
        trainer.step()
    before = trainer.network.items.weight.detach().clone()
    trainer.step()
    gradient = trainer.network.items.weight.grad
    assert gradient is not None
    read = torch.zeros(len(before), dtype=torch.bool)
    read[gradient.coalesce().indices()[0]] = True
    moved = (trainer.network.items.weight != before).any(1)
    assert not bool((moved & ~read).any())
    assert int(moved.sum()) > 20
    assert int((~read).sum()) > 20


def test_it_learns() -> None:
    dense, lazy = ([each.training_loss for each in train(trainer_of(s))] for s in (False, True))
    assert lazy[-1] < 0.97 * lazy[0]
    assert lazy[-1] == pytest.approx(dense[-1], rel=0.2)


def test_a_stopped_training_goes_on_to_the_same_bits() -> None:
    whole = trainer_of()
    for _ in train(whole):
        pass
    stopped = trainer_of()
    stopped.begin_epoch()
    for _ in range(7):
        stopped.step()
    file = io.BytesIO()
    torch.save(stopped.snapshot(), file)
    file.seek(0)
    going_on = trainer_of()
    going_on.restore(torch.load(file, weights_only=True))
    for _ in train(going_on):
        pass
    assert same(going_on.network.state_dict(), whole.network.state_dict())


def test_a_table_that_is_computed_from_all_items_is_refused() -> None:
    with pytest.raises(SeqrecError, match=r"training\.sparse: HSTU scores items by another table"):
        trainer_of(implementation="hstu")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": {"kind": "cross-entropy"}}, r"training\.sparse needs a loss with negatives"),
        ({"training": {"sparse": True, "weight_decay": 0.1}}, "leave these out"),
        ({"training": {"sparse": True, "gradient_clipping": 1.0}}, "leave these out"),
    ],
)
def test_what_has_a_gradient_for_every_item_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    values = {"loss": LOSS, "training": {"sparse": True}} | changes
    with pytest.raises(ValidationError, match=message):
        RunConfig.model_validate(small_config().model_dump() | values)


def test_it_is_not_compiled() -> None:
    with pytest.raises(SeqrecError, match="cannot be compiled"):
        trainer_of(engine=replace(CPU, compile=True))

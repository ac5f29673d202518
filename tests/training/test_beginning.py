"""A run begins in one place, whatever the process did before."""

import numpy as np
import pytest
import torch
from small_runs import NETWORKS, simulated_log, small_config

from seqrec.errors import SeqrecError
from seqrec.models import Fitted, Network
from seqrec.protocol.splits import leave_one_out
from seqrec.training.arithmetic import Engine
from seqrec.training.beginning import begin_run

CPU = Engine(torch.device("cpu"))
LOG = simulated_log()


@pytest.mark.parametrize("implementation", NETWORKS)
def test_weights_and_the_stream_of_dropout_come_from_the_runs_seed_alone(
    implementation: str,
) -> None:
    begun = []
    for seed in (5, 5, 6):
        torch.rand(7)
        _, model = begin_run(small_config(implementation, seed=seed), LOG, CPU)
        assert isinstance(model, Network)
        begun.append((torch.cat([w.flatten() for w in model.state_dict().values()]), torch.rand(9)))
    for one, again, other in zip(*begun, strict=True):
        assert torch.equal(one, again)
        assert not torch.equal(one, other)


def test_the_model_is_split_for_and_built_on_the_device() -> None:
    splits, model = begin_run(small_config("popularity"), LOG, CPU)
    assert isinstance(model, Fitted)
    everyone = np.arange(LOG.num_users)
    parts = zip(vars(splits).values(), vars(leave_one_out(LOG)).values(), strict=True)
    for part, expected in parts:
        assert all(map(np.array_equal, part.bounds(everyone), expected.bounds(everyone)))
    _, model = begin_run(small_config(), LOG, Engine(torch.device("meta")))
    assert isinstance(model, Network)
    assert {weight.device.type for weight in model.parameters()} == {"meta"}


def test_the_arithmetic_is_set_whatever_it_was() -> None:
    torch.backends.cudnn.allow_tf32 = True
    for precision, onednn in (("bfloat16", True), ("float32", False), ("bfloat16", True)):
        begin_run(small_config(), LOG, Engine(CPU.device, precision))  # type: ignore[arg-type]
        assert torch.backends.mkldnn.enabled == onednn
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.allow_tf32


def test_too_many_sampled_items_are_refused() -> None:
    with pytest.raises(SeqrecError, match="Ask for at most"):
        begin_run(small_config(evaluation={"sampled_negatives": 3000}), LOG, CPU)

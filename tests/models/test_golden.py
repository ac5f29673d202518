"""The networks and losses compute what the paper's own implementation computed.

`tests/golden_networks.py` says where the tensors are read from.
"""

import pytest
from golden_networks import BUILDERS, STEPS, prediction, shortcut, step_differences

from seqrec.training import losses

pytestmark = pytest.mark.golden


@pytest.mark.parametrize("logits_per_chunk", [1, 150, losses.LOGITS_PER_CHUNK])
@pytest.mark.parametrize("file", STEPS)
def test_one_training_step_has_the_reference_loss_and_gradients(
    file: str, logits_per_chunk: int
) -> None:
    loss, gradients = step_differences(file, logits_per_chunk)
    assert loss < 1e-5
    assert gradients < 1e-4


@pytest.mark.parametrize("family", list(BUILDERS))
def test_one_prediction_step_has_the_reference_logits_and_ranks(family: str) -> None:
    logits, same_ranks = prediction(family)
    assert logits < 1e-5
    assert same_ranks


@pytest.mark.parametrize("family", list(BUILDERS))
def test_the_shortcut_of_evaluation_has_the_reference_ranks_too(family: str) -> None:
    scores, same_ranks = shortcut(family)
    assert scores < 1e-5
    assert same_ranks

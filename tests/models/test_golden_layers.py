"""The layers of LiGR and HSTU compute what RecTools computes.

`tests/golden_blocks.py` says where the tensors are read from.
"""

import pytest
from golden_blocks import LIGR, STU, layer_differences, shortcut_difference

pytestmark = pytest.mark.golden


@pytest.mark.parametrize("file", [*LIGR, *STU])
def test_a_layer_has_the_reference_outputs_and_gradients(file: str) -> None:
    outputs, gradients = layer_differences(file)
    assert outputs < 1e-5
    assert gradients < 1e-4


@pytest.mark.parametrize("file", [*LIGR, *STU])
def test_the_shortcut_of_evaluation_has_the_reference_outputs_too(file: str) -> None:
    assert shortcut_difference(file) < 1e-5

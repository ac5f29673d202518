"""The precisions that a run may compute in. Nothing here imports torch."""

from typing import Literal

Precision = Literal["float32", "bfloat16"]
"""Precision of the loss's matrix products; on a GPU, of the whole training step."""

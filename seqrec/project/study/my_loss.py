"""A loss of this study: config/models/average.yaml names it."""

import torch.nn.functional as F
from torch import Tensor


def margin(target: Tensor, negatives: Tensor, margin: float = 0.5) -> Tensor:
    """Hinge loss: each target [positions] before its negatives [positions, N] by a margin."""
    return F.relu(margin - target[:, None] + negatives).mean(1)

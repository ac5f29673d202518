"""The built-in losses as formulas of logits, in plain torch; a loss of your own looks the same.

A sampled loss takes the logits of the targets `[positions]` and of their negatives
`[positions, N]`; a loss over all items takes logits `[positions, rows]` and each target's row,
`[positions]`. Both give one loss for each position, which must depend on that position's logits
alone: a formula sees a chunk of the positions at a time. Its parameters follow by name;
`num_items` is the number of items of the dataset.

The function of the loss `bpr-max` is `bpr_max`. Signatures are read without running this file, so
defaults are literals and annotations are types of `seqrec.experiment.parameters`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.experiment.parameters import NonNegativeFloat, Share


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Compute the cross-entropy over all rows of the item table (SASRec+, BERT4Rec, GRU4Rec)."""
    return F.cross_entropy(logits, target, reduction="none")


def sampled_cross_entropy(target: Tensor, negatives: Tensor) -> Tensor:
    """Compute the cross-entropy of the target against its negatives (SASRec+ N)."""
    return torch.logaddexp(target, negatives.logsumexp(1)) - target


def binary_cross_entropy(target: Tensor, negatives: Tensor) -> Tensor:
    """Average a binary decision for the target and for each negative (the original SASRec)."""
    return _decisions(target, negatives, 1.0)


def gbce(target: Tensor, negatives: Tensor, num_items: int, t: Share = 0.75) -> Tensor:
    """Compute gBCE (gSASRec; Petrov and Macdonald, RecSys 2023, arXiv 2308.07192).

    It is binary cross-entropy with the target's probability raised to `gbce_power`, which undoes
    the overconfidence that sampled negatives cause: wholly at `t` 1, not at all at 0.
    """
    return _decisions(target, negatives, gbce_power(negatives.shape[1], num_items, t))


def gbce_power(negatives: int, num_items: int, t: float) -> float:
    """Return b of the paper's equation 7: a (t (1 - 1/a) + 1/a) for the sampling rate a."""
    rate = negatives / (num_items - 1)
    return 1.0 + t * (rate - 1.0)


def bpr(target: Tensor, negatives: Tensor) -> Tensor:
    """Average -log sigmoid(target - negative) over the negatives (Rendle et al., UAI 2009)."""
    return F.softplus(negatives - target[:, None]).mean(1)


def bpr_max(target: Tensor, negatives: Tensor, regularisation: NonNegativeFloat = 0.0) -> Tensor:
    """Compute BPR-max (GRU4Rec; Hidasi and Karatzoglou, CIKM 2018, equation 6).

    Negatives count by the softmax of their scores, whose squares `regularisation` weighs.
    """
    weights = torch.log_softmax(negatives, 1)
    likelihood = (weights + F.logsigmoid(target[:, None] - negatives)).logsumexp(1)
    return regularisation * (weights.exp() * negatives.square()).sum(1) - likelihood


def _decisions(target: Tensor, negatives: Tensor, power: float) -> Tensor:
    total = power * F.softplus(-target) + F.softplus(negatives).sum(1)
    return total / (1 + negatives.shape[1])

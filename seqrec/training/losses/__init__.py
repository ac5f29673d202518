"""Losses over an item table that never hold more logits than a chunk.

A loss takes the hidden states of labelled positions only, `[positions, width]`, their targets as
rows of the item table, and the table itself. Memory grows with `positions x width`, not with
`positions x items`: each chunk's gradient is computed right after its logits, in the forward pass,
and the logits are dropped.

`formulas` says what the built-in losses are, `full` and `terms` have the gradients that are written
by hand, `generic` takes that of any other formula, and `registry` chooses between them.
"""

from seqrec.training.losses.chunks import LOGITS_PER_CHUNK
from seqrec.training.losses.full import cross_entropy
from seqrec.training.losses.sampled import binary_cross_entropy, sampled_cross_entropy

__all__ = ["LOGITS_PER_CHUNK", "binary_cross_entropy", "cross_entropy", "sampled_cross_entropy"]

"""Uniform negatives: items of the train set that are not in a training sequence."""

import torch
from torch import Tensor

from seqrec.errors import SeqrecError


class NegativeSampler:
    """Draws negatives for training sequences from the items that occur in the train set.

    An item that never occurs in training is never drawn, and neither is one of the (truncated)
    sequence itself; the user's older items may be.
    """

    def __init__(self, train_items: Tensor, num_items: int) -> None:
        """`train_items`: every item number (from 1) that occurs in training, in any order."""
        self.in_pool = torch.zeros(num_items + 1, dtype=torch.bool, device=train_items.device)
        self.in_pool[train_items.long()] = True
        self.in_pool[0] = False
        self.pool_size = int(self.in_pool.sum())

    def check(self, negatives: int, longest_sequence: int) -> None:
        """Refuse more distinct negatives than the fullest sequence leaves in the pool."""
        available = self.pool_size - longest_sequence
        if negatives > available:
            raise SeqrecError(
                f"loss.negatives: {negatives} distinct negatives a sequence were asked for, but "
                f"only {available} items are left beside the fullest sequence "
                f"({self.pool_size} items in the train set). Ask for at most {available}."
            )

    def _weights(self, sequences: Tensor) -> Tensor:
        """1.0 for every item that may be drawn, `[batch, items + 1]`."""
        weights = self.in_pool.float().repeat(len(sequences), 1)
        return weights.scatter_(1, sequences.long(), 0.0)

    def without_replacement(
        self, sequences: Tensor, negatives: int, generator: torch.Generator
    ) -> Tensor:
        """Distinct item numbers `[batch, negatives]` for `sequences` `[batch, window]`.

        The largest of independent random keys are a uniform draw without replacement.
        """
        weights = self._weights(sequences)
        keys = torch.rand(weights.shape, generator=generator, device=generator.device)
        # 1 + key keeps even a key of zero above the items that may not be drawn.
        return ((1.0 + keys.to(weights.device)) * weights).topk(negatives, sorted=False).indices

    def with_replacement(
        self, sequences: Tensor, sequence: Tensor, negatives: int, generator: torch.Generator
    ) -> Tensor:
        """Item numbers `[positions, negatives]`; `sequence` `[positions]` is each one's row.

        A draw by rank: the r-th allowed item of a row, for r uniform in 1..allowed.
        """
        ranks = self._weights(sequences).cumsum(1, dtype=torch.int32)
        allowed = ranks[:, -1]
        if bool((allowed == 0).any()):
            raise SeqrecError(
                "no negative can be drawn: a training sequence holds every item of the train set. "
                "Use a loss without negatives (kind: cross-entropy) or more items."
            )
        draws = torch.rand(
            len(sequence), negatives, generator=generator, device=generator.device
        ).to(ranks.device)
        limit = allowed[sequence, None]
        wanted = torch.minimum((draws * limit).int() + 1, limit)
        # The positions of a sequence are searched together, in its running counts.
        counts = torch.bincount(sequence, minlength=len(sequences))
        offset = torch.arange(len(sequence), device=sequence.device)
        offset = offset - (counts.cumsum(0) - counts)[sequence]
        padded = wanted.new_ones(len(sequences), int(counts.max()), negatives)
        padded[sequence, offset] = wanted
        return torch.searchsorted(ranks, padded.flatten(1)).view_as(padded)[sequence, offset]

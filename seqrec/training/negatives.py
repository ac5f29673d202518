"""Uniform negatives: items that occur in training but not in the sequence at hand."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from seqrec.errors import SeqrecError
from seqrec.training.batches import places


class NegativeSampler:
    """Draws negatives for training sequences from the items that occur in the train set.

    It never draws an item that does not occur in training, nor one of the (truncated) sequence
    itself; the user's older items may be drawn. Cost grows with the number of draws and with the
    sequences, not with the number of items.
    """

    def __init__(self, train_items: Tensor, num_items: int, seed: int = 0) -> None:
        """Prepare to draw from `train_items`: all items (from 1) of the train set, in any order.

        Draws are made on the device of `train_items`, by the sampler's own `generator`.
        """
        device = train_items.device
        occurs = torch.zeros(num_items + 1, dtype=torch.bool, device=device)
        occurs[train_items.long()] = True
        occurs[0] = False
        self.pool = occurs.nonzero()[:, 0]
        # Where each item stands in the pool, counted from 0; padding stands behind all.
        self.place = occurs.cumsum(0) - 1
        self.place[0] = len(self.pool)
        self.generator = torch.Generator(device).manual_seed(seed)

    def check(self, negatives: int, longest_sequence: int, distinct: bool) -> None:
        """Raise `SeqrecError` if the fullest sequence leaves fewer items than `negatives`.

        `longest_sequence` counts the distinct items of that sequence.
        """
        available = len(self.pool) - longest_sequence
        if available < 1:
            raise SeqrecError(
                "no negative can be drawn: a training sequence holds every item of the train set. "
                "Use a loss without negatives (kind: cross-entropy) or more items."
            )
        if distinct and negatives > available:
            raise SeqrecError(
                f"loss.negatives: {negatives} distinct negatives a sequence were asked for, but "
                f"only {available} items are left beside the fullest sequence "
                f"({len(self.pool)} items in the train set). Ask for at most {available}."
            )

    def with_replacement(self, sequences: Tensor, counts: Sequence[int], negatives: int) -> Tensor:
        """Draw items `[positions, negatives]`; sequence i has `counts[i]` successive rows.

        Draws are by rank: the r-th allowed item of a sequence, for r uniform among these.
        """
        batch, longest, size = len(sequences), max(counts), len(self.pool)
        # Each sequence's own places in the pool, sorted, each once, the rest behind the pool.
        own = self.place[sequences].sort(1).values
        own[:, 1:].masked_fill_(own[:, 1:] == own[:, :-1], size)
        own = own.sort(1).values
        allowed = size - (own < size).sum(1, keepdim=True)
        ranks = self._random((batch, longest * negatives), 2**62) % allowed
        # The j-th own place (from 0) is passed by the ranks from own[j] - j on.
        passing = own - torch.arange(own.shape[1], device=own.device)
        passing.masked_fill_(own == size, size)
        passed = torch.searchsorted(passing, ranks, right=True)
        items = self.pool[ranks + passed].view(batch * longest, negatives)
        return items[places(counts, longest, items.device)]

    def without_replacement(self, sequences: Tensor, negatives: int) -> Tensor:
        """Draw distinct items `[batch, negatives]` for `sequences` `[batch, window]`.

        If they are a small part of the pool, they are the first distinct ones of a stream of draws
        with replacement; else those with the largest random keys, one key for each item.
        """
        (batch, window), size = sequences.shape, len(self.pool)
        own = self.place[sequences]
        fewest = size - window
        # Asking an accelerator in each step whether the stream was long enough would make the host
        # wait. So it gets a stream only where the pool is so large that the chance of too few
        # negatives is below 1e-11.
        if negatives > fewest // 2 or not (own.is_cpu or size >= 8 * window):
            return self._by_keys(own, negatives)
        # On average this many draws find enough. Eight standard deviations more nearly always do,
        # except for sequences that hold a good part of the pool.
        mean = size * -math.log1p(-negatives / fewest)
        count = math.ceil(mean + 8 * math.sqrt(mean) + 8)
        drawn = self._random((batch, count), size)
        # Each item of the pool is owned by one of its draws, or by none if it may not be drawn.
        # Small integers keep these owners in a processor's cache.
        kind = torch.int16 if count < 2**15 else torch.int64
        order = torch.arange(count, dtype=kind, device=drawn.device).expand_as(drawn)
        owner = torch.empty(batch, size + 1, dtype=kind, device=drawn.device)
        owner.scatter_(1, drawn, order).scatter_(1, own, -1)
        found = owner.gather(1, drawn) == order
        rank = found.cumsum(1)
        enough = (rank[:, -1] >= negatives).all()
        if own.is_cpu and not enough:
            return self._by_keys(own, negatives)
        torch._assert_async(enough, "a sequence was drawn too few negatives")
        # A slot for each negative, and one for all that is left over.
        slot = torch.where(found & (rank <= negatives), rank - 1, negatives)
        chosen = torch.empty(batch, negatives + 1, dtype=torch.int64, device=drawn.device)
        return self.pool.take(chosen.scatter_(1, slot, drawn)[:, :-1])

    def _by_keys(self, own: Tensor, negatives: int) -> Tensor:
        """Draw distinct items `[batch, negatives]` outside the places `own` `[batch, window]`."""
        shape = len(own), len(self.pool) + 1
        keys = torch.rand(shape, generator=self.generator, device=self.pool.device)
        # What may not be drawn comes last: the sequence's own, and padding's behind the pool.
        keys.scatter_(1, own, -1.0)[:, -1] = -1.0
        return self.pool[keys.topk(negatives, sorted=False).indices]

    def _random(self, shape: tuple[int, int], limit: int) -> Tensor:
        return torch.randint(limit, shape, generator=self.generator, device=self.pool.device)

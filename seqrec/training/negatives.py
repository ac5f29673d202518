"""Negatives: items that occur in training but not in the sequence at hand.

They are drawn on the device, uniformly (`NegativeSampler`), by popularity, or from the targets of
the batch (`WeightedSampler`).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from seqrec.errors import SeqrecError
from seqrec.training.batches import Batch, most, places

MANY_ITEMS = 2**19
"""Items from which on distinct draws are found by sorting: a number for each item and sequence of a
batch would take gigabytes."""

BATCH_WEIGHT = 2**32
"""Weight of a target of the batch among the train items, each of which weighs 1 beside it. These
count only for a sequence that no target of another is left for, such as one that is alone in the
last batch of an epoch: its negatives are uniform."""


class Negatives(NamedTuple):
    """The negatives of a batch."""

    items: Tensor
    """`[rows, N]`: of each sequence, or of each labelled position."""
    counts: Sequence[int] | int
    """How many successive positions share each row; one number where all are shared by as many."""
    distinct: bool
    """Whether the items of a row are known to differ from each other."""
    log_expected: Tensor | None = None
    """Logarithm of how often each item is expected among the N of its row, `[rows, N]`; None where
    nothing corrects for it."""


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

    def draw(self, batch: Batch, targets: Tensor, negatives: int, shared: bool) -> Negatives:
        """Draw negatives of each sequence if `shared`, without replacement; else of each position,
        with replacement.

        `targets` `[positions]` are the items that are the labels of the batch.
        """
        if shared:
            items = self.without_replacement(batch.sequences, negatives)
            return Negatives(items, batch.counts, distinct=True)
        items = self.with_replacement(batch.sequences, batch.counts, negatives)
        return Negatives(items, 1, distinct=False)

    def with_replacement(
        self, sequences: Tensor, counts: Sequence[int] | int, negatives: int
    ) -> Tensor:
        """Draw items `[positions, negatives]`; sequence i has `counts[i]` successive rows.

        Draws are by rank: the r-th allowed item of a sequence, for r uniform among these.
        """
        batch, longest, size = len(sequences), most(counts), len(self.pool)
        own = self.own_places(sequences)
        allowed = size - (own < size).sum(1, keepdim=True)
        ranks = self._random((batch, longest * negatives), 2**62) % allowed
        if ranks.shape[1] < size:
            # The j-th own place (from 0) is passed by the ranks from own[j] - j on.
            passing = own - torch.arange(own.shape[1], device=own.device)
            passing.masked_fill_(own == size, size)
            items = self.pool[ranks + torch.searchsorted(passing, ranks, right=True)]
        else:
            # A sequence with more draws than the pool has items lists once what it allows.
            taken = torch.zeros(batch, size + 1, dtype=torch.uint8, device=own.device)
            allowed_first = taken.scatter_(1, own, 1)[:, :size].sort(dim=1, stable=True).indices
            items = self.pool[allowed_first].gather(1, ranks)
        return items.view(batch * longest, negatives)[places(counts, longest, items.device)]

    def own_places(self, sequences: Tensor) -> Tensor:
        """Return each sequence's places in the pool `[batch, window]`: sorted, each once, the rest
        behind the pool."""
        own, size = self.place[sequences].sort(1).values, len(self.pool)
        own[:, 1:].masked_fill_(own[:, 1:] == own[:, :-1], size)
        return own.sort(1).values

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
        found = (by_owner if size < MANY_ITEMS else by_sorting)(drawn, own, size)
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


def by_owner(drawn: Tensor, own: Tensor, size: int) -> Tensor:
    """Mark the last draw of each item, unless it is one of the places `own` `[batch, window]`.

    Places of a pool of `size` are `drawn` `[batch, draws]`. Each is owned by one of its draws.
    """
    # Small integers keep these owners in a processor's cache.
    kind = torch.int16 if drawn.shape[1] < 2**15 else torch.int64
    order = torch.arange(drawn.shape[1], dtype=kind, device=drawn.device).expand_as(drawn)
    owner = torch.empty(len(drawn), size + 1, dtype=kind, device=drawn.device)
    owner.scatter_(1, drawn, order).scatter_(1, own, -1)
    return owner.gather(1, drawn) == order


def by_sorting(drawn: Tensor, own: Tensor, size: int) -> Tensor:
    """Mark the same as `by_owner`, at a cost that does not grow with the pool."""
    ordered, order = drawn.sort(dim=1, stable=True)
    last = torch.ones_like(ordered, dtype=torch.bool)
    last[:, :-1] = ordered[:, 1:] != ordered[:, :-1]
    own = own.sort(1).values
    place = torch.searchsorted(own, ordered).clamp(max=own.shape[1] - 1)
    return torch.empty_like(last).scatter_(1, order, last & (own.gather(1, place) != ordered))


class WeightedSampler(NegativeSampler):
    """Draws negatives in proportion to whole numbers, exactly and with replacement.

    The weight of an item is how often it occurs in the train part or, with `in_batch`, how many
    targets it is in the batch (see `BATCH_WEIGHT`). Each row is drawn for its sequence alone: the
    items of the sequence have no part in it.
    """

    def __init__(
        self, train_counts: Tensor, seed: int = 0, in_batch: bool = False, logq: bool = False
    ) -> None:
        """Prepare to draw from items by `train_counts` `[num_items + 1]`; that of padding is 0.

        With `logq`, the negatives come with how often they are expected.
        """
        super().__init__(train_counts.nonzero()[:, 0], len(train_counts) - 1, seed)
        self.train_counts = train_counts[self.pool].long()
        self.in_batch, self.logq = in_batch, logq

    def draw(self, batch: Batch, targets: Tensor, negatives: int, shared: bool) -> Negatives:
        """Draw negatives of each sequence if `shared`, else of each position."""
        counts = 1 if shared else batch.counts
        weights = self._weights_in(targets) if self.in_batch else self.train_counts
        chosen, allowed = self.by_weight(batch.sequences, weights, counts, negatives)
        found = Negatives(self.pool[chosen], batch.counts if shared else 1, distinct=False)
        if not self.logq:
            return found
        # Of a batch that is itself a sample, an item is expected as often as in the train part.
        total = self.train_counts.sum() if self.in_batch else allowed
        share = self.train_counts[chosen] / total
        return found._replace(log_expected=(share * negatives).log())

    def by_weight(
        self, sequences: Tensor, weights: Tensor, counts: Sequence[int] | int, negatives: int
    ) -> tuple[Tensor, Tensor]:
        """Draw places of the pool by `weights` `[pool]`; sequence i has `counts[i]` rows.

        Returns the places `[rows, negatives]`, and the weight of all that each row was drawn from,
        `[rows, 1]`. Draws are by rank, as if the r-th place were listed as often as it weighs.
        """
        batch, longest = len(sequences), most(counts)
        own = self.own_places(sequences)
        ends = weights.cumsum(0)
        own_weights = torch.cat([weights, weights.new_zeros(1)])[own]
        own_ends = own_weights.cumsum(1)
        allowed = ends[-1] - own_ends[:, -1:]
        ranks = self._random((batch, longest * negatives), 2**62) % allowed
        # Left out, the own places before one move its first rank down by what they weigh.
        starts = torch.cat([ends, ends[-1:]])[own] - own_weights
        passed = torch.searchsorted(starts - (own_ends - own_weights), ranks, right=True)
        ranks += torch.cat([own_ends.new_zeros(batch, 1), own_ends], 1).gather(1, passed)
        chosen = torch.searchsorted(ends, ranks, right=True).view(batch * longest, negatives)
        row = places(counts, longest, chosen.device)
        return chosen[row], allowed.repeat_interleave(longest, 0)[row]

    def _weights_in(self, targets: Tensor) -> Tensor:
        weights = self.train_counts.new_ones(len(self.pool) + 1)
        each = weights.new_full((len(targets),), BATCH_WEIGHT)
        # The target of padding is no item, and stands behind the pool.
        return weights.index_add_(0, self.place[targets.clamp(min=0)], each)[:-1]

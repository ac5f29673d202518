"""How sequential a log is: the rules in it, before and after its histories are shuffled.

After Klenitskiy, Volodkevich, Pembek and Vasilev, "Does It Look Sequential?", RecSys 2024
(arXiv 2408.12008). A log without sequential structure tells nothing about sequential models.
"""

import numpy as np

from seqrec.audit.part import Part
from seqrec.data.sequences import Sequences

SEEDS = 5
"""How often histories are shuffled."""
SUPPORT = 5
"""A rule occurs more often than this."""
CONFIDENCE = 0.1
"""A rule's last item follows its first ones more often than in this share of the cases."""


class Rules(Part):
    """Frequent rules of some length: items that often follow each other directly."""

    length: int
    """Items in a rule."""
    before: int
    """Rules in the histories as they are."""
    after: list[int]
    """Rules in shuffled histories, for each seed."""

    @property
    def kept(self) -> float | None:
        """Share of the rules that there are after shuffling, the mean over seeds; None if there
        are no rules."""
        return sum(self.after) / len(self.after) / self.before if self.before else None


class Shuffling(Part):
    """What a model, trained on histories as they are, makes of shuffled ones."""

    run: str
    """The folder of the run."""
    model: str
    """The model's name."""
    targets: int
    """Test targets that were ranked."""
    before: dict[str, float]
    """Test metrics from histories as they are."""
    after: dict[str, list[float]]
    """The same from shuffled ones, for each seed."""
    overlap: list[float]
    """Mean Jaccard overlap of a user's ten best items before and after, for each seed."""

    @property
    def hits(self) -> int:
        """Test targets among the ten best items of histories as they are."""
        return round(self.before["hit_rate@10"] * self.targets)

    def loss(self, metric: str) -> float:
        """Return which share of a metric is lost by shuffling, the mean over seeds; negative for a
        gain, and 0 if there is nothing to lose."""
        before, after = self.before[metric], self.after[metric]
        return 1 - sum(after) / len(after) / before if before else 0.0


def rules(log: Sequences) -> list[Rules]:
    """Count the rules of two and three items in `log`, and in `SEEDS` shuffled copies."""
    before = count_rules(log)
    after = [count_rules(shuffled(log, np.random.default_rng(seed))) for seed in range(SEEDS)]
    return [
        Rules(length=length, before=found, after=[counts[length - 2] for counts in after])
        for length, found in zip((2, 3), before, strict=True)
    ]


def shuffled(log: Sequences, rng: np.random.Generator) -> Sequences:
    """Copy `log` with each user's items in random order; the times stay where they are."""
    owner = np.repeat(np.arange(log.num_users), np.diff(log.offsets))
    order = np.argsort(owner + rng.random(len(owner)))
    return Sequences(log.items[order], log.offsets, log.num_items, times=log.times)


def count_rules(log: Sequences) -> tuple[int, int]:
    """Count the rules of two and of three items.

    A rule is a sequence of items that directly follow each other in histories more than `SUPPORT`
    times, and in more than the share `CONFIDENCE` of the occurrences of all but its last item.
    """
    items, width = log.items.astype(np.int64), log.num_items + 1
    goes_on = np.ones(len(items), bool)
    goes_on[log.offsets[1:] - 1] = False  # a user's last item is followed by nothing
    at = np.flatnonzero(goes_on)
    pairs, places, counts = np.unique(
        items[at] * width + items[at + 1], return_inverse=True, return_counts=True
    )
    occurrences = np.bincount(items, minlength=width)
    pair_rules = (counts > SUPPORT) & (counts > CONFIDENCE * occurrences[pairs // width])
    # Of three items, the first two and the last two are at least as frequent.
    frequent = np.zeros(len(items), bool)
    frequent[at] = counts[places] > SUPPORT
    pair_at = np.zeros(len(items), np.int64)
    pair_at[at] = places
    at = np.flatnonzero(frequent[:-1] & frequent[1:])
    triples, triple_counts = np.unique(pair_at[at] * width + items[at + 2], return_counts=True)
    triple_rules = (triple_counts > SUPPORT) & (
        triple_counts > CONFIDENCE * counts[triples // width]
    )
    return int(pair_rules.sum()), int(triple_rules.sum())

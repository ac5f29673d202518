"""How sequential a log is: the rules in it, before and after its histories are shuffled.

After Klenitskiy, Volodkevich, Pembek and Vasilev, "Does It Look Sequential?", RecSys 2024
(arXiv 2408.12008). A log without sequential structure tells nothing about sequential models.
"""

from collections.abc import Callable

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
    items, first = np.empty_like(log.items), 0
    for place, part in log.parts():
        # Keys of the whole log, so that the parts that it is cut into do not change the order.
        keys = first + part.owners() + rng.random(len(part.items))
        items[place] = part.items[np.argsort(keys)]
        first += part.num_users
    return Sequences(items, log.offsets, log.num_items, times=log.times)


def count_rules(log: Sequences) -> tuple[int, int]:
    """Count the rules of two and of three items.

    A rule is a sequence of items that directly follow each other in histories more than `SUPPORT`
    times, and in more than the share `CONFIDENCE` of the occurrences of all but its last item.
    """
    width, occurrences = log.num_items + 1, log.item_counts()
    pairs, counts = _frequent(log, occurrences, lambda _, part: _followed(part), 1)
    pair_rules = counts > CONFIDENCE * occurrences[pairs // width]
    # Of three items, the first two and the last two are at least as frequent.
    begun = np.zeros(len(log.items), np.int32)
    for place, part in log.parts():
        numbers = _numbers(part, pairs)
        numbers[:-1][numbers[1:] == 0] = 0
        begun[place] = numbers
    numbered = np.concatenate(([0], counts))
    triples, triple_counts = _frequent(log, numbered, lambda place, _: begun[place], 2)
    triple_rules = triple_counts > CONFIDENCE * numbered[triples // width]
    return int(pair_rules.sum()), int(triple_rules.sum())


def _followed(part: Sequences) -> np.ndarray:
    """Return the items that another follows, int32 [interactions]; 0 for a user's last."""
    followed = part.items.copy()
    followed[part.offsets[1:] - 1] = 0
    return followed


def _numbers(part: Sequences, pairs: np.ndarray) -> np.ndarray:
    """Number the pair of each item and the next by its place in `pairs`, int32 [interactions].

    Numbers count from 1; 0 stands for other pairs, and for a user's last item.
    """
    keys = _followed(part) * np.int64(part.num_items + 1)
    keys[:-1] += part.items[1:]
    at = np.searchsorted(pairs, keys).astype(np.int32)
    at[at == len(pairs)] = 0
    return np.where(pairs[at] == keys, at + 1, 0) if len(pairs) else at


def _frequent(
    log: Sequences,
    occurrences: np.ndarray,
    followed: Callable[[slice, Sequences], np.ndarray],
    distance: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Find what is followed by some item, at a distance, more than `SUPPORT` times.

    `followed` tells for a part of the log what counts as being followed at each interaction, by
    numbers; `occurrences` [numbers] is how often each can occur, and number 0 is not counted.
    Returns `number * (items + 1) + item`, ascending, and how often each was found, int64 [found].
    """
    keys, end = np.empty(int(occurrences[1:].sum()), np.int64), 0
    for place, part in log.parts():
        numbers = followed(place, part)[:-distance]
        at = np.flatnonzero(numbers)
        keys[end : end + len(at)] = numbers[at] * np.int64(log.num_items + 1)
        keys[end : end + len(at)] += part.items[at + distance]
        end += len(at)
    keys = keys[:end]
    keys.sort()
    # What occurs more often than SUPPORT is there again so many places later.
    first = keys[SUPPORT:] == keys[:-SUPPORT]
    first[1:] &= keys[1:-SUPPORT] != keys[: -SUPPORT - 1]
    found = keys[:-SUPPORT][first]
    return found, np.searchsorted(keys, found, "right") - np.searchsorted(keys, found)

"""The shape of a log without its times: long tails and repeats."""

import numpy as np

from seqrec.audit.part import Part
from seqrec.data.filtering import repeats
from seqrec.data.sequences import Sequences

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Shares of the items, the most popular first, whose interactions are counted."""

RARE = 5
"""An item with fewer interactions is rare."""


class Tails(Part):
    """How unevenly interactions are spread over items and users."""

    median_length: float
    """Interactions of the median user."""
    longest_tenth: float
    """Share of all interactions that the tenth of the users with the most has."""
    popular_items: dict[float, float]
    """Share of all interactions by the share of the items, the most popular first, that has
    them."""
    gini: float
    """Gini coefficient of the items' interactions: 0 if all have as many, near 1 if one has all."""
    rare_items: float
    """Share of the items with fewer than `RARE` interactions."""


class Repeats(Part):
    """How often users come back to an item."""

    repeated: float
    """Share of the interactions with an item that the user has met before."""
    consecutive: float
    """Share of the interactions with the very item of the interaction before."""


def tails(log: Sequences) -> Tails:
    """Measure the long tails of `log`."""
    counts = np.sort(log.item_counts()[1:])[::-1]
    lengths = np.sort(np.diff(log.offsets))[::-1]
    places = np.arange(1, len(counts) + 1)
    return Tails(
        median_length=float(np.median(lengths)),
        longest_tenth=_share_of_first(lengths, 0.1),
        popular_items={share: _share_of_first(counts, share) for share in SHARES},
        gini=float(1 + (1 - 2 * (places @ counts) / counts.sum()) / len(counts)),
        rare_items=float((counts < RARE).mean()),
    )


def repetition(log: Sequences) -> Repeats:
    """Measure how often users of `log` come back to an item."""
    repeated = consecutive = 0
    for _, part in log.parts():
        owner, items = part.owners(), part.items
        repeated += int(repeats(owner, items, keep="first").sum())
        consecutive += int(((items[1:] == items[:-1]) & (owner[1:] == owner[:-1])).sum())
    return Repeats(repeated=repeated / len(log.items), consecutive=consecutive / len(log.items))


def _share_of_first(counts: np.ndarray, share: float) -> float:
    """Return the share of the sum that the first `share` of the counts, at least one, has."""
    return float(counts[: max(1, round(share * len(counts)))].sum() / counts.sum())

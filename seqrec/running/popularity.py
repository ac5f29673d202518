"""How popular the items are that a model recommends."""

import numpy as np

from seqrec.protocol.splits import Split


def recommended_popularity(train: Split, recommended: np.ndarray) -> float | None:
    """Average over recommendations how often the item occurs in the train part.

    `recommended` `[items]` is how often each item is recommended. None if none is.
    """
    total = recommended.sum()
    return float(train.item_counts()[1:] @ recommended / total) if total else None

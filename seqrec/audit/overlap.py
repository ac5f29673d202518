"""How much two lists of items have in common."""

import numpy as np

NO_ITEM = -1
"""Stands in a list where there are not enough items."""


def overlaps(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the Jaccard overlap of each row of two arrays, float `[rows]`.

    Both are `[rows, items]`, hold an item at most once in a row, and `NO_ITEM` where a list has
    ended.
    """
    both = np.sort(np.concatenate((some, others), axis=1), axis=1)
    common = ((both[:, 1:] == both[:, :-1]) & (both[:, 1:] != NO_ITEM)).sum(1)
    total = (both != NO_ITEM).sum(1) - common
    return np.where(total, common / np.maximum(total, 1), 1.0)

"""The base of models that fit themselves: no loss, no epochs, scores for each user."""

from abc import ABC, abstractmethod

import numpy as np
from torch import Tensor

from seqrec.protocol.splits import Split


class Fitted(ABC):
    """A model that is fitted rather than trained by the loop.

    One is fitted on the train part for the validation targets, and one on train plus validation for
    the test targets. With leave-one-out these are the very histories that it is evaluated on.
    """

    by_user = True
    """Whether it scores users by what it learned of each; if not, all users get the same."""

    def __init__(self, num_items: int, max_length: int) -> None:
        self.num_items = num_items

    @abstractmethod
    def fit(self, split: Split, seed: int, threads: int) -> None:
        """Learn from the histories of `split`, one for each user of the log; a user who is not for
        training has an empty one. All randomness comes from `seed`."""

    @abstractmethod
    def score(self, users: np.ndarray) -> Tensor:
        """Return scores `[users, items]` in float32; column i is item i + 1."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Return the arrays that were learned, by the names of their attributes."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set the arrays that `state()` returned as attributes."""
        vars(self).update(state)

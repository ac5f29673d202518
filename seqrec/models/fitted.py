"""What models that fit themselves share: no loss, no epochs, a table of scores for each user."""

from abc import ABC, abstractmethod

import numpy as np
from torch import Tensor

from seqrec.protocol.splits import Split


class Fitted(ABC):
    """Base of the models that are fitted rather than trained by the loop.

    They are fitted on the histories that they are then evaluated on: the train part for the
    validation targets, train plus validation for the test targets.
    """

    by_user = True
    """Whether scores are known for the users it was fitted on alone; false: the same for all."""

    def __init__(self, num_items: int, max_length: int) -> None:
        self.num_items = num_items

    @abstractmethod
    def fit(self, split: Split, seed: int, threads: int) -> None:
        """Learn from the histories of `split`. All randomness comes from `seed`."""

    @abstractmethod
    def score(self, users: np.ndarray) -> Tensor:
        """Scores `[users, items]`; column i is item i + 1."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """The arrays that were learned."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Be as it was when `state()` returned this: arrays are attributes by their names."""
        vars(self).update(state)

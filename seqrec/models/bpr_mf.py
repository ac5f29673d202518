"""BPR-MF (Rendle et al., 2009): matrix factorisation by pairwise ranking, from `implicit`."""

import numpy as np
import torch
from torch import Tensor

from seqrec.experiment.parameters import NonNegativeFloat, PositiveFloat, PositiveInt
from seqrec.models.fitted import Fitted
from seqrec.protocol.splits import Split


class BPRMF(Fitted):
    """Learns factors of users and items, on one thread: the library's threads race, so that with
    more of them a seed would not fix the result."""

    def __init__(
        self,
        num_items: int,
        max_length: int,
        factors: PositiveInt = 128,
        learning_rate: PositiveFloat = 0.05,
        regularization: NonNegativeFloat = 0.01,
        iterations: PositiveInt = 100,
    ) -> None:
        super().__init__(num_items, max_length)
        self.hyperparameters = {
            "factors": factors,
            "learning_rate": learning_rate,
            "regularization": regularization,
            "iterations": iterations,
        }

    def fit(self, split: Split, seed: int, threads: int) -> None:
        # Imported here, so that no other model waits a second for scipy and implicit.
        from implicit.cpu.bpr import BayesianPersonalizedRanking
        from scipy.sparse import csr_matrix

        users, items = split.pairs(np.arange(split.num_users))
        matrix = csr_matrix(
            (np.ones(len(users), np.float32), (users, items - 1)),
            shape=(split.num_users, self.num_items),
        )
        # Repeated interactions with an item count once.
        matrix.sum_duplicates()
        matrix.data[:] = 1.0
        model = BayesianPersonalizedRanking(
            **self.hyperparameters, num_threads=1, random_state=seed
        )
        model.fit(matrix, show_progress=False)
        self.user_factors = torch.from_numpy(np.asarray(model.user_factors))
        self.item_factors = torch.from_numpy(np.asarray(model.item_factors))

    def score(self, users: np.ndarray) -> Tensor:
        return self.user_factors[torch.from_numpy(users)] @ self.item_factors.T

    def state(self) -> dict[str, Tensor]:
        return {"user_factors": self.user_factors, "item_factors": self.item_factors}

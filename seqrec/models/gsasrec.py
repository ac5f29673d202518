"""gSASRec (Petrov and Macdonald, RecSys 2023): SASRec that scores with an item table of its own.

Its loss, gBCE, is one of `seqrec.training.losses`; `config/models/gsasrec.yaml` puts both together.
"""

from typing import Annotated

import torch
from torch import Tensor, nn

from seqrec.experiment.parameters import Divides, PositiveInt, Probability
from seqrec.models.sasrec import SASRec


class GSASRec(SASRec):
    """SASRec whose hidden states are multiplied by other vectors than those that it reads."""

    def __init__(
        self,
        num_items: int,
        max_length: int,
        hidden_size: PositiveInt = 128,
        blocks: PositiveInt = 2,
        heads: Annotated[PositiveInt, Divides("hidden_size")] = 1,
        dropout: Probability = 0.1,
    ) -> None:
        super().__init__(num_items, max_length, hidden_size, blocks, heads, dropout)
        self.output_items = nn.Embedding(
            num_items + self.task.special_rows, hidden_size, padding_idx=0
        )
        with torch.no_grad():
            self.output_items.weight.normal_(0.0, 0.02)[0].zero_()

    @property
    def item_table(self) -> Tensor:
        """The output table, `[special rows + items, width]`."""
        return self.output_items.weight

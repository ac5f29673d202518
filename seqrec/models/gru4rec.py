"""GRU4Rec: a recurrent network over a user's items, scored against its item table."""

from torch import Tensor, nn

from seqrec.experiment.parameters import PositiveInt
from seqrec.models.layers import initialise_normal
from seqrec.models.network import Network
from seqrec.models.tasks import NextItem


class GRU4Rec(Network):
    """GRU layers on item embeddings; no dropout, as in the paper's implementation."""

    task = NextItem()

    def __init__(
        self,
        num_items: int,
        max_length: int,
        hidden_size: PositiveInt = 64,
        layers: PositiveInt = 1,
    ) -> None:
        super().__init__(num_items, hidden_size)
        self.rnn = nn.GRU(hidden_size, hidden_size, layers, batch_first=True)
        initialise_normal(self.items)  # the GRU keeps its default initialisation

    def forward(self, rows: Tensor) -> Tensor:
        """Compute hidden states `[batch, time, width]` of item rows `[batch, time]`."""
        hidden, _ = self.rnn(self.items(rows))
        return hidden

"""The base of all networks: an item table, a task, and hidden states as output."""

from typing import Any

from torch import Tensor, nn

from seqrec.models.layers import read_at
from seqrec.models.tasks import Task


class Network(nn.Module):
    """Maps item rows `[batch, time]` to hidden states `[batch, time, width]`.

    Scores are dot products of hidden states with `item_table`, so losses and evaluation never need
    to know what is inside. Row 0 of the table is padding; `task.special_rows` rows precede the
    items. A subclass sets `task`, calls `super().__init__`, and defines `forward`. Where its task
    has `times`, `forward` and `states_at` take these as a last argument.
    """

    task: Task

    def __init__(self, num_items: int, hidden_size: int) -> None:
        super().__init__()
        self.items = nn.Embedding(num_items + self.task.special_rows, hidden_size, padding_idx=0)

    @property
    def item_table(self) -> Tensor:
        """The vectors that hidden states are multiplied by, `[special rows + items, width]`."""
        return self.items.weight

    # For a type checker, Any allows a subclass that reads no times to leave them out.
    def states_at(self, rows: Tensor, positions: Tensor, *times: Any, **_: Any) -> Tensor:
        """Return hidden states `[batch, width]` at one position of each sequence, for prediction.

        A subclass may skip whatever these do not depend on.
        """
        return read_at(self(rows, *times), positions)[:, 0]

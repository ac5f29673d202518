"""Models, and what a model of your own is built from; import these names from here."""

from seqrec.models.fitted import Fitted
from seqrec.models.layers import Attention, Dropout, initialise_normal
from seqrec.models.network import Network
from seqrec.models.tasks import MaskedItem, NextItem

__all__ = [
    "Attention",
    "Dropout",
    "Fitted",
    "MaskedItem",
    "Network",
    "NextItem",
    "initialise_normal",
]

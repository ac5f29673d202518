"""Build the model of a run; its weights are drawn from the run's seed."""

from typing import TYPE_CHECKING

import torch

from seqrec.errors import SeqrecError
from seqrec.experiment.custom import custom_code
from seqrec.experiment.implementations import import_model
from seqrec.models.fitted import Fitted
from seqrec.models.network import Network

if TYPE_CHECKING:
    from seqrec.experiment.schema import RunConfig


def seeded_model(config: "RunConfig", num_items: int) -> Network | Fitted:
    """Seed torch, whose stream dropout draws from later, and build the model."""
    torch.manual_seed(config.seed)
    return build_model(config, num_items)


def build_model(config: "RunConfig", num_items: int) -> Network | Fitted:
    """Build an instance of the configured implementation.

    Raises `SeqrecError` for a class of the wrong kind, and for what a custom constructor raises.
    """
    model_class = import_model(config.implementation)
    wanted = Network if config.loss else Fitted
    if not issubclass(model_class, wanted):
        raise SeqrecError(
            f"implementation {config.implementation!r}: an entry "
            f"{'with' if config.loss else 'without'} a loss must be a subclass of "
            f"seqrec.models.{wanted.__name__}."
        )
    with custom_code(config.implementation, "while it is built", all_of_it=True):
        model: Network | Fitted = model_class(
            num_items, config.max_length, **config.hyperparameters
        )
    return model

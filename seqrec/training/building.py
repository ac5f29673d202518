"""Build a run's model, its weights drawn from the run's seed."""

from seqrec.errors import SeqrecError
from seqrec.experiment.custom import custom_code
from seqrec.experiment.registry import import_model
from seqrec.experiment.schema import RunConfig
from seqrec.models.fitted import Fitted
from seqrec.models.network import Network


def build_model(config: RunConfig, num_items: int) -> Network | Fitted:
    """An instance of the configured implementation, its weights drawn from torch's seed."""
    model_class = import_model(config.implementation)
    wanted = Network if config.loss else Fitted
    if not issubclass(model_class, wanted):
        raise SeqrecError(
            f"implementation {config.implementation!r}: an entry "
            f"{'with' if config.loss else 'without'} a loss must be a subclass of "
            f"{wanted.__module__}.{wanted.__name__}."
        )
    with custom_code(config.implementation, "while it is built", all_of_it=True):
        model: Network | Fitted = model_class(
            num_items, config.max_length, **config.hyperparameters
        )
    return model

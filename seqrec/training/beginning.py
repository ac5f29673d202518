"""Begin a run: all that decides its result before its model is trained, fitted or evaluated."""

from typing import TYPE_CHECKING

from seqrec.data.interactions import Interactions
from seqrec.errors import SeqrecError
from seqrec.models.fitted import Fitted
from seqrec.models.network import Network
from seqrec.protocol.sampled import require_enough_items
from seqrec.protocol.splits import Splits
from seqrec.protocol.splitting import split_log
from seqrec.training.arithmetic import Engine, set_arithmetic
from seqrec.training.building import seeded_model

if TYPE_CHECKING:
    from seqrec.experiment.schema import RunConfig


def begin_run(
    config: "RunConfig", log: Interactions, engine: Engine
) -> tuple[Splits, Network | Fitted]:
    """Set the arithmetic, split the log, and build the model, a network on the engine's device.

    Leaves torch's random stream as the run's seed gives it: draw nothing from it before training.
    Raises `SeqrecError` if the log cannot be split, if the model cannot be built, and if a user
    leaves too few items for the sampled metrics of the evaluation, and if the model reads times
    that the log does not have.
    """
    set_arithmetic(engine)
    splits = split_log(log, config.split)
    require_enough_items(splits, config.evaluation)
    model = seeded_model(config, log.num_items)
    if isinstance(model, Network):
        require_times(model, config, log)
        model.to(engine.device)
    return splits, model


def require_times(network: Network, config: "RunConfig", log: Interactions) -> None:
    """Raise `SeqrecError` if the network reads times and the log has none."""
    if network.task.times is not None and log.times is None:
        file = f"config/datasets/{config.dataset}.yaml"
        raise SeqrecError(
            f"{config.model} reads when interactions happened, and the log of {config.dataset} has "
            f"no times. If its file has them, name their column in {file} and preprocess it again; "
            "or take a model that reads none (for hstu: time_bias: none)."
        )

"""Begin a run: all that decides its result before its model is trained, fitted or evaluated."""

from seqrec.data.interactions import Interactions
from seqrec.experiment.schema import RunConfig
from seqrec.models.fitted import Fitted
from seqrec.models.network import Network
from seqrec.protocol.sampled import require_enough_items
from seqrec.protocol.splits import Splits
from seqrec.protocol.splitting import split_log
from seqrec.training.arithmetic import Engine, set_arithmetic
from seqrec.training.building import seeded_model


def begin_run(
    config: RunConfig, log: Interactions, engine: Engine
) -> tuple[Splits, Network | Fitted]:
    """Set the arithmetic, split the log, and build the model, a network on the engine's device.

    Leaves torch's random stream as the run's seed gives it: draw nothing from it before training.
    Raises `SeqrecError` if the log cannot be split, if the model cannot be built, and if a user
    leaves too few items for the sampled metrics of the evaluation.
    """
    set_arithmetic(engine)
    splits = split_log(log, config.split)
    require_enough_items(splits, config.evaluation)
    model = seeded_model(config, log.num_items)
    if isinstance(model, Network):
        model.to(engine.device)
    return splits, model

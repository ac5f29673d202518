"""How much arithmetic a training takes, counted from its configuration and the size of its data.

Training times say much about a machine and what else it had to do; counts are the same everywhere.
"""

from collections.abc import Iterable
from statistics import fmean
from typing import Literal

from pydantic import AliasChoices, BaseModel, Field, PositiveFloat, PositiveInt, ValidationError

from seqrec.records.record import Record

PASSES = 3
"""A forward pass, and a backward pass that takes twice as much."""

MILLION = 1e6

ITEM_TABLES = {"gsasrec": 2}
"""Networks that score items by other vectors than those that they read."""


class _Hyperparameters(BaseModel):
    hidden_size: PositiveInt
    layers: PositiveInt = Field(validation_alias=AliasChoices("layers", "blocks"))
    mask_probability: PositiveFloat = 1.0
    """Share of the positions that have a label; all where nothing is masked."""


class _Network(BaseModel):
    """What the operations of a built-in network follow from."""

    implementation: Literal["sasrec", "gsasrec", "bert4rec", "gpt4rec", "gru4rec", "ligr", "hstu"]
    max_length: PositiveInt
    hyperparameters: _Hyperparameters


class _Data(BaseModel):
    items: PositiveInt
    mean_length: PositiveFloat


def millions_to_best(records: Iterable[Record]) -> float | None:
    """Average over a model's seeds, in millions, what `operations_to_best` can count."""
    counted = [operations_to_best(record) for record in records]
    known = [one for one in counted if one is not None]
    return fmean(known) / MILLION if known else None


def operations_to_best(record: Record) -> float | None:
    """Count multiplications for each interaction trained on, over all epochs up to the best one.

    They are those of matrix products: each weight of the network once for every interaction; in
    attention, queries with keys and weights with values; and the scores of the items that the loss
    compares. Attention is counted over sequences of mean length. None for models that are not
    trained in epochs, and for custom ones, whose network is unknown.
    """
    if record.best_epoch is None:
        return None
    try:
        network = _Network.model_validate(record.config)
        data = _Data.model_validate(record.data.statistics)
    except ValidationError:
        return None
    sizes, window = network.hyperparameters, network.max_length
    tables = ITEM_TABLES.get(network.implementation, 1)
    weights = record.parameters - tables * data.items * sizes.hidden_size
    attention = 0.0
    if network.implementation != "gru4rec":
        weights -= window * sizes.hidden_size  # the positions' embeddings
        attention = 2 * min(data.mean_length, window) * sizes.hidden_size * sizes.layers
    compared = data.items if record.negatives is None else 1 + record.negatives
    scores = sizes.mask_probability * sizes.hidden_size * compared
    return PASSES * (weights + attention + scores) * record.best_epoch

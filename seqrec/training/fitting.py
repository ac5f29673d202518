"""Fit the models that need no training loop, and check what they return."""

import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seqrec.errors import SeqrecError, is_out_of_memory
from seqrec.experiment.custom import custom_code, is_custom, refusal
from seqrec.models.fitted import Fitted
from seqrec.protocol.evaluation import Scorers
from seqrec.protocol.ranking import ScoreUsers
from seqrec.protocol.splits import Split, Splits
from seqrec.training.building import build_model
from seqrec.training.scoring import TrainingResult

if TYPE_CHECKING:
    from seqrec.experiment.schema import RunConfig


def fit(model: Fitted, splits: Splits, config: "RunConfig") -> TrainingResult:
    """Fit `model` for the test targets, and a second one like it for the validation targets.

    The time of the first is the training time. Neither gets to see the targets that it predicts.
    """
    num_items = splits.test.num_items
    validated = build_model(config, num_items)
    if not isinstance(validated, Fitted):
        raise TypeError(f"{config.implementation} is not a fitted model")
    _fit(validated, splits.train, config)
    seconds = _fit(model, splits.train_and_validation, config)
    scorers = Scorers(
        fitted_scorer(validated, config, splits.validation),
        fitted_scorer(model, config, splits.test),
    )
    return TrainingResult([], None, seconds, checked_state(model, config), scorers)


def _fit(model: Fitted, split: Split, config: "RunConfig") -> float:
    """Fit `model` on the histories of a split, and return the seconds that it took.

    Raises `SeqrecError` for whatever a library raises; what a custom model raises is its own.
    """
    histories = split.without_targets()
    start = time.perf_counter()
    try:
        model.fit(histories, config.seed, torch.get_num_threads())
    except Exception as error:
        if is_custom(config.implementation) or is_out_of_memory(error):
            raise
        settings = ", ".join(f"{k} {v}" for k, v in config.hyperparameters.items()) or "none"
        raise SeqrecError(
            f"{config.model}: its fit fails ({type(error).__name__}: {error}). Change its "
            f"hyperparameters ({settings}); a lower learning rate is the first to try."
        ) from error
    return time.perf_counter() - start


def fitted_scorer(model: Fitted, config: "RunConfig", split: Split) -> ScoreUsers:
    """Score the rows of a split by a fitted model, which knows their users by number.

    Scores of a custom model are checked each time, and copied, since ranking writes into them.
    The checks raise `SeqrecError`.
    """
    if not is_custom(config.implementation):
        return lambda rows: model.score(split.users_of(rows))

    def score(rows: np.ndarray) -> Tensor:
        users = split.users_of(rows)
        with custom_code(config.implementation, "in score", all_of_it=True):
            scores = model.score(users)
        wanted = [len(users), split.num_items]
        if not isinstance(scores, Tensor):
            found = type(scores).__name__
        elif scores.dtype != torch.float32 or list(scores.shape) != wanted:
            found = f"{scores.dtype} of shape {list(scores.shape)}"
        elif not bool(torch.isfinite(scores).all()):
            found = f"{int((~torch.isfinite(scores)).sum())} numbers that are not finite"
        else:
            return scores.clone()
        raise refusal(
            config,
            f"score gives {found} for {len(users)} users, and must give scores [users, items], a "
            f"torch.float32 tensor of finite numbers of shape {wanted}; column i is item i + 1.",
        )

    return score


def checked_state(model: Fitted, config: "RunConfig") -> dict[str, Tensor]:
    """Return `model.state()`; raise `SeqrecError` if a record cannot hold it."""
    with custom_code(config.implementation, "in state", all_of_it=True):
        state = model.state()
    values = state.values() if isinstance(state, dict) else [state]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in values):
        kinds = ", ".join(sorted({type(value).__name__ for value in values}))
        raise refusal(
            config,
            f"state gives {kinds}, and must give a dictionary of torch tensors, each by the name "
            "of its attribute (torch.from_numpy makes one of an array).",
        )
    return state

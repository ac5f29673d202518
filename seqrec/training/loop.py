"""The training loop: epochs of shuffled users, validation after each, early stopping.

The protocol is that of the paper's code: Adam without schedule or clipping, NDCG@10 of the
validation items under full ranking as the stopping metric, the best epoch's weights kept.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqrec.errors import SeqrecError
from seqrec.experiment.schema import RunConfig, Training
from seqrec.models.network import Network
from seqrec.protocol.metrics import metric_cutoffs, metrics_from_ranks
from seqrec.protocol.ranking import rank_users
from seqrec.protocol.splits import Split, Splits
from seqrec.running.resume import Sidecar, Stopped
from seqrec.training.batches import training_batch
from seqrec.training.objective import make_encoder, make_objective, make_sampler
from seqrec.training.precision import Engine
from seqrec.training.scoring import network_scorer

STOPPING_METRIC = "ndcg@10"


@dataclass
class Progress:
    """How far a training has come: with the weights and random states, all it needs to go on."""

    epoch: int = 0
    """The epoch under way, counted from 1; 0 before the first."""
    order: Tensor | None = None
    """This epoch's users `[trainable users]`, shuffled; None between epochs."""
    first: int = 0
    """How many of `order` have been trained on."""
    total_loss: Tensor = field(default_factory=lambda: torch.zeros(()))
    labels: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best_metric: float = -1.0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    seconds: float = 0.0
    """Of training so far, over all its pieces."""


@dataclass(frozen=True)
class Trained:
    """How a training went; the network holds the best epoch's weights."""

    history: list[dict[str, Any]]
    """One entry an epoch: epoch, seconds since the start, training loss, validation metrics."""
    best_epoch: int
    """Counted from 1."""
    training_seconds: float
    """The loop with its validations, until early stopping has fired."""


def train(
    network: Network,
    splits: Splits,
    config: RunConfig,
    engine: Engine,
    report: Callable[[dict[str, Any]], None] = lambda epoch: None,
    sidecar: Sidecar | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train `network` in place; `report` gets each epoch's history entry.

    With a `sidecar` the state is saved after each epoch, and a training that finds its own state
    goes on from there to the same result, bit for bit. When `stopping` turns true the state is
    saved in the middle of the epoch and `Stopped` is raised.

    Raises `SeqrecError` when nobody can be trained on, when there are too few items for the
    negatives, and when the loss stops being finite.
    """
    training, loss = config.training, config.loss
    if training is None or loss is None:
        raise ValueError(f"{config.model} has no loss to train with")
    task = network.task
    device = engine.device
    window = task.training_window(config.max_length)
    users = trainable_users(splits.train, task.shortest())
    # Streams of their own: what one draws never depends on how much another does.
    seeds = np.random.SeedSequence(config.seed).spawn(3)
    generator = torch.Generator().manual_seed(int(seeds[0].generate_state(1)[0]))
    validated = sample_users(splits.validation, training.validation_users, seeds[1])
    sampler = make_sampler(splits.train, loss, seeds[2], device)
    objective = make_objective(network, splits.train, users, window, loss, sampler, engine)
    encode = make_encoder(network, engine)
    score = network_scorer(network, splits.validation, config.max_length, device)
    optimiser = torch.optim.Adam(network.parameters(), lr=training.learning_rate, fused=True)
    cutoffs = metric_cutoffs(config)
    generators = [generator, *([sampler.generator] if sampler else [])]

    progress = Progress(total_loss=torch.zeros((), device=device))
    if sidecar is not None:
        progress = restore(sidecar, network, optimiser, generators, device) or progress
    start = time.perf_counter() - progress.seconds

    def save() -> None:
        if sidecar is not None:
            progress.seconds = time.perf_counter() - start
            sidecar.save(snapshot(progress, network, optimiser, generators, device))

    while not finished(progress, training):
        if progress.order is None:
            progress.epoch += 1
            progress.order = torch.from_numpy(users)[
                torch.randperm(len(users), generator=generator)
            ]
            progress.first, progress.labels = 0, 0
            progress.total_loss = torch.zeros((), device=device)
        network.train()
        while progress.first < len(progress.order):
            members = progress.order[progress.first : progress.first + training.batch_size]
            progress.first += len(members)
            batch = training_batch(splits.train, members.numpy(), window, task, generator, device)
            labels = sum(batch.counts)
            if labels > 0:  # short masked sequences may draw no mask at all
                optimiser.zero_grad(set_to_none=True)
                states = [
                    encode(inputs).flatten(0, 1).index_select(0, labelled)
                    for inputs, labelled in batch.groups
                ]
                value = objective(torch.cat(states), batch)
                value.backward()
                optimiser.step()
                progress.total_loss += value.detach() * labels
                progress.labels += labels
            if stopping():
                save()
                raise Stopped

        training_loss = float(progress.total_loss) / max(1, progress.labels)
        if not np.isfinite(training_loss):
            raise SeqrecError(
                f"the training loss is {training_loss} in epoch {progress.epoch}. "
                f"Lower training.learning_rate (it is {training.learning_rate})."
            )
        metrics = validate(network, score, splits.validation, validated, config, cutoffs)
        entry = {
            "epoch": progress.epoch,
            "seconds": time.perf_counter() - start,
            "training_loss": training_loss,
            **metrics,
        }
        progress.history.append(entry)
        if metrics[STOPPING_METRIC] > progress.best_metric:
            progress.best_epoch, progress.best_metric = progress.epoch, metrics[STOPPING_METRIC]
            progress.best_weights = {
                name: tensor.clone() for name, tensor in network.state_dict().items()
            }
        progress.order = None
        save()  # first, since a tracker's server may take its time to answer
        saved = time.perf_counter()
        report(entry)
        start += time.perf_counter() - saved
        if stopping():
            raise Stopped
    training_seconds = progress.history[-1]["seconds"]
    network.load_state_dict(progress.best_weights)
    return Trained(progress.history, progress.best_epoch, training_seconds)


def finished(progress: Progress, training: Training) -> bool:
    """Whether the last epoch allowed is over, or early stopping has fired."""
    return progress.order is None and (
        progress.epoch >= training.max_epochs
        or progress.epoch - progress.best_epoch >= training.patience
    )


def snapshot(
    progress: Progress,
    network: Network,
    optimiser: torch.optim.Optimizer,
    generators: list[torch.Generator],
    device: torch.device,
) -> dict[str, Any]:
    """Everything that the rest of a training depends on."""
    return {
        "progress": asdict(progress),
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "generators": [generator.get_state() for generator in generators],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def restore(
    sidecar: Sidecar,
    network: Network,
    optimiser: torch.optim.Optimizer,
    generators: list[torch.Generator],
    device: torch.device,
) -> Progress | None:
    """Put everything back as `snapshot` found it; None where there is nothing to go on from."""
    state = sidecar.load(torch.device("cpu"))
    if state is None:
        return None
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    for generator, random_state in zip(generators, state["generators"], strict=True):
        generator.set_state(random_state)
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], device)
    progress = Progress(**state["progress"])
    progress.total_loss = progress.total_loss.to(device)
    return progress


@torch.no_grad()
def validate(
    network: Network,
    score: Callable[[np.ndarray], Tensor],
    split: Split,
    users: np.ndarray,
    config: RunConfig,
    cutoffs: list[int],
) -> dict[str, float]:
    """Metrics of the given users' targets with dropout off."""
    network.eval()
    return metrics_from_ranks(
        rank_users(score, split, users, config.evaluation.batch_size), cutoffs
    )


def trainable_users(split: Split, shortest: int) -> np.ndarray:
    """Users whose train part gives at least one label."""
    users = np.flatnonzero(np.diff(split.offsets) - split.held_out >= shortest)
    if len(users) == 0:
        raise SeqrecError(
            f"no user has {shortest} train interactions, so there is nothing to train on: two of "
            "each user's interactions are held out for validation and test."
        )
    return users


def sample_users(split: Split, limit: int, seed: np.random.SeedSequence) -> np.ndarray:
    """All users, or `limit` of them drawn once where there are more."""
    if split.num_users <= limit:
        return np.arange(split.num_users)
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(split.num_users, limit, replace=False))

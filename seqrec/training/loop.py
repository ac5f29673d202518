"""The training loop: epochs of shuffled users, validation after each, early stopping.

By default the protocol is that of the paper's code: Adam without schedule or clipping, NDCG@10 of
the validation items under full ranking as the stopping metric, the best epoch's weights kept.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from seqrec.errors import SeqrecError
from seqrec.models.network import Network
from seqrec.protocol.epoch import Epoch
from seqrec.protocol.metrics import metrics_from_ranks, with_stopping_cutoff
from seqrec.protocol.ranking import NotFinite, rank_users
from seqrec.protocol.splits import Split, Splits
from seqrec.training.arithmetic import Engine
from seqrec.training.batches import TrainingSequences, make_batches
from seqrec.training.captured import CapturedStep
from seqrec.training.objective import make_encoder, make_objective, make_sampler
from seqrec.training.optimisation import learning_rate, make_optimiser, set_learning_rate
from seqrec.training.scoring import TrainingResult, network_scorer, network_scorers

if TYPE_CHECKING:
    from seqrec.experiment.schema import RunConfig


def train(trainer: "Trainer") -> Iterator[Epoch]:
    """Train to the end, and yield each epoch once it has been validated.

    At the end the network holds the best epoch's weights. A trainer that is told to stop does so
    after the current step; from its `snapshot` another continues to the same result, bit for bit.
    Time that the caller spends between epochs does not count as training time.

    Raises `SeqrecError` when the loss stops being finite.
    """
    while not (trainer.finished or trainer.stop_requested):
        with trainer.clock():
            if not trainer.in_epoch:
                trainer.begin_epoch()
            while trainer.users_left:
                trainer.step()
                if trainer.stop_requested:
                    return
            epoch = trainer.end_epoch()
        yield epoch
    if trainer.finished:
        trainer.network.load_state_dict(trainer.position.best_weights)


@dataclass
class Position:
    """How far a training has come."""

    epoch: int = 0
    """The epoch under way, counted from 1; 0 before the first."""
    order: Tensor | None = None
    """This epoch's users `[trainable users]`, shuffled; None between epochs."""
    first: int = 0
    """How many of `order` have been trained on."""
    total_loss: Tensor = field(default_factory=lambda: torch.zeros(()))
    """Sum over the labels of this epoch so far, on the device, as their number is."""
    labels: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.int64))
    history: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    best_stopping_metric: float = -1.0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    seconds: float = 0.0
    """Training time so far, over all pieces of the training."""


class Trainer:
    """A training under way: a network, what it learns from, and how far it has come."""

    def __init__(
        self, network: Network, splits: Splits, config: "RunConfig", engine: Engine
    ) -> None:
        """Prepare to train `network` in place.

        Raises `SeqrecError` when there is nobody to train on, or too few items for the negatives.
        """
        if config.training is None or config.loss is None:
            raise ValueError(f"{config.model} has no loss to train with")
        self.network, self.splits = network, splits
        self.config, self.settings = config, config.training
        self.device = engine.device
        self.sequences = TrainingSequences.of(splits.train, network.task, config.max_length)
        # Streams of their own: what one draws never depends on how much another does.
        order, validation, negatives = np.random.SeedSequence(config.seed).spawn(3)
        self.generator = torch.Generator().manual_seed(int(order.generate_state(1)[0]))
        # What a task draws is drawn where batches are made.
        self.drawing = self.generator
        if self.device.type != "cpu":
            self.drawing = torch.Generator(self.device).manual_seed(int(order.generate_state(2)[1]))
        self.validated = sample_users(splits.validation, self.settings.validation_users, validation)
        self.sampler = make_sampler(self.sequences, config.loss, negatives, self.device)
        sparse = self.settings.sparse
        self.objective = make_objective(network, config.loss, self.sampler, engine, sparse=sparse)
        # The cost of a loss over all items is that of its positions.
        labels_alone = config.loss.negatives is None
        self.batches = make_batches(
            self.sequences,
            self.settings.batch_size,
            self.drawing,
            self.device,
            labels_alone=labels_alone,
        )
        self.encode = make_encoder(network, engine)
        self.score = network_scorer(network, splits.validation, config.max_length, self.device)
        if sparse and engine.compile:
            raise SeqrecError(
                "training.sparse cannot be compiled: how many items a step reads is not known "
                "beforehand. Leave one of the two out."
            )
        self.capture = engine.compile and self.device.type == "cuda"
        self.optimiser = make_optimiser(network, self.settings, capturable=self.capture)
        self.learn = self._make_step()
        self.position = Position()
        self._keep_sums()
        self.stop_requested = False
        """Set it to stop training after the current step."""

    def _keep_sums(self) -> None:
        """Have the sums of the epoch on the device."""
        at = self.position
        at.total_loss, at.labels = at.total_loss.to(self.device), at.labels.to(self.device)

    # How far it is

    @property
    def in_epoch(self) -> bool:
        """Whether an epoch has begun and not yet been validated."""
        return self.position.order is not None

    @property
    def users_left(self) -> bool:
        """Whether the epoch under way has users that have not been trained on."""
        order = self.position.order
        return order is not None and self.position.first < len(order)

    @property
    def finished(self) -> bool:
        """Whether the last epoch allowed is over, or early stopping has fired."""
        at = self.position
        return not self.in_epoch and (
            at.epoch >= self.settings.max_epochs
            or at.epoch - at.best_epoch >= self.settings.patience
        )

    @contextmanager
    def clock(self) -> Iterator[None]:
        """Count the time of the block as training time."""
        self._started = time.perf_counter() - self.position.seconds
        try:
            yield
        finally:
            self.position.seconds = self._seconds()

    def _seconds(self) -> float:
        """Training time up to now, while the clock runs."""
        return time.perf_counter() - self._started

    # An epoch

    def begin_epoch(self) -> None:
        """Shuffle the users for the next epoch."""
        at, users = self.position, torch.from_numpy(self.sequences.users)
        at.epoch += 1
        at.order = users[torch.randperm(len(users), generator=self.generator)]
        at.first = 0
        at.total_loss.zero_()
        at.labels.zero_()
        self.batches.begin(at.order)
        self.network.train()

    def step(self) -> None:
        """Train on the next batch of users."""
        at = self.position
        if at.order is None:
            raise ValueError("no epoch has begun")
        self._set_learning_rate()
        inputs = self.batches.inputs(at.first)
        at.first = min(at.first + self.settings.batch_size, len(at.order))
        self.learn(*inputs)

    def _make_step(self) -> Callable[..., None]:
        """Return what takes a step, on tensors as they now are."""
        if not self.capture:
            return self._learn
        return CapturedStep(self._learn, self._generators(), self.batches.room)

    def _learn(self, *inputs: Tensor) -> None:
        """Make a step on the batch that `inputs` stand for."""
        at, batch = self.position, self.batches.batch(*inputs)
        labels = batch.labels()
        # Short masked sequences may draw no mask at all. An accelerator is not asked: it makes a
        # step without gradients.
        if labels.is_cpu and labels == 0:
            return
        self.optimiser.zero_grad(set_to_none=True)
        hidden = torch.cat(
            [
                self.encode(*group.arguments).flatten(0, 1).index_select(0, group.positions)
                for group in batch.groups
            ]
        )
        if batch.real is not None:
            hidden = hidden.masked_fill(~batch.real[:, None], 0.0)
        loss = self.objective(hidden, batch)
        loss.backward()
        if self.settings.gradient_clipping is not None:
            clip_grad_norm_(self.network.parameters(), self.settings.gradient_clipping)
        self.optimiser.step()
        at.total_loss += loss.detach() * labels
        at.labels += labels

    def _set_learning_rate(self) -> None:
        """Give the optimiser the learning rate of the step that comes next."""
        at, size = self.position, self.settings.batch_size
        steps_per_epoch = -(-len(self.sequences.users) // size)
        step = (at.epoch - 1) * steps_per_epoch + at.first // size
        rate = learning_rate(self.settings, step, self.settings.max_epochs * steps_per_epoch)
        set_learning_rate(self.optimiser, rate)

    def end_epoch(self) -> Epoch:
        """Validate the network, and keep its weights if it is the best so far."""
        at = self.position
        # The one time in an epoch that the host waits for an accelerator.
        training_loss = float(at.total_loss) / max(1, int(at.labels))
        if not np.isfinite(training_loss):
            raise SeqrecError(
                f"the training loss is {training_loss} in epoch {at.epoch}. "
                f"Lower training.learning_rate (it is {self.settings.learning_rate})."
            )
        try:
            validation = self.validate()
        except NotFinite:
            raise SeqrecError(
                f"the network's scores are not finite after epoch {at.epoch}, whose training loss "
                f"was {training_loss:.4g}. Lower training.learning_rate (it is "
                f"{self.settings.learning_rate})."
            ) from None
        stopping_metric = self.settings.stopping_metric
        epoch = Epoch(at.epoch, self._seconds(), training_loss, validation, stopping_metric)
        at.history.append(epoch)
        if self.is_best(epoch):
            at.best_epoch = epoch.number
            at.best_stopping_metric = epoch.validation.get(epoch.stopped_by, 0.0)
            at.best_weights = {
                name: tensor.clone() for name, tensor in self.network.state_dict().items()
            }
        at.order = None
        return epoch

    def is_best(self, epoch: Epoch) -> bool:
        """Whether an epoch is better than all before it, so that its weights are kept."""
        return epoch.stopping_metric > self.position.best_stopping_metric

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Compute the metrics of the validated users' targets, with dropout off."""
        evaluation, split = self.config.evaluation, self.splits.validation
        self.network.eval()
        ranks = rank_users(self.score, split, self.validated, evaluation.batch_size)
        return metrics_from_ranks(
            ranks, with_stopping_cutoff(evaluation.cutoffs, self.settings.stopping_metric)
        )

    # To and from a file

    def snapshot(self) -> dict[str, Any]:
        """Return all that the rest of the training depends on: tensors, numbers and their
        containers."""
        return {
            "position": asdict(self.position),
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generators": [generator.get_state() for generator in self._generators()],
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Put everything back as `snapshot` found it."""
        position = dict(snapshot["position"])
        position["history"] = [Epoch(**epoch) for epoch in position["history"]]
        self.position = Position(**position)
        self._keep_sums()
        self.learn = self._make_step()
        if self.position.order is not None:
            self.batches.begin(self.position.order)
        self.network.load_state_dict(snapshot["network"])
        self.network.train(self.in_epoch)
        self.optimiser.load_state_dict(snapshot["optimiser"])
        for generator, state in zip(self._generators(), snapshot["generators"], strict=True):
            generator.set_state(state)
        torch.set_rng_state(snapshot["torch"])
        if snapshot["cuda"] is not None:
            torch.cuda.set_rng_state(snapshot["cuda"], self.device)

    def _generators(self) -> list[torch.Generator]:
        found = [self.generator, *([self.sampler.generator] if self.sampler else [])]
        return found if self.drawing is self.generator else [*found, self.drawing]

    # The end

    def result(self) -> TrainingResult:
        """Return what a finished training produced, with the network ready to score."""
        network, history = self.network.eval(), self.position.history
        # A recorded step holds the memory of all that it computes.
        self.learn = self._learn
        self.optimiser.zero_grad(set_to_none=True)
        # Cutoffs may have changed before the training went on: a curve has a point every epoch.
        measured = set.intersection(*(set(epoch.validation) for epoch in history))
        curves = [
            replace(epoch, validation={k: v for k, v in epoch.validation.items() if k in measured})
            for epoch in history
        ]
        return TrainingResult(
            curves,
            self.position.best_epoch,
            history[-1].seconds,
            {name: tensor.cpu() for name, tensor in network.state_dict().items()},
            network_scorers(network, self.splits, self.config.max_length, self.device),
        )


def sample_users(split: Split, limit: int, seed: np.random.SeedSequence) -> np.ndarray:
    """Return all users, or `limit` of them drawn once where there are more, int64 `[users]`."""
    if split.num_users <= limit:
        return np.arange(split.num_users)
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(split.num_users, limit, replace=False))

"""Do one run, from its configuration to its record.

This is where the parts meet. Read `run` first: it trains or fits a model and records what came of
it. The loop over epochs is in `_train`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

import click
import torch
from safetensors.torch import save

from seqrec.data.interactions import Interactions
from seqrec.errors import Stopped
from seqrec.experiment.custom import custom_code, is_custom
from seqrec.experiment.schema import RunConfig
from seqrec.models.fitted import Fitted
from seqrec.models.network import Network
from seqrec.protocol.epoch import Epoch
from seqrec.protocol.evaluation import evaluate
from seqrec.protocol.sampled import require_enough_items
from seqrec.protocol.splits import Splits, leave_one_out
from seqrec.records.reading import require_replaceable
from seqrec.records.record import Data, Piece, Provenance, Record
from seqrec.records.writing import write_record
from seqrec.running.device import device_title
from seqrec.running.device_places import Place, place_on_device
from seqrec.running.engine import choose_engine, usable_cores
from seqrec.running.epoch_ticker import ticking
from seqrec.running.failures import failure_noted
from seqrec.running.folder_lock import alone_in
from seqrec.running.memory import hand_back_freed_memory, keep_freed_memory, peak_memory
from seqrec.running.network_check import check_network
from seqrec.running.options import AUTOMATIC, EngineOptions
from seqrec.running.origin import Key, changes, joined, piece_from, training_key
from seqrec.running.progress import Reporter, reported
from seqrec.running.provenance import cluster_job, code_version, library_versions
from seqrec.running.resume import ResumeFiles, SavedState, stopped_by_signals
from seqrec.training.building import seeded_model
from seqrec.training.fitting import fit
from seqrec.training.loop import Trainer, train
from seqrec.training.precision import Engine, set_arithmetic
from seqrec.training.scoring import Outcome


class Observer(Protocol):
    """Whoever is told how a run goes, such as the terminal or a tracker."""

    def epoch(self, epoch: Epoch) -> None:
        """Take one more epoch."""

    def result(self, record: Record) -> None:
        """Take the record of the finished run."""


@dataclass(frozen=True)
class Job:
    """All that a run works with."""

    config: RunConfig
    folder: Path
    log: Interactions
    splits: Splits
    engine: Engine
    code: Provenance
    place: Place


def run(
    config: RunConfig,
    data: Path,
    folder: Path,
    options: EngineOptions = AUTOMATIC,
    observers: Sequence[Observer] = (),
) -> Record:
    """Do one run on the log in `data` and write its record into `folder`.

    A training that was stopped before goes on from its saved state. Where the options leave a
    choice of GPUs, `place_on_device` makes it. On failure `failure.json` says what went wrong,
    where and how to go on, and the error is raised again. Raises `Stopped` after a signal to stop.
    """
    require_replaceable(folder)
    if config.loss is None:  # a library's fit or a count has no use for a GPU
        options = replace(options, device="cpu")
    # Without CUDA in torch, there is no use for a place on a GPU either.
    wanted = options.device if torch.version.cuda else "cpu"
    with (
        alone_in(folder),
        failure_noted(config, data, folder),
        place_on_device(wanted, options.runs_per_gpu) as place,
        custom_code(config.implementation, "while it is run"),
        reported(config, folder) as progress,
    ):
        keep_freed_memory()
        log = Interactions.load(data)
        # Read before training: the code that runs is the code of this moment.
        code = code_version(config)
        engine = _as_begun(
            choose_engine(options), options, partial(training_key, config, log, code), folder
        )
        set_arithmetic(engine)
        splits = leave_one_out(log)
        require_enough_items(splits, config.evaluation)
        job = Job(config, folder, log, splits, engine, code, place)
        model = _checked_model(job)
        if isinstance(model, Network):
            outcome, pieces = _train(model, job, progress, observers)
        else:
            outcome, pieces = fit(model, job.splits, config), []
        record = _write(job, outcome, pieces)
    for observer in observers:
        observer.result(record)
    return record


def _train(
    network: Network, job: Job, progress: Reporter, observers: Sequence[Observer]
) -> tuple[Outcome, list[Piece]]:
    """Train `network` to the end, from its saved state if there is one.

    Returns the outcome, and the pieces in which it was trained.
    """
    trainer = Trainer(network.to(job.engine.device), job.splits, job.config, job.engine)
    resume, place = ResumeFiles(job.folder), job.place
    key = training_key(job.config, job.log, job.code, job.engine)
    pieces: list[Piece] = []
    if begun := resume.load(key):
        trainer.restore(begun.state)
        place.most_runs = max(place.most_runs, begun.runs_sharing_device)
        pieces = begun.pieces
    if not trainer.finished:
        pieces = _with_this_piece(pieces, trainer, job)
    with stopped_by_signals(trainer), ticking(trainer) as ticker:
        for epoch in train(trainer):
            ticker.clear()
            place.look()
            # Saved first, since a tracker's server may take its time to answer.
            resume.save(SavedState(key, trainer.snapshot(), place.most_runs, pieces))
            progress.epoch(epoch)
            hand_back_freed_memory()
            for observer in observers:
                observer.epoch(epoch)
        if trainer.stop_requested:
            resume.save(SavedState(key, trainer.snapshot(), place.most_runs, pieces))
            raise Stopped
    return trainer.outcome(), pieces


def _with_this_piece(pieces: list[Piece], trainer: Trainer, job: Job) -> list[Piece]:
    """Add the piece of the training that begins here; say so if it computes with something else."""
    at = trainer.position
    piece = piece_from(at.epoch if trainer.in_epoch else at.epoch + 1, job.engine)
    if pieces and (changed := changes(pieces[-1], piece)):
        click.echo(
            f"{job.folder}: goes on from epoch {piece.first_epoch}, but before with {changed}. The "
            "result may differ in its last bits from that of a training in one piece; the record "
            "names the pieces.",
            err=True,
        )
    return joined(pieces, piece)


def _checked_model(job: Job) -> Network | Fitted:
    """Build the model from the run's seed; a custom network is tried on a few sequences first."""
    config, num_items = job.config, job.log.num_items
    model = seeded_model(config, num_items)
    if isinstance(model, Network) and is_custom(config.implementation):
        check_network(model.to(job.engine.device), config, num_items)
        # The check leaves other weights and has drawn numbers, so begin anew.
        model = seeded_model(config, num_items)
    return model


def _write(job: Job, outcome: Outcome, pieces: list[Piece]) -> Record:
    """Evaluate what was trained, and write weights, configuration and record."""
    config, splits, engine, place = job.config, job.splits, job.engine, job.place
    quality = evaluate(outcome.scorers, splits, config)
    plain_config = config.model_dump(mode="json")
    record = Record(
        folder=job.folder,
        format=1,
        dataset=config.dataset,
        model=config.model,
        negatives=config.loss.negatives if config.loss else None,
        seed=config.seed,
        config=plain_config,
        config_hash=config.hash(),
        data=Data(sha256=job.log.digest, statistics=job.log.statistics),
        seqrec=job.code,
        libraries=library_versions(),
        device=device_title(engine.device),
        device_kind=engine.device.type,
        device_id=place.device,
        threads=torch.get_num_threads(),
        # As seen when the run took its place, after each epoch and now.
        runs_sharing_device=place.look(),
        precision=engine.precision,
        logits_per_chunk=engine.logits_per_chunk,
        compile=engine.compile,
        job=cluster_job(),
        parameters=sum(tensor.numel() for tensor in outcome.weights.values()),
        epochs=len(outcome.history) or None,
        best_epoch=outcome.best_epoch,
        training_seconds=outcome.training_seconds,
        validation=quality.validation,
        test=quality.test,
        test_sampled=quality.test_sampled,
        pieces=pieces if len(pieces) > 1 else None,
        peak_memory_bytes=peak_memory(engine.device),
    )
    # Copies: safetensors refuses weights that share memory, as tied ones do.
    weights = {
        name: tensor.clone(memory_format=torch.contiguous_format)
        for name, tensor in outcome.weights.items()
    }
    arrays = (quality.test_ranks, quality.target_counts)
    # Not save_file: its error for a full disk is no OSError.
    record = write_record(record, outcome.history, *arrays, weights=save(weights))
    ResumeFiles(job.folder).remove()
    return record


def _as_begun(
    engine: Engine, options: EngineOptions, key_of: Callable[[Engine], Key], folder: Path
) -> Engine:
    """Return the engine in the precision with which the training in `folder` was begun, if any.

    Also takes as many threads as that training. The nodes of a cluster may differ in which
    precision is faster. `key_of` gives the training's key with an engine.
    """
    begun = ResumeFiles(folder).newest()
    if begun is None:
        return engine
    precisions: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")
    for precision in precisions if options.precision == "auto" else (engine.precision,):
        other = replace(engine, precision=precision)
        if key_of(other) == begun.key:
            _take_threads(begun.pieces[-1].threads, options.threads, folder)
            return other
    return engine


def _take_threads(begun: int, asked: int | None, folder: Path) -> None:
    """Compute with as many threads as a training was begun with, if there are the cores."""
    if begun == torch.get_num_threads() or begun > usable_cores():
        return
    torch.set_num_threads(begun)
    if asked is not None:
        click.echo(
            f"{folder}: goes on with {begun} threads, as it was begun, and not with {asked}: other "
            "threads would change the last bits of its result.",
            err=True,
        )

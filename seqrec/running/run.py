"""Do one run, from its configuration to its record.

This is where the parts meet. Read `run` first: it trains or fits a model and records what came of
it. The loop over epochs is in `_train`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import click
import torch
from safetensors.torch import save

from seqrec.data.interactions import Interactions
from seqrec.errors import Stopped
from seqrec.experiment.custom import LOSS, custom_code, is_custom
from seqrec.experiment.schema import RunConfig
from seqrec.models.network import Network
from seqrec.protocol.epoch import Epoch
from seqrec.protocol.evaluation import evaluate
from seqrec.protocol.splits import Splits
from seqrec.records.arrays import Arrays
from seqrec.records.reading import FORMAT, require_replaceable
from seqrec.records.record import Data, Provenance, Record, TrainingPiece
from seqrec.records.writing import write_record
from seqrec.running.cold import count_cold
from seqrec.running.device import product_name
from seqrec.running.device_places import Place, place_on_device
from seqrec.running.engine import choose_engine, usable_cores
from seqrec.running.epoch_ticker import ticking
from seqrec.running.failures import failure_noted
from seqrec.running.folder_lock import alone_in
from seqrec.running.loss_check import check_loss
from seqrec.running.memory import hand_back_freed_memory, keep_freed_memory, peak_memory
from seqrec.running.network_check import check_network
from seqrec.running.options import AUTOMATIC, EngineOptions
from seqrec.running.origin import Key, changes, piece_from, training_key, with_piece
from seqrec.running.popularity import recommended_popularity
from seqrec.running.progress import Reporter, reported
from seqrec.running.provenance import cluster_job, code_version, library_versions
from seqrec.running.resume import ResumeFiles, SavedState, stopped_by_signals
from seqrec.training.arithmetic import Engine
from seqrec.training.beginning import begin_run
from seqrec.training.fitting import fit
from seqrec.training.loop import Trainer, train
from seqrec.training.precision import Precision
from seqrec.training.refitting import Refitter, refitted
from seqrec.training.scoring import TrainingResult


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
        custom_code(config.loss.kind if config.loss else "", "while it is run", role=LOSS),
        reported(config, folder) as progress,
    ):
        keep_freed_memory()
        log = Interactions.load(data)
        # Read before training: the code that runs is the code of this moment.
        code = code_version(config)
        engine = choose_engine(options)
        engine = _as_begun(engine, options, training_key(config, log, code, engine), folder)
        _check_custom_code(config, log, engine)
        splits, model = begin_run(config, log, engine)
        job = Job(config, folder, log, splits, engine, code, place)
        if isinstance(model, Network):
            result, pieces = _train(model, job, progress, observers)
        else:
            result, pieces = fit(model, splits, config), []
        record = _write(job, result, pieces)
    for observer in observers:
        observer.result(record)
    return record


def _train(
    network: Network, job: Job, progress: Reporter, observers: Sequence[Observer]
) -> tuple[TrainingResult, list[TrainingPiece]]:
    """Train `network` to the end, from its saved state if there is one.

    Returns the result, and the pieces in which it was trained.
    """
    trainer = Trainer(network, job.splits, job.config, job.engine)
    resume, place = ResumeFiles(job.folder), job.place
    key = training_key(job.config, job.log, job.code, job.engine)
    pieces: list[TrainingPiece] = []
    begun = resume.load(key)
    if begun:
        trainer.restore(begun.state)
        place.most_runs = max(place.most_runs, begun.runs_sharing_device)
        pieces = begun.pieces
    if not trainer.finished:
        pieces = _with_this_piece(pieces, _next_epoch(trainer), job)
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
    result = trainer.result()
    if not job.config.split.refit:
        return result, pieces
    state = SavedState(key, trainer.snapshot(), place.most_runs, pieces, begun and begun.refit)
    return _refit(result, job, state)


def _refit(
    result: TrainingResult, job: Job, begun: SavedState
) -> tuple[TrainingResult, list[TrainingPiece]]:
    """Train a new network on train and validation together for the best number of epochs.

    Goes on from the state of such a training in `begun`, which holds that of the first as well.
    """
    if result.best_epoch is None:
        raise ValueError("nothing says for how many epochs to train")
    _, network = begin_run(job.config, job.log, job.engine)
    if not isinstance(network, Network):
        raise TypeError(f"{job.config.implementation} is not a network")
    refitter = Refitter(network, job.splits, job.config, job.engine, result.best_epoch)
    resume, place, pieces = ResumeFiles(job.folder), job.place, begun.pieces
    if begun.refit:
        refitter.restore(begun.refit)
    if not refitter.finished:
        click.echo(
            f"{job.folder}: trains anew on train and validation, {result.best_epoch} epochs",
            err=True,
        )
        pieces = _with_this_piece(pieces, len(result.history) + _next_epoch(refitter), job)

    def save() -> None:
        so_far = begun._replace(runs_sharing_device=place.most_runs, pieces=pieces)
        resume.save(so_far._replace(refit=refitter.snapshot()))

    with stopped_by_signals(refitter), ticking(refitter) as ticker:
        for _ in train(refitter):
            ticker.clear()
            place.look()
            save()
            hand_back_freed_memory()
        if refitter.stop_requested:
            save()
            raise Stopped
    return refitted(result, refitter.result()), pieces


def _next_epoch(trainer: Trainer) -> int:
    """Return the epoch under way, or the one to come; the first is 1."""
    at = trainer.position
    return at.epoch if trainer.in_epoch else at.epoch + 1


def _with_this_piece(
    pieces: list[TrainingPiece], first_epoch: int, job: Job
) -> list[TrainingPiece]:
    """Add the piece of the training that begins here; say so if it computes with something else."""
    piece = piece_from(first_epoch, job.engine)
    if pieces and (changed := changes(pieces[-1], piece)):
        click.echo(
            f"{job.folder}: goes on from epoch {piece.first_epoch}, but before with {changed}. The "
            "result may differ in its last bits from that of a training in one piece; the record "
            "names the pieces.",
            err=True,
        )
    return with_piece(pieces, piece)


def _check_custom_code(config: RunConfig, log: Interactions, engine: Engine) -> None:
    """Try a custom loss on a few logits, and a custom network on a few sequences.

    Raises `SeqrecError` for what they do wrong.

    Comes before the run begins: it leaves other weights and draws random numbers.
    """
    if config.loss and is_custom(config.loss.kind):
        check_loss(config.loss, log.num_items, engine.device)
    if config.loss and is_custom(config.implementation):
        _, model = begin_run(config, log, engine)
        if isinstance(model, Network):
            check_network(model, config, log.num_items)


def _write(job: Job, result: TrainingResult, pieces: list[TrainingPiece]) -> Record:
    """Evaluate what was trained, and write weights, configuration and record."""
    config, splits, engine, place = job.config, job.splits, job.engine, job.place
    quality = evaluate(result.scorers, splits, config)
    plain_config = config.model_dump(mode="json")
    record = Record(
        folder=job.folder,
        format=FORMAT,
        dataset=config.dataset,
        split=config.split.name,
        model=config.model,
        negatives=config.loss.negatives if config.loss else None,
        seed=config.seed,
        config=plain_config,
        config_hash=config.hash(),
        data=Data(sha256=job.log.digest, statistics=job.log.statistics.written()),
        seqrec=job.code,
        libraries=library_versions(),
        device=product_name(engine.device),
        device_kind=engine.device.type,
        device_id=place.device,
        threads=torch.get_num_threads(),
        # As seen when the run took its place, after each epoch and now.
        runs_sharing_device=place.look(),
        precision=engine.precision,
        logits_per_chunk=engine.logits_per_chunk,
        compile=engine.compile,
        job=cluster_job(),
        parameters=sum(tensor.numel() for tensor in result.weights.values()),
        epochs=len(result.history) or None,
        best_epoch=result.best_epoch,
        training_seconds=result.training_seconds,
        refit_seconds=result.refit_seconds,
        validation=quality.validation,
        test=quality.test,
        test_sampled=quality.test_sampled,
        recommended_popularity=recommended_popularity(splits.train, quality.recommended_counts),
        cold=count_cold(job.log, config.split),
        pieces=pieces if len(pieces) > 1 else None,
        peak_memory_bytes=peak_memory(engine.device),
    )
    # Copies: safetensors refuses weights that share memory, as tied ones do.
    weights = {
        name: tensor.clone(memory_format=torch.contiguous_format)
        for name, tensor in result.weights.items()
    }
    arrays = Arrays.of(quality)
    # Not save_file: its error for a full disk is no OSError.
    record = write_record(record, arrays, result.history, save(weights))
    ResumeFiles(job.folder).remove()
    return record


def _as_begun(engine: Engine, options: EngineOptions, key: Key, folder: Path) -> Engine:
    """Return the engine in the precision with which the training in `folder` was begun, if any.

    Also takes as many threads as that training. The nodes of a cluster may differ in which
    precision is faster. `key` is that of the training with `engine`.
    """
    begun = ResumeFiles(folder).newest()
    if begun is None:
        return engine
    other: Precision = "float32" if engine.precision == "bfloat16" else "bfloat16"
    if options.precision == "auto" and begun.key == key | {"precision": other}:
        engine = replace(engine, precision=other)
    elif begun.key != key:
        return engine
    _take_threads(begun.pieces[-1].threads, options.threads, folder)
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

"""Evaluate a trained network again, when nothing but its evaluation has changed."""

from dataclasses import replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from seqrec.data.interactions import Interactions
from seqrec.errors import SeqrecError
from seqrec.experiment.schema import RunConfig
from seqrec.layout import RunFiles
from seqrec.protocol.splitting import split_log
from seqrec.records.arrays import Arrays
from seqrec.records.reading import read_record
from seqrec.records.record import Record
from seqrec.records.writing import write_record
from seqrec.running.engine import choose_engine
from seqrec.running.options import EngineOptions
from seqrec.running.popularity import recommended_popularity
from seqrec.training.scoring import evaluate_weights


def evaluate_again(
    config: RunConfig, data: Path, folder: Path, options: EngineOptions
) -> Record | None:
    """Evaluate the weights in `folder` by a new `evaluation`, and renew the record.

    Cutoffs, batch size and sampled negatives change no weight. Returns None, and changes nothing,
    where the run must be trained: other settings or data, no weights, or a model that fits itself
    or was refitted, since the weights are then no longer those that were validated.
    The caller holds the folder's lock.
    """
    files = RunFiles(folder)
    if config.loss is None or config.split.refit:
        return None
    if not (files.metrics.is_file() and files.weights.is_file()):
        return None
    try:
        record = read_record(folder)
        record.require_recorded(files.weights)
        log = Interactions.load(data)
        weights = load_file(files.weights)
    except (SeqrecError, SafetensorError):
        return None
    wanted, found = config.model_dump(mode="json"), dict(record.config)
    wanted.pop("evaluation")
    found.pop("evaluation", None)
    if found != wanted or record.data.sha256 != log.digest:
        return None
    engine = choose_engine(replace(options, precision=record.precision, compile=False))
    quality = evaluate_weights(weights, config, log, engine)
    renewed = record.model_copy(
        update={
            "config": config.model_dump(mode="json"),
            "config_hash": config.hash(),
            "validation": quality.validation,
            "test": quality.test,
            "test_sampled": quality.test_sampled,
            "recommended_popularity": recommended_popularity(
                split_log(log, config.split).train, quality.recommended_counts
            ),
        }
    )
    return write_record(renewed, Arrays.of(quality))

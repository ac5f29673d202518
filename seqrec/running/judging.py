"""Judge what another library predicts by the protocol of our own models, and record the result."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seqrec.data.interactions import Interactions
from seqrec.errors import SeqrecError
from seqrec.experiment.naming import is_the_papers
from seqrec.experiment.schema import Evaluation, RunSplit
from seqrec.files import sha256
from seqrec.layout import ResultFiles, Run, RunFiles
from seqrec.protocol.metrics import LIST_LENGTH, metrics_from_ranks, with_stopping_cutoff
from seqrec.protocol.ranking import MISS, rank_and_recommend
from seqrec.protocol.splits import Split, Splits
from seqrec.protocol.splitting import split_log
from seqrec.records import Record
from seqrec.records.arrays import Arrays
from seqrec.records.grid_file import GridFile
from seqrec.records.reading import FORMAT, has_record, read_metrics
from seqrec.records.record import Data, Predictions
from seqrec.records.writing import write_record
from seqrec.running.cold import count_cold
from seqrec.running.folder_lock import alone_in
from seqrec.running.popularity import recommended_popularity
from seqrec.running.predictions import Lists, read_lists
from seqrec.running.provenance import cluster_job, code_version, library_versions

ELSEWHERE = "elsewhere"
"""The device and the implementation of what another library has trained."""


@dataclass(frozen=True)
class Judged:
    """The predictions of another library, judged."""

    record: Record
    lists: Lists
    """Those of the test."""


def judge(
    run: Run,
    split: RunSplit,
    data: Path,
    results: Path,
    predictions: Path,
    validation: Path | None = None,
) -> Judged:
    """Rank the targets of a split in the lists of `predictions`, and write a run record.

    `data` is the folder of the log, `run` what the record is to be called in `results`. A target
    that its list lacks is a miss, and there are no metrics beyond the longest list. With a file of
    `validation`, the record has its metrics, too. A record that was made from predictions before
    is replaced.

    Raises `SeqrecError` as `read_lists` does, for lists of fewer than ten items, and for a name
    that a model trained by seqrec has.
    """
    files = ResultFiles(results).run(*run)
    _require_free_name(results, run, files)
    log = Interactions.load(data)
    splits = split_log(log, split)
    found = read_lists(predictions, log, splits.test, run.dataset)
    ranks, counts = _ranked(found, splits.test, predictions)
    sets = splits.test.target_users() if splits.test.stops is not None else None
    of_validation = {}
    if validation is not None:
        lists = read_lists(validation, log, splits.validation, run.dataset)
        ranked = _ranked(lists, splits.validation, validation)[0]
        of_validation = metrics_from_ranks(ranked, _cutoffs(lists))
    config = _config(run, split)
    record = Record(
        folder=files.folder,
        format=FORMAT,
        dataset=run.dataset,
        split=run.split,
        model=run.model,
        negatives=None,
        seed=run.seed,
        config=config,
        config_hash=hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest(),
        data=Data(sha256=log.digest, statistics=log.statistics.written()),
        seqrec=code_version(),
        libraries=library_versions(),
        device=ELSEWHERE,
        device_kind=ELSEWHERE,
        threads=torch.get_num_threads(),
        runs_sharing_device=1,
        precision="float32",
        job=cluster_job(),
        parameters=0,
        epochs=None,
        best_epoch=None,
        training_seconds=0.0,
        validation=of_validation,
        test=metrics_from_ranks(ranks, _cutoffs(found), sets),
        recommended_popularity=None
        if counts is None
        else recommended_popularity(splits.train, counts),
        cold=count_cold(log, split),
        predictions=Predictions(
            sha256=sha256(predictions),
            validation_sha256=sha256(validation) if validation else None,
            list_length=found.length,
        ),
        peak_memory_bytes=0,
    )
    with alone_in(files.folder, doing="working on this run"):
        _require_free_name(results, run, files)
        return Judged(write_record(record, _arrays(splits, ranks, counts)), found)


def _ranked(lists: Lists, split: Split, path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Rank all targets of a split, int32 `[targets]`, as in the evaluation of our own models.

    Also count how often each item is recommended, `[items]`; None where a list is too short.
    Raises `SeqrecError` if all lists are.
    """
    if lists.length is not None and lists.length < LIST_LENGTH:
        raise SeqrecError(
            f"{path}: its longest list holds {lists.length} of the items that are ranked, and "
            f"metrics at {LIST_LENGTH} need as many. Predict at least {LIST_LENGTH} for each user."
        )
    ranks, counts = rank_and_recommend(lists.scorer(), split, Evaluation().batch_size)
    row, item = split.target_pairs(np.arange(split.num_users))
    ranks[~lists.hold(row, item)] = MISS
    is_long = lists.complete | (lists.lengths >= LIST_LENGTH)
    return ranks, counts if is_long.all() else None


def _cutoffs(lists: Lists) -> list[int]:
    """Return the usual cutoffs, without those beyond the longest list."""
    cutoffs = with_stopping_cutoff(Evaluation().cutoffs)
    return [k for k in cutoffs if lists.length is None or k <= lists.length]


def _arrays(splits: Splits, ranks: np.ndarray, counts: np.ndarray | None) -> Arrays:
    row, item = splits.test.target_pairs(np.arange(splits.test.num_users))
    lengths = splits.test.lengths(row)
    users = splits.test.target_users()
    return Arrays(ranks, splits.train.item_counts()[item], counts, lengths, users)


def _config(run: Run, split: RunSplit) -> dict[str, Any]:
    """Return what is known of the configuration, in the form of that of our own runs."""
    config = {
        "dataset": run.dataset,
        "model": run.model,
        "seed": run.seed,
        "implementation": ELSEWHERE,
    }
    return config if split == RunSplit() else {**config, "split": split.written()}


def _require_free_name(results: Path, run: Run, files: RunFiles) -> None:
    """Raise `SeqrecError` if seqrec trains, or has trained, a model of this name itself.

    That includes the paper's models, beside whose published numbers it would stand.
    """
    taken = is_the_papers(run.model)
    taken = taken or run.model in {asked.model for asked in GridFile.read(results).wanted()}
    if has_record(files.folder):
        taken = taken or read_metrics(files.folder).predictions is None
    else:
        taken = taken or files.resume.exists() or files.weights.exists()
    if taken:
        raise SeqrecError(
            f"{files.folder}: {run.model} is the name of a model that seqrec trains itself. Give "
            f"another --model, such as theirs-{run.model}."
        )

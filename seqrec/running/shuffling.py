"""Test a trained model on shuffled histories: how much of its quality comes from their order.

After Klenitskiy, Volodkevich, Pembek and Vasilev, "Does It Look Sequential?", RecSys 2024
(arXiv 2408.12008): the model was trained on histories as they are, and is tested on both.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from seqrec.audit.order import SEEDS, Shuffling, shuffled
from seqrec.data.sequences import Sequences
from seqrec.errors import SeqrecError
from seqrec.experiment.custom import custom_code
from seqrec.models.fitted import Fitted
from seqrec.protocol.metrics import LIST_LENGTH, REPORTED_METRICS, metrics_from_ranks
from seqrec.protocol.ranking import ScoreUsers, rank_targets, require_finite, to_device
from seqrec.protocol.splits import Split
from seqrec.protocol.splitting import split_log
from seqrec.records.reading import has_record, read_metrics
from seqrec.running.recommend import Recommender, reporting_out_of_memory

NO_ITEM = -1
"""Stands in a list of the best items where there are not enough."""


def measure_shuffling(
    run: Path, dataset: str, data: Path, device: str = "auto", trust: bool = False
) -> Shuffling:
    """Test the model of a finished run from the test histories as they are, and shuffled.

    The log of the dataset lies in `data`. Raises `SeqrecError` where `Recommender.load` does, and
    for a run on another dataset or of a model that reads no order.
    """
    if has_record(run) and (record := read_metrics(run)).dataset != dataset:
        raise SeqrecError(
            f"{run}: was trained on {record.dataset}, and not on {dataset}. Give a run on "
            f"{dataset}, or audit {record.dataset}."
        )
    recommender = Recommender.load(run, data, device, trust)
    config, log = recommender.config, recommender.log
    if isinstance(recommender.model, Fitted):
        raise SeqrecError(
            f"{run}: {config.model} does not read the order of a history, so shuffling changes "
            "nothing. Give a run of a sequential model, such as sasrec+."
        )
    test = split_log(log, config.split).test
    ordered = _histories(test)

    def tested(log: Sequences) -> tuple[dict[str, float], np.ndarray]:
        score = recommender.scorer(Split.whole(log))
        doing = custom_code(config.implementation, "while it scores histories")
        with torch.inference_mode(), reporting_out_of_memory(recommender.device), doing:
            ranks, best = _rank(score, test, config.evaluation.batch_size)
        metrics = metrics_from_ranks(ranks, [LIST_LENGTH])
        return {name: metrics[name] for name in REPORTED_METRICS}, best

    before, best = tested(ordered)
    after, overlap = [], []
    for seed in range(SEEDS):
        metrics, others = tested(shuffled(ordered, np.random.default_rng(seed)))
        after.append(metrics)
        overlap.append(float(overlaps(best, others).mean()))
    return Shuffling(
        run=str(run),
        model=config.model,
        before=before,
        after={name: [one[name] for one in after] for name in REPORTED_METRICS},
        overlap=overlap,
    )


def overlaps(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the Jaccard overlap of the lists of each user, float `[users]`.

    Both are `[users, items]`, and hold `NO_ITEM` where a list has ended.
    """
    both = np.sort(np.concatenate((some, others), axis=1), axis=1)
    common = ((both[:, 1:] == both[:, :-1]) & (both[:, 1:] != NO_ITEM)).sum(1)
    total = (both != NO_ITEM).sum(1) - common
    return np.where(total, common / np.maximum(total, 1), 1.0)


def _histories(split: Split) -> Sequences:
    """Copy the histories of a split, with their times."""
    rows = np.arange(split.num_users)
    items = split.pairs(rows)[1].astype(np.int32)
    offsets = np.concatenate(([0], np.cumsum(split.lengths(rows))))
    times = None if split.times is None else replace(split, items=split.times).pairs(rows)[1]
    return Sequences(items, offsets, split.num_items, times=times)


def _rank(score: ScoreUsers, test: Split, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Rank the test targets by the protocol, int `[users]`, and list the best items of each user,
    `[users, LIST_LENGTH]`."""
    ranks, best = [], []
    for first in range(0, test.num_users, batch_size):
        users = np.arange(first, min(first + batch_size, test.num_users))
        scores = require_finite(score(users))
        row, item = test.unranked_pairs(users)
        arrays = (test.targets(users) - 1, row, item - 1)
        places = (to_device(scores.device, torch.from_numpy(array)) for array in arrays)
        ranks.append(rank_targets(scores, *places).cpu().numpy())
        found = scores.topk(min(LIST_LENGTH, scores.shape[1]), dim=1)
        items = torch.where(found.values.isneginf(), NO_ITEM, found.indices)
        best.append(items.cpu().numpy())
    return np.concatenate(ranks), np.concatenate(best)

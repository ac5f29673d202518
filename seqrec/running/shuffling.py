"""Test a trained model on shuffled histories: how much of its quality comes from their order.

After Klenitskiy, Volodkevich, Pembek and Vasilev, "Does It Look Sequential?", RecSys 2024
(arXiv 2408.12008): the model was trained on histories as they are, and is tested on both.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seqrec.audit.order import SEEDS, Shuffling, shuffled
from seqrec.audit.overlap import NO_ITEM, overlaps
from seqrec.data.sequences import Sequences
from seqrec.errors import SeqrecError
from seqrec.experiment.custom import custom_code
from seqrec.models.fitted import Fitted
from seqrec.protocol.metrics import LIST_LENGTH, REPORTED_METRICS, metrics_from_ranks
from seqrec.protocol.ranking import ScoreUsers, rank_and_recommend
from seqrec.protocol.splits import Split
from seqrec.protocol.splitting import split_log
from seqrec.records.reading import has_record, read_metrics
from seqrec.running.loading import reporting_out_of_memory
from seqrec.running.recommend import Recommender


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
    sets = None if test.stops is None else test.target_users()
    ordered = _histories(test)

    def tested(histories: Sequences) -> tuple[dict[str, float], np.ndarray]:
        score = _Listing(recommender.scorer(Split.whole(histories)), test)
        doing = custom_code(config.implementation, "while it scores histories")
        with reporting_out_of_memory(recommender.device), doing:
            ranks, _ = rank_and_recommend(score, test, config.evaluation.batch_size)
        metrics = metrics_from_ranks(ranks, [LIST_LENGTH], sets)
        return {name: metrics[name] for name in REPORTED_METRICS}, score.best

    before, best = tested(ordered)
    after, overlap = [], []
    for seed in range(SEEDS):
        metrics, others = tested(shuffled(ordered, np.random.default_rng(seed)))
        after.append(metrics)
        overlap.append(float(overlaps(best, others).mean()))
    return Shuffling(
        run=str(run),
        model=config.model,
        targets=test.num_users,
        before=before,
        after={name: [one[name] for one in after] for name in REPORTED_METRICS},
        overlap=overlap,
    )


def _histories(split: Split) -> Sequences:
    """Copy the histories of a split, with their times."""
    rows = np.arange(split.num_users)
    items = split.pairs(rows)[1].astype(np.int32)
    offsets = np.concatenate(([0], np.cumsum(split.lengths(rows))))
    times = None if split.times is None else replace(split, items=split.times).pairs(rows)[1]
    return Sequences(items, offsets, split.num_items, times=times)


class _Listing:
    """Scores the rows of a split, and lists the best items of each by the way."""

    def __init__(self, score: ScoreUsers, split: Split) -> None:
        self.score, self.split = score, split
        self.best = np.full((split.num_users, LIST_LENGTH), NO_ITEM)
        """The items with the highest scores of each row, `[rows, LIST_LENGTH]`."""

    def __call__(self, rows: np.ndarray) -> Tensor:
        scores = self.score(rows)
        unseen = scores.clone()
        row, item = self.split.unranked_pairs(rows)
        unseen[torch.from_numpy(row), torch.from_numpy(item - 1)] = -torch.inf
        found = unseen.topk(min(LIST_LENGTH, unseen.shape[1]), dim=1)
        items = torch.where(found.values.isneginf(), NO_ITEM, found.indices)
        self.best[rows, : items.shape[1]] = items.cpu().numpy()
        return scores

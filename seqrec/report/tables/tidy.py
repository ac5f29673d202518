"""Tables for programs: one line for every finished run."""

from collections.abc import Iterable

import pandas as pd

from seqrec.layout import results_of
from seqrec.protocol.metrics import GAINS, STOPPING_METRIC, metrics_from_ranks
from seqrec.records.record import Record
from seqrec.report.settings import differing_settings

METRICS = [f"{name}@{k}" for k in (10, 100) for name in ("hit_rate", "ndcg", "mrr")]
"""Columns that are always there; other cutoffs that a record has come after them."""


def results_table(records: Iterable[Record]) -> pd.DataFrame:
    """List the finished runs: test metrics, the validation metric by which settings may be chosen,
    and the settings that differ among the runs."""
    records = list(records)
    others = {name for record in records for name in record.test} - set(METRICS)
    metrics = [*METRICS, *sorted(others, key=lambda n: (int(n.partition("@")[2] or 0), n))]
    settings = pd.DataFrame(differing_settings(records), dtype=object)
    frame = pd.DataFrame(
        [
            [r.task, r.model, r.negatives, r.seed]
            + [r.test.get(name) for name in metrics]
            + [r.validation.get(STOPPING_METRIC)]
            + [r.training_seconds if r.predictions is None else None]
            + [r.epochs, r.best_epoch, r.device]
            for r in records
        ],
        columns=[
            *("dataset", "model", "negatives", "seed", *metrics),
            *(f"validation_{STOPPING_METRIC}", "training_seconds", "epochs", "best_epoch"),
            "device",
        ],
    )
    whole = ["negatives", "seed", "epochs", "best_epoch"]
    return frame.astype(dict.fromkeys(whole, "Int64")).join(settings)


def metrics_table(records: Iterable[Record], cutoffs: Iterable[int]) -> pd.DataFrame:
    """List the finished runs with their test metrics at any cutoffs, computed from their ranks.

    Where they lie in several experiments, their folders are listed, too. Raises `SeqrecError` for
    a cutoff beyond the lists that a record was made from.
    """
    records, cutoffs = list(records), sorted(set(cutoffs))
    for record in records:
        record.require_metrics(f"{name}@{k}" for k in cutoffs for name in GAINS)
    several = len({results_of(record.folder) for record in records}) > 1
    return pd.DataFrame(
        {
            **({"folder": record.folder.as_posix()} if several else {}),
            "dataset": record.task,
            "model": record.model,
            "seed": record.seed,
            **metrics_from_ranks(
                record.ranks(), cutoffs, record.target_users() if record.has_sets else None
            ),
        }
        for record in records
    )

"""Models as their records measure them, over the seeds that have finished."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np

from seqrec.errors import SeqrecError
from seqrec.experiment.naming import dataset_order, model_order
from seqrec.records.record import Record, place_of
from seqrec.records.survey import Missing, Survey, grouped
from seqrec.report.inference import Interval, Scores, bootstrap_interval

METRICS = ("hit_rate@10", "ndcg@10")


QUALITY = "ndcg@10"
"""The metric that claims are decided by, as training is stopped by it."""


def datasets_of(found: Survey) -> list[str]:
    """Those of an experiment's runs, in the paper's order."""
    return sorted({run.dataset for run in found.runs}, key=dataset_order)


@dataclass(frozen=True, eq=False)
class Measured:
    """A model on a dataset, over the seeds that have finished."""

    records: list[Record]
    scores: dict[str, Scores]
    intervals: dict[str, Interval]
    """Over users, with each user's metric averaged over these seeds: where other users like these
    would put this mean. What other seeds would change is no part of it."""

    @property
    def data(self) -> str:
        return self.records[0].data.sha256

    def mean(self, metric: str) -> float:
        return float(self.scores[metric].seeds.mean())


def measure(records: Sequence[Record]) -> Measured:
    """Records that differ in their seeds alone, on the same data."""
    ranks = [record.ranks() for record in records]
    require_same_users(records)
    scores = {metric: Scores.of(ranks, metric) for metric in METRICS}
    intervals = {metric: bootstrap_interval(one.users) for metric, one in scores.items()}
    return Measured(list(records), scores, intervals)


def measure_dataset(records: Iterable[Record], dataset: str) -> dict[str, Measured]:
    """The models of a dataset that have finished, each by itself; not one whose own records' data
    differ."""
    of_model = grouped((r for r in records if r.dataset == dataset), lambda record: record.model)
    return {
        model: measure(of_model[model])
        for model in sorted(of_model, key=model_order)
        if len({record.data.sha256 for record in of_model[model]}) == 1
    }


def comparable(models: Mapping[str, Measured]) -> dict[str, Measured]:
    """`models` of one dataset if their data are the same. Else none of them: then nothing can be
    said over the same users, and nothing is."""
    if len({measured.data for measured in models.values()}) != 1:
        return {}
    require_same_users([measured.records[0] for measured in models.values()])
    return dict(models)


def require_same_users(records: Sequence[Record]) -> None:
    """Refuse to pair users of different data. One digest is one order of the same users, with the
    same targets."""
    first = records[0]
    for record in records[1:]:
        if record.data.sha256 != first.data.sha256:
            raise SeqrecError(
                f"{record.folder}: was trained on other data than {first.folder} (the logs of "
                f"{record.dataset} have the digests {record.data.sha256[:12]} and "
                f"{first.data.sha256[:12]}), so their users cannot be compared. Train both on the "
                "same files."
            )
        if (ours := record.users) != (theirs := first.users):
            raise SeqrecError(
                f"{record.folder / 'ranks.npy'}: holds {ours:,} users, and "
                f"{first.folder / 'ranks.npy'}, on the same data, {theirs:,}. One of them is "
                "damaged: train it again."
            )
        if not np.array_equal(record.target_counts(), first.target_counts()):
            raise SeqrecError(
                f"{record.folder / 'target_counts.npy'}: differs from "
                f"{first.folder / 'target_counts.npy'}, on the same data. One of them is damaged: "
                "train it again."
            )


def without_misfits(found: Survey) -> Survey:
    """`found` with the records that have other users than most on the same data among the missing:
    a damaged one must not stop all tables."""
    kept, missing = [], [*found.missing]
    remedy = "Delete the one that is damaged and run the experiment again."
    for group in grouped(found.records, lambda r: (r.dataset, r.data.sha256)).values():
        alike = grouped(group, lambda r: sha256(r.target_counts().tobytes()).digest())
        most = max(alike.values(), key=len)
        kept += most
        for record in group:
            if record not in most:
                odd, other = (f"runs/{place_of(r.run).as_posix()}" for r in (record, most[0]))
                reason = f"{odd}/target_counts.npy: has other users than {other}, on the same data."
                missing.append(Missing(record.run, reason, remedy))
    return replace(found, records=sorted(kept, key=lambda r: r.run), missing=sorted(missing))


def seconds_to_best(record: Record) -> float:
    """Training time up to the end of the best epoch, with its validations."""
    history = record.history()
    return float(history.loc[history["epoch"] == record.best_epoch, "seconds"].iloc[0])


def device(record: Record) -> str:
    """A kind of device: its name, and on a CPU how many threads computed."""
    if record.device_kind != "cpu":
        return record.device
    return f"{record.device}, {record.threads} {'thread' if record.threads == 1 else 'threads'}"

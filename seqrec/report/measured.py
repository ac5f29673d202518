"""Models as their records measure them, over the seeds that have finished."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np

from seqrec.errors import SeqrecError
from seqrec.layout import RunFiles, run_folder
from seqrec.records.record import Record
from seqrec.records.survey import Missing, Survey, grouped
from seqrec.report.inference import Interval, Scores, bootstrap_interval


def datasets_of(found: Survey) -> list[str]:
    """List the datasets of an experiment in order."""
    return list(dict.fromkeys(run.task for run in found.runs))


@dataclass(frozen=True, eq=False)
class Measured:
    """A model on a dataset, over the seeds that have finished."""

    records: list[Record]
    scores: dict[str, Scores]
    """By metric."""
    _intervals: dict[str, Interval] = field(default_factory=dict, repr=False)
    """Those that were asked for: each takes a while."""

    def interval(self, metric: str) -> Interval:
        """Bootstrap a metric over users, each user's value averaged over these seeds.

        The interval says where the mean of other users like these would lie, not what other seeds
        would change.
        """
        if metric not in self._intervals:
            self._intervals[metric] = bootstrap_interval(self.scores[metric].users)
        return self._intervals[metric]

    @property
    def data(self) -> str:
        """Digest of the log that the model was trained on."""
        return self.records[0].data.sha256

    def mean(self, metric: str) -> float:
        """Mean of a metric over users and seeds."""
        return self.scores[metric].mean

    @property
    def best_epochs(self) -> list[int]:
        """Best epoch of each seed; none of a model without epochs."""
        return [one.best_epoch for one in self.records if one.best_epoch is not None]


def measure(records: Sequence[Record], metrics: Iterable[str]) -> Measured:
    """Measure a model from its records, which differ in their seeds alone, on the same data."""
    ranks = [record.ranks() for record in records]
    require_same_users(records)
    return Measured(list(records), {metric: Scores.of(ranks, metric) for metric in metrics})


def measure_dataset(
    records: Iterable[Record], dataset: str, metrics: Sequence[str]
) -> dict[str, Measured]:
    """Measure each finished model of a dataset by itself, in the order of the records.

    A model whose own records were trained on different data is left out.
    """
    of_model = grouped((r for r in records if r.task == dataset), lambda record: record.model)
    return {
        model: measure(seeds, metrics)
        for model, seeds in of_model.items()
        if len({record.data.sha256 for record in seeds}) == 1
    }


def comparable(models: Mapping[str, Measured]) -> dict[str, Measured]:
    """Return `models` of one dataset if all were trained on the same data, and else none of them.

    Tests are paired by user, so nothing can be said about models of different users.
    """
    if len({measured.data for measured in models.values()}) != 1:
        return {}
    require_same_users([measured.records[0] for measured in models.values()])
    return dict(models)


def require_same_users(records: Sequence[Record]) -> None:
    """Raise a `SeqrecError` if the users of some records cannot be paired.

    One digest stands for one order of the same users with the same targets.
    """
    first = records[0]
    for record in records[1:]:
        files, first_files = RunFiles(record.folder), RunFiles(first.folder)
        if record.data.sha256 != first.data.sha256:
            raise SeqrecError(
                f"{record.folder}: was trained on other data than {first.folder} (the logs of "
                f"{record.dataset} have the digests {record.data.sha256[:12]} and "
                f"{first.data.sha256[:12]}), so their users cannot be compared. Train both on the "
                "same files."
            )
        if (ours := record.users) != (theirs := first.users):
            raise SeqrecError(
                f"{files.ranks}: holds {ours:,} users, and {first_files.ranks}, on the same data, "
                f"{theirs:,}. One of them is damaged: train it again."
            )
        if not np.array_equal(record.target_counts(), first.target_counts()):
            raise SeqrecError(
                f"{files.target_counts}: differs from {first_files.target_counts}, on the same "
                "data. One of them is damaged: train it again."
            )


def without_misfits(found: Survey) -> Survey:
    """Move records whose users differ from most others on the same data to the missing runs.

    One damaged record must not stop all tables.
    """
    kept, missing = [], [*found.missing]
    remedy = "Delete the one that is damaged and run the experiment again."
    for group in grouped(found.records, lambda r: (r.task, r.data.sha256)).values():
        alike = grouped(group, lambda r: sha256(r.target_counts().tobytes()).digest())
        most = max(alike.values(), key=len)
        kept += most
        for others in alike.values():
            for record in others if others is not most else ():
                odd, usual = (RunFiles(run_folder(*one.run)) for one in (record, most[0]))
                reason = (
                    f"{odd.target_counts.as_posix()}: has other users than "
                    f"{usual.folder.as_posix()}, on the same data."
                )
                missing.append(Missing(record.run, reason, remedy))
    return replace(
        found,
        records=sorted(kept, key=lambda r: found.order(r.run)),
        missing=sorted(missing, key=lambda lost: found.order(lost.run)),
    )

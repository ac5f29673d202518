"""Models as their records measure them, over the seeds that have finished."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from seqrec.errors import SeqrecError
from seqrec.layout import RunFiles, run_folder
from seqrec.records.record import LONGER_LISTS, KnownSplit, Record
from seqrec.records.survey import Missing, Survey, grouped
from seqrec.report.inference import Interval, Scores, Targets, bootstrap_interval


def datasets_of(found: Survey) -> list[str]:
    """List the datasets of an experiment in order."""
    return list(dict.fromkeys(run.task for run in found.runs))


@dataclass(frozen=True, eq=False)
class Measured:
    """A model on a dataset, over the seeds that have finished."""

    records: list[Record]
    scores: dict[str, Scores]
    """By metric."""
    targets: Targets | None = None
    """Whose the test targets are; None if each user has one."""
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

    def on(self, chosen: npt.NDArray[np.bool_], metric: str) -> Scores:
        """Measure a metric on some of the test targets, `[targets]`."""
        for record in self.records:
            record.require_metrics([metric])
        ranks = [record.ranks()[chosen] for record in self.records]
        return Scores.of(ranks, metric, self.targets and self.targets.among(chosen))

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
    """Measure a model from its records, which differ in their seeds alone, on the same data.

    Raises `SeqrecError` for a metric that a record lacks, as its lists are too short.
    """
    metrics = list(metrics)
    for record in records:
        record.require_metrics(metrics)
    ranks = [record.ranks() for record in records]
    require_same_users(records)
    targets = targets_of(records[0])
    scores = {metric: Scores.of(ranks, metric, targets) for metric in metrics}
    return Measured(list(records), scores, targets)


def targets_of(record: Record) -> Targets | None:
    """Tell whose a record's test targets are; None if each user has one."""
    users = record.target_users()
    return None if users is None else Targets(users, record.has_sets)


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
        if tested_under(record) != tested_under(first):
            raise SeqrecError(
                f"{record.folder}: was tested under another split than {first.folder}, so their "
                "users cannot be compared. Train both under one split."
            )
        if (ours := record.users) != (theirs := first.users):
            raise SeqrecError(
                f"{files.ranks}: holds {ours:,} users, and {first_files.ranks}, on the same data, "
                f"{theirs:,}. One of them is damaged: train it again."
            )
        if _target_bytes(record) != _target_bytes(first):
            raise SeqrecError(
                f"{files.target_counts}: differs from {first_files.target_counts}, on the same "
                "data. One of them is damaged: train it again."
            )


LEAVE_ONE_OUT = KnownSplit()


def split_of(records: Sequence[Record]) -> KnownSplit:
    """Return the split that the records of one task have in common; leave-one-out without any."""
    return records[0].known_config.split if records else LEAVE_ONE_OUT


def tested_under(record: Record) -> tuple[object, ...]:
    """Return what of a split decides which targets are ranked, among which items, and how often
    these occur in the train part."""
    split = record.known_config.split
    return split.kind, split.quantile, split.at, split.validation, split.target, split.seen


def _target_bytes(record: Record) -> bytes:
    """Return bytes that records with the same test targets have in common."""
    users = record.target_users()
    return record.target_counts().tobytes() + (b"" if users is None else users.tobytes())


def without_short_lists(found: Survey, metrics: Sequence[str]) -> Survey:
    """Move records whose lists are too short for one of `metrics` to the missing runs."""
    missing = [
        Missing(record.run, f"{lacking}.", LONGER_LISTS)
        for record in found.records
        if (lacking := record.lacks(metrics))
    ]
    if not missing:
        return found
    lost = {one.run for one in missing}
    return replace(
        found,
        records=[record for record in found.records if record.run not in lost],
        missing=sorted([*found.missing, *missing], key=lambda one: found.order(one.run)),
    )


def without_misfits(found: Survey) -> Survey:
    """Move records whose users differ from most others on the same data to the missing runs.

    One damaged record must not stop all tables.
    """
    kept, missing = [], [*found.missing]
    for group in grouped(found.records, lambda r: (r.task, r.data.sha256)).values():
        alike = grouped(
            group, lambda record: (tested_under(record), sha256(_target_bytes(record)).digest())
        )
        most = max(alike.values(), key=len)
        kept += most
        for others in alike.values():
            for record in others if others is not most else ():
                odd, usual = (RunFiles(run_folder(*one.run)) for one in (record, most[0]))
                reason = (
                    f"{odd.target_counts.as_posix()}: has other users than "
                    f"{usual.folder.as_posix()}, on the same data."
                )
                remedy = "Delete the one that is damaged and run the experiment again."
                if tested_under(record) != tested_under(most[0]):
                    reason = (
                        f"{odd.metrics.as_posix()}: was tested under another split than "
                        f"{usual.folder.as_posix()}."
                    )
                    remedy = "Delete the one that you do not want and run the experiment again."
                missing.append(Missing(record.run, reason, remedy))
    return replace(
        found,
        records=sorted(kept, key=lambda r: found.order(r.run)),
        missing=sorted(missing, key=lambda lost: found.order(lost.run)),
    )

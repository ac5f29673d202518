"""Which of the paper's published values the records reproduce."""

from enum import StrEnum
from typing import NamedTuple

from seqrec.protocol.metrics import REPORTED_METRICS
from seqrec.report.evidence import Evidence
from seqrec.report.inference import Interval

REPRODUCED_WITHIN = 0.05
"""Relative difference up to which a published value counts as reproduced."""


class Outcome(StrEnum):
    """How our value compares with a published one, or why the two cannot be compared."""

    REPRODUCED = "reproduced"
    BETTER = "better"
    WORSE = "worse"
    NOT_RUN = "not run"
    MIXED_DATA = "seeds differ in data"
    OTHER_SETTINGS = "other settings"

    @property
    def decided(self) -> bool:
        """Whether the two values were compared."""
        return self in (Outcome.REPRODUCED, Outcome.BETTER, Outcome.WORSE)


class Verdict(NamedTuple):
    """One published value and ours."""

    dataset: str
    model: str
    metric: str
    published: float
    ours: float | None
    interval: Interval | None
    outcome: Outcome


def verdict(ours: float, interval: Interval, published: float) -> Outcome:
    """Compare our value, with its 95% interval over users, with a published one.

    It is *reproduced* if `published` lies in the interval or ours is within 5% of it, and otherwise
    *better* or *worse*. The paper's users are ours, so the interval is a yardstick for how far a
    metric of so many users can be trusted, not a test of whether two trainings are alike.
    """
    if published in interval or abs(ours - published) <= REPRODUCED_WITHIN * published:
        return Outcome.REPRODUCED
    return Outcome.BETTER if ours > published else Outcome.WORSE


def verdicts(evidence: Evidence) -> list[Verdict]:
    """Give a verdict on every published metric of the experiment's datasets."""
    return [
        _verdict_on(evidence, dataset, model, metric)
        for (dataset, model), published in evidence.paper.results.items()
        for metric in REPORTED_METRICS
        if dataset in evidence.measured and metric in published
    ]


def _verdict_on(evidence: Evidence, dataset: str, model: str, metric: str) -> Verdict:
    published = evidence.paper.results[dataset, model][metric]
    measured = evidence.measured[dataset].get(model)
    if measured is None:
        finished = evidence.has_finished(dataset, model)
        outcome = Outcome.MIXED_DATA if finished else Outcome.NOT_RUN
        return Verdict(dataset, model, metric, published, None, None, outcome)
    ours, interval = measured.mean(metric), measured.intervals[metric]
    outcome = verdict(ours, interval, published)
    if not evidence.is_the_papers(dataset, model):
        outcome = Outcome.OTHER_SETTINGS
    return Verdict(dataset, model, metric, published, ours, interval, outcome)

"""Which of the paper's published values the records reproduce.

Each published value is from one training. The question is therefore whether ours is close to it, or
else whether one more training of ours might come out as theirs did. Training times are not judged:
they say more about a machine than about a model.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from statistics import fmean, variance
from typing import NamedTuple

from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.report.differences import scatters
from seqrec.report.evidence import Evidence
from seqrec.report.inference import Interval, prediction_interval
from seqrec.report.levels import REPRODUCED_WITHIN

BEST_EPOCH = "best_epoch"

ROUNDING_VARIANCE = 1 / 12
"""Variance that rounding to whole epochs adds; two equal best epochs are not known exactly."""

KINDS = (
    "metrics of the paper's table",
    "best epochs of the paper's table",
    "points of the paper's figure",
    "metrics of the follow-up study",
)
"""The kinds of published values, of which each is counted apart."""


class Outcome(StrEnum):
    """How our value compares with a published one, or why the two cannot be compared."""

    REPRODUCED = "reproduced"
    PLAUSIBLE = "plausible"
    BETTER = "better"
    WORSE = "worse"
    EARLIER = "earlier"
    LATER = "later"
    UNDECIDED = "undecided"
    NOT_RUN = "not run"
    MIXED_DATA = "seeds differ in data"
    OTHER_SETTINGS = "other settings"

    @property
    def decided(self) -> bool:
        """Whether the two values were compared, and something followed."""
        return self not in (
            *(Outcome.UNDECIDED, Outcome.NOT_RUN),
            *(Outcome.MIXED_DATA, Outcome.OTHER_SETTINGS),
        )


class ShownIn(StrEnum):
    """Where a value was published: in the paper, or by the study that followed it."""

    TABLE = "table"
    FIGURE = "figure"
    FOLLOW_UP = "follow-up"


class PublishedValue(NamedTuple):
    """A value of the paper."""

    dataset: str
    model: str
    quantity: str
    """A metric such as `ndcg@10`, or `best_epoch`."""
    source: ShownIn
    value: float
    tolerance: float = 0.0
    """The largest error with which it was read off a figure."""


class Verdict(NamedTuple):
    """A published value beside ours."""

    published: PublishedValue
    ours: float | None
    """Mean over our seeds."""
    seeds: int
    prediction: Interval | None
    """In which one more training of ours would lie, in 95% of cases; None where nothing shows how
    much trainings of this kind scatter."""
    outcome: Outcome


def verdict(ours: float, prediction: Interval | None, published: PublishedValue) -> Outcome:
    """Compare our value with a published one.

    It is *reproduced* if ours is within 5% of it; otherwise *plausible* if it lies in our
    prediction interval, so that one more training of ours might give it; and otherwise *better* or
    *worse*, or for epochs *earlier* or *later*. A value read off a figure may be off by its
    tolerance, which counts in our favour both times. Without a prediction interval the 5% alone
    decide on a metric, which leaves chance out of account; an epoch, which scatters far more, stays
    *undecided*.
    """
    value, tolerance = published.value, published.tolerance
    if abs(ours - value) <= REPRODUCED_WITHIN * value + tolerance:
        return Outcome.REPRODUCED
    if prediction and prediction.low - tolerance <= value <= prediction.high + tolerance:
        return Outcome.PLAUSIBLE
    if published.quantity == BEST_EPOCH:
        if prediction is None:
            return Outcome.UNDECIDED
        return Outcome.LATER if ours > value else Outcome.EARLIER
    return Outcome.BETTER if ours > value else Outcome.WORSE


def verdicts(evidence: Evidence) -> list[Verdict]:
    """Give a verdict on every published value of the experiment's datasets but the times."""
    return [
        _verdict_on(evidence, published)
        for published in _published(evidence)
        if published.dataset in evidence.measured
    ]


def counts(verdicts: Sequence[Verdict]) -> dict[str, Counter[Outcome]]:
    """Count the outcomes of each kind of published value, by its name, of those that were run."""
    found: dict[str, Counter[Outcome]] = {}
    for one in verdicts:
        if one.outcome is not Outcome.NOT_RUN:
            found.setdefault(_kind(one.published), Counter())[one.outcome] += 1
    return {kind: found[kind] for kind in KINDS if kind in found}


def _kind(published: PublishedValue) -> str:
    metrics, epochs, points, later = KINDS
    if published.source is ShownIn.FIGURE:
        return points
    if published.source is ShownIn.FOLLOW_UP:
        return later
    return epochs if published.quantity == BEST_EPOCH else metrics


def _published(evidence: Evidence) -> Iterator[PublishedValue]:
    for (dataset, model), row in evidence.paper.results.items():
        for name in (*evidence.paper.metrics, BEST_EPOCH):
            if name in row:
                yield PublishedValue(dataset, model, name, ShownIn.TABLE, row[name])
    for (dataset, model), row in evidence.paper.follow_up.items():
        if model in evidence.wanted(dataset):
            for name, value in row.items():
                yield PublishedValue(dataset, model, name, ShownIn.FOLLOW_UP, value)
    for (dataset, negatives), row in evidence.paper.curve.items():
        point, tolerance = row[STOPPING_METRIC], row.get("tolerance", 0.0)
        model = f"sasrec+{negatives}"
        yield PublishedValue(dataset, model, STOPPING_METRIC, ShownIn.FIGURE, point, tolerance)


def _verdict_on(evidence: Evidence, published: PublishedValue) -> Verdict:
    dataset, model, quantity = published.dataset, published.model, published.quantity
    measured = evidence.measured[dataset].get(model)
    if measured is None:
        finished = evidence.has_finished(dataset, model)
        outcome = Outcome.MIXED_DATA if finished else Outcome.NOT_RUN
        return Verdict(published, None, 0, None, outcome)
    if quantity == BEST_EPOCH:
        ours, prediction = _epochs(measured.best_epochs)
    else:
        ours = measured.mean(quantity)
        prediction = _metric(evidence, published, ours, len(measured.records))
    outcome = Outcome.OTHER_SETTINGS
    if evidence.is_the_papers(dataset, model):
        outcome = verdict(ours, prediction, published)
    return Verdict(published, ours, len(measured.records), prediction, outcome)


def _metric(
    evidence: Evidence, published: PublishedValue, mean: float, seeds: int
) -> Interval | None:
    """Predict a metric by the scatter that the tests use."""
    models = evidence.comparable[published.dataset] or {
        published.model: evidence.measured[published.dataset][published.model]
    }
    scatter = scatters(models, published.quantity).of(published.model)
    if not scatter.known:
        return None
    return prediction_interval(mean, seeds, scatter.variation * mean**2, scatter.freedom)


def _epochs(best: Sequence[int]) -> tuple[float, Interval | None]:
    """Predict a best epoch by the model's own seeds: kinds of loss are not alike in epochs."""
    mean = fmean(best)
    if len(best) < 2:
        return mean, None
    between = max(variance(best), ROUNDING_VARIANCE)
    found = prediction_interval(mean, len(best), between, len(best) - 1)
    return mean, Interval(max(1.0, found.low), found.high)

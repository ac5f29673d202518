"""Which of the paper's claims the records support, dataset by dataset."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import NamedTuple

import numpy as np

from seqrec.experiment.naming import sampled_negatives
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.report.cells import MarkedText, Piece, joined
from seqrec.report.differences import scatters, share
from seqrec.report.evidence import Evidence
from seqrec.report.inference import Difference, difference, trend
from seqrec.report.levels import ALPHA
from seqrec.report.numbers import (
    number,
    p_value,
    percent,
    second_decimals,
    signed,
    signed_interval,
)


class Support(StrEnum):
    """What numbers say about a claim."""

    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    UNDECIDED = "undecided"


class Tested(NamedTuple):
    """A difference that a claim is decided by."""

    label: MarkedText
    difference: Difference
    relative: float
    """The difference as a share of what is subtracted; NaN if it is none of two models."""


class Claim(NamedTuple):
    """A claim of the paper, and what the records say about it on one dataset."""

    dataset: str
    claim: str
    published: Support | None
    """What the paper's own numbers say on this dataset, where it has any."""
    verdict: Support
    evidence: MarkedText
    tested: Sequence[Tested] = ()
    """The differences that decide it, if it is about quality."""


class Answer(NamedTuple):
    """A verdict with its evidence."""

    verdict: Support
    evidence: MarkedText
    tested: Sequence[Tested] = ()


@dataclass(frozen=True)
class Question:
    """How one claim is decided."""

    claim: str
    models: list[str]
    """The models that it is about."""
    published: Callable[[], bool]
    """Whether the paper's own numbers say so; raises `KeyError` where it has none."""
    decide: Callable[[], Answer]
    """Decides by the records, once all of the models have finished."""


def claims(evidence: Evidence, dataset: str) -> list[Claim]:
    """Decide the paper's claims on one dataset, those about models of the experiment.

    Quality is decided by NDCG@10 and the paired test of `inference.contrast` at the 5% level: a
    claim *holds* if its difference is significant, *does not hold* if the opposite one is, and is
    otherwise, or while a run is missing, *undecided*. A claim of two differences needs both, which
    takes no correction (the intersection-union test: Berger, 1982). The same claim on several
    datasets is a family of tests; each is at the 5% level, as each verdict is on one dataset.
    Epochs, and the times that follow from them, are decided by all pairs of runs, without a test.
    """
    return _DatasetClaims(evidence, dataset).decided()


class _DatasetClaims:
    """The claims on one dataset, with the numbers that decide them."""

    def __init__(self, evidence: Evidence, dataset: str) -> None:
        self.evidence = evidence
        self.dataset = dataset
        self.models = evidence.comparable[dataset]
        self.wanted = set(evidence.wanted(dataset))
        numbers = {sampled_negatives(model) for model in self.wanted}
        self.negatives = sorted(number for number in numbers if number is not None)
        self.scores = {name: one.scores[STOPPING_METRIC] for name, one in self.models.items()}
        self.scatter = scatters(self.models, STOPPING_METRIC)
        paper = evidence.paper
        self.published = {model: row for model in self.wanted if (row := paper.of(dataset, model))}
        self.curve = {
            int(n): row[STOPPING_METRIC]
            for (name, n), row in paper.curve.items()
            if name == dataset
        }

    def decided(self) -> list[Claim]:
        """Answer every question that is about models of the experiment."""
        return [
            Claim(self.dataset, one.claim, _published(one.published), *self._answer(one))
            for one in self._questions()
            if len(one.models) > 1 and self.wanted.issuperset(one.models)
        ]

    def _questions(self) -> list[Question]:
        return [
            Question(
                "SASRec+ is better than BERT4Rec",
                ["sasrec+", "bert4rec"],
                lambda: self._paper_says("sasrec+") > self._paper_says("bert4rec"),
                lambda: _all_positive([self._minus("sasrec+", "bert4rec")]),
            ),
            Question(
                "SASRec+ 3000 is better than BERT4Rec",
                ["sasrec+3000", "bert4rec"],
                lambda: self._paper_says("sasrec+3000") > self._paper_says("bert4rec"),
                lambda: _all_positive([self._minus("sasrec+3000", "bert4rec")]),
            ),
            Question(
                "SASRec, with one negative, is worse than SASRec+ and than BERT4Rec",
                ["sasrec", "sasrec+", "bert4rec"],
                lambda: (
                    self._paper_says("sasrec")
                    < min(self._paper_says("sasrec+"), self._paper_says("bert4rec"))
                ),
                lambda: _all_positive(
                    [self._minus("sasrec+", "sasrec"), self._minus("bert4rec", "sasrec")]
                ),
            ),
            Question(
                "SASRec+ N catches up as N grows: NDCG@10 rises over log N, and the largest N is "
                "above the smallest",
                [f"sasrec+{n}" for n in self.negatives],
                self._published_curve_rises,
                self._more_negatives_are_better,
            ),
            Question(
                "SASRec+ needs fewer epochs than BERT4Rec to reach its best",
                ["sasrec+", "bert4rec"],
                lambda: (
                    self._paper_says("sasrec+", "best_epoch")
                    < self._paper_says("bert4rec", "best_epoch")
                ),
                lambda: self._fewer_epochs("sasrec+", "bert4rec"),
            ),
            Question(
                "SASRec+ reaches its best epoch in less training time than BERT4Rec",
                ["sasrec+", "bert4rec"],
                lambda: (
                    self._paper_says("sasrec+", "training_seconds")
                    < self._paper_says("bert4rec", "training_seconds")
                ),
                lambda: self._sooner("sasrec+", "bert4rec"),
            ),
        ]

    def _answer(self, question: Question) -> Answer:
        """Decide a question, or say why it cannot be decided."""
        lacking = [m for m in question.models if not self.evidence.has_finished(self.dataset, m)]
        others = [m for m in question.models if not self.evidence.is_the_papers(self.dataset, m)]
        if lacking:
            return Answer(Support.UNDECIDED, self._naming("Not finished", lacking))
        if others:
            reason = "Trained with other settings than the paper's"
            return Answer(Support.UNDECIDED, self._naming(reason, others))
        if not self.models.keys() >= set(question.models):
            return Answer(Support.UNDECIDED, "The records were trained on different data.")
        return question.decide()

    def _title(self, model: str) -> Piece:
        return self.evidence.title(self.dataset, model)

    def _naming(self, reason: str, models: Sequence[str]) -> MarkedText:
        listed = [part for model in models for part in (", ", self._title(model))][1:]
        return joined(f"{reason}: ", *listed, ".")

    def _paper_says(self, model: str, column: str = STOPPING_METRIC) -> float:
        return self.published[model][column]

    def _published_curve_rises(self) -> bool:
        if len(self.curve) < 2:
            raise KeyError("no published points")
        slope = np.polyfit(np.log10(list(self.curve)), list(self.curve.values()), 1)[0]
        return bool(slope > 0) and self.curve[max(self.curve)] > self.curve[min(self.curve)]

    def _minus(self, one: str, other: str) -> Tested:
        label = joined(self._title(one), " minus ", self._title(other))
        sides = (self.scores[one], self.scores[other])
        found = difference(*sides, self.scatter.in_test(one, other))
        return Tested(label, found, share(found.value, sides[1].mean))

    def _more_negatives_are_better(self) -> Answer:
        """Ask for a trend over all N, and for a difference between the largest and the smallest."""
        line = [f"sasrec+{n}" for n in self.negatives]
        tested = trend(
            [self.scores[name] for name in line],
            [math.log10(n) for n in self.negatives],
            self.scatter.in_test(*line),
        )
        slope = Tested("Slope, for ten times the negatives", tested, math.nan)
        return _all_positive([slope, self._minus(line[-1], line[0])])

    def _fewer_epochs(self, one: str, other: str) -> Answer:
        best = {model: self.models[model].best_epochs for model in (one, other)}
        return _all_smaller("Best epochs", "fewer", self._titled(best))

    def _sooner(self, one: str, other: str) -> Answer:
        """Multiply the best epochs by seconds per epoch, both measured on the same machine."""
        timing = self.evidence.timing
        measured: dict[str, float] = {}
        for model in (one, other):
            if timing and (seconds := timing.of(self.dataset, model)) is not None:
                measured[model] = seconds
        if timing is None or len(measured) < 2:
            reason = "Seconds per epoch have not been measured on a quiet machine."
            return Answer(Support.UNDECIDED, reason)
        shown = " and ".join(number(value, second_decimals(value)) for value in measured.values())
        how = f"Seconds to the best epoch, at {shown} s per epoch ({timing.machine})"
        times = {
            model: [epoch * value for epoch in self.models[model].best_epochs]
            for model, value in measured.items()
        }
        return _all_smaller(how, "less", self._titled(times))

    def _titled(self, values: Mapping[str, Sequence[float]]) -> list[tuple[Piece, Sequence[float]]]:
        return [(self._title(model), of_runs) for model, of_runs in values.items()]


def _all_smaller(
    title: str, comparative: str, sides: Sequence[tuple[Piece, Sequence[float]]]
) -> Answer:
    """Decide by every pair of runs that the first of two models has the smaller values.

    All pairs must agree.
    """
    (_, ours), (_, theirs) = sides
    if not (ours and theirs):
        return Answer(Support.UNDECIDED, "A model without epochs has no best one.")
    verdict = Support.UNDECIDED
    if max(ours) < min(theirs):
        verdict = Support.HOLDS
    elif min(ours) >= max(theirs):
        verdict = Support.DOES_NOT_HOLD
    smaller = sum(a < b for a, b in product(ours, theirs))
    count = len(ours) * len(theirs)
    one, other = (
        joined(model, f" {', '.join(map(number, sorted(values)))}") for model, values in sides
    )
    pairs = f"{count} {'pair' if count == 1 else 'pairs'} of runs"
    return Answer(
        verdict,
        joined(f"{title}: ", *one, ", and ", *other, f"; {comparative} in {smaller} of {pairs}."),
    )


def _published(says: Callable[[], bool]) -> Support | None:
    """Return what published numbers say; None where there are none."""
    try:
        return Support.HOLDS if says() else Support.DOES_NOT_HOLD
    except KeyError:
        return None


def _all_positive(tested: Sequence[Tested]) -> Answer:
    """Decide the claim that all of these named differences are positive."""
    verdict = Support.UNDECIDED
    if all(found.p < ALPHA and found.value > 0 for _, found, _ in tested):
        verdict = Support.HOLDS
    elif any(found.p < ALPHA and found.value < 0 for _, found, _ in tested):
        verdict = Support.DOES_NOT_HOLD
    sentences: list[MarkedText] = []
    for label, found, relative in tested:
        interval = signed_interval(found.interval, lambda value: signed(value, 4))
        p = p_value(found.p)
        p = f"p {p}" if p.startswith("<") else f"p = {p}"
        in_percent = "" if math.isnan(relative) else f" ({percent(relative)})"
        sentences += [label, f": {signed(found.value, 4)}{in_percent} {interval}, {p}.", " "]
    return Answer(verdict, joined(*sentences[:-1]), tested)

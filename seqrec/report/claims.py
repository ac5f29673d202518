"""Which of the paper's claims the records support, dataset by dataset."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from math import log10
from typing import NamedTuple

import numpy as np

from seqrec.experiment.naming import sampled_negatives
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.report.cells import Piece, Text, joined
from seqrec.report.differences import scatters
from seqrec.report.evidence import Evidence
from seqrec.report.inference import ALPHA, Difference, difference, trend
from seqrec.report.numbers import p_value, signed, signed_interval, span
from seqrec.report.timing import (
    comparable_times,
    device_title,
    least_seconds_to_best,
    seconds_to_best,
)


class Support(StrEnum):
    """What numbers say to a claim."""

    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    UNDECIDED = "undecided"


class Claim(NamedTuple):
    """A claim of the paper, and what the records say to it on one dataset."""

    dataset: str
    claim: str
    published: Support | None
    """What the paper's own numbers say on this dataset, where it has any."""
    verdict: Support
    evidence: Text


class Answer(NamedTuple):
    """A verdict with its evidence."""

    verdict: Support
    evidence: Text


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
    takes no correction (the intersection-union test: Berger, 1982).
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
        self.published = {
            model: row for (name, model), row in paper.results.items() if name == dataset
        }
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
                "SASRec, with one negative, is worse than both",
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
                "SASRec+ N is better with more negatives",
                [f"sasrec+{n}" for n in self.negatives],
                self._published_curve_rises,
                self._more_negatives_are_better,
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

    def _naming(self, reason: str, models: Sequence[str]) -> Text:
        listed = [part for model in models for part in (", ", self._title(model))][1:]
        return joined(f"{reason}: ", *listed, ".")

    def _paper_says(self, model: str, column: str = STOPPING_METRIC) -> float:
        return self.published[model][column]

    def _published_curve_rises(self) -> bool:
        if len(self.curve) < 2:
            raise KeyError("no published points")
        slope = np.polyfit(np.log10(list(self.curve)), list(self.curve.values()), 1)[0]
        return bool(slope > 0) and self.curve[max(self.curve)] > self.curve[min(self.curve)]

    def _minus(self, one: str, other: str) -> tuple[Text, Difference]:
        label = joined(self._title(one), " minus ", self._title(other))
        sides = (self.scores[one], self.scores[other])
        return label, difference(*sides, [self.scatter[one], self.scatter[other]])

    def _more_negatives_are_better(self) -> Answer:
        """Ask for a trend over all N, and for a difference between the largest and the smallest."""
        line = [f"sasrec+{n}" for n in self.negatives]
        tested = trend(
            [self.scores[name] for name in line],
            [log10(n) for n in self.negatives],
            [self.scatter[name] for name in line],
        )
        slope = ("For ten times the negatives", tested)
        return _all_positive([slope, self._minus(line[-1], line[0])])

    def _sooner(self, one: str, other: str) -> Answer:
        """Decide by every pair of runs with comparable times; all must agree.

        Sharing a device only slows a run down. On a shared one the later run must therefore have
        been later even if each of its epochs had been as quick as its quickest.
        """
        compared = [
            (ours, theirs)
            for ours, theirs in product(self.models[one].records, self.models[other].records)
            if ours.best_epoch and theirs.best_epoch and comparable_times(ours, theirs)
        ]
        if not compared:
            reason = "No two runs used the same kind of device under comparable conditions."
            return Answer(Support.UNDECIDED, reason)
        verdict = Support.UNDECIDED
        if all(seconds_to_best(ours) < least_seconds_to_best(theirs) for ours, theirs in compared):
            verdict = Support.HOLDS
        elif all(
            seconds_to_best(theirs) <= least_seconds_to_best(ours) for ours, theirs in compared
        ):
            verdict = Support.DOES_NOT_HOLD
        ours, theirs = zip(*compared, strict=True)
        times = [span([seconds_to_best(record) for record in side]) for side in (ours, theirs)]
        devices = ", ".join(sorted({device_title(record) for record in ours}))
        sharing = [max(r.runs_sharing_device for r in side) for side in (ours, theirs)]
        shared = f", shared by up to {sharing[0]} and {sharing[1]} runs" if max(sharing) > 1 else ""
        return Answer(
            verdict,
            joined(
                *(self._title(one), f" {times[0]} s and "),
                *(self._title(other), f" {times[1]} s, on {devices}{shared}."),
            ),
        )


def _published(says: Callable[[], bool]) -> Support | None:
    """Return what published numbers say; None where there are none."""
    try:
        return Support.HOLDS if says() else Support.DOES_NOT_HOLD
    except KeyError:
        return None


def _all_positive(tested: Sequence[tuple[Text, Difference]]) -> Answer:
    """Decide the claim that all of these named differences are positive."""
    verdict = Support.UNDECIDED
    if all(found.p < ALPHA and found.value > 0 for _, found in tested):
        verdict = Support.HOLDS
    elif any(found.p < ALPHA and found.value < 0 for _, found in tested):
        verdict = Support.DOES_NOT_HOLD
    sentences: list[Text] = []
    for label, found in tested:
        interval = signed_interval(found.interval, lambda value: signed(value, 4))
        p = p_value(found.p)
        p = f"p {p}" if p.startswith("<") else f"p = {p}"
        sentences += [label, f": {signed(found.value, 4)} {interval}, {p}.", " "]
    return Answer(verdict, joined(*sentences[:-1]))

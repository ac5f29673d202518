"""Which of the paper's claims the records support, dataset by dataset."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import NamedTuple

import numpy as np

from seqrec.experiment.naming import sampled_negatives
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records.record import Record
from seqrec.report.cells import Piece, Text, joined
from seqrec.report.differences import scatters, share
from seqrec.report.evidence import Evidence
from seqrec.report.inference import ALPHA, Difference, difference, trend
from seqrec.report.numbers import number, p_value, percent, signed, signed_interval
from seqrec.report.timing import (
    comparable_times,
    device_title,
    least_seconds_to_best,
    seconds_to_best,
)

PAIRS_NAMED = 6
"""How many pairs of runs the evidence on time names."""


class Support(StrEnum):
    """What numbers say about a claim."""

    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    UNDECIDED = "undecided"


class Claim(NamedTuple):
    """A claim of the paper, and what the records say about it on one dataset."""

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


class Tested(NamedTuple):
    """A difference that a claim is decided by."""

    label: Text
    difference: Difference
    relative: float
    """The difference as a share of what is subtracted; NaN if it is none of two models."""


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
    Epochs and times are decided by all pairs of runs, without a test.
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
                "SASRec+ needs fewer epochs than BERT4Rec to its best",
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

    def _minus(self, one: str, other: str) -> Tested:
        label = joined(self._title(one), " minus ", self._title(other))
        sides = (self.scores[one], self.scores[other])
        found = difference(*sides, [self.scatter[one], self.scatter[other]])
        return Tested(label, found, share(found.value, sides[1].mean))

    def _more_negatives_are_better(self) -> Answer:
        """Ask for a trend over all N, and for a difference between the largest and the smallest."""
        line = [f"sasrec+{n}" for n in self.negatives]
        tested = trend(
            [self.scores[name] for name in line],
            [math.log10(n) for n in self.negatives],
            [self.scatter[name] for name in line],
        )
        slope = Tested("Slope, for ten times the negatives", tested, math.nan)
        return _all_positive([slope, self._minus(line[-1], line[0])])

    def _fewer_epochs(self, one: str, other: str) -> Answer:
        """Decide by the best epochs of every pair of runs; all must agree."""
        ours, theirs = (self.models[model].best_epochs for model in (one, other))
        if not (ours and theirs):
            return Answer(Support.UNDECIDED, "A model without epochs has no best one.")
        verdict = Support.UNDECIDED
        if max(ours) < min(theirs):
            verdict = Support.HOLDS
        elif min(ours) >= max(theirs):
            verdict = Support.DOES_NOT_HOLD
        fewer = sum(a < b for a, b in product(ours, theirs))
        pairs = len(ours) * len(theirs)
        sides = [self._listing(one, ours), ", and ", self._listing(other, theirs)]
        return Answer(
            verdict,
            joined("Best epochs: ", *sides, f"; fewer in {fewer} of {_pairs_of_runs(pairs)}."),
        )

    def _listing(self, model: str, values: Sequence[int]) -> Text:
        return joined(self._title(model), f" {', '.join(map(str, sorted(values)))}")

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
        of_all = len(self.models[one].records) * len(self.models[other].records)
        sentences: list[Text | Piece] = [
            f"Decided by {len(compared)} of {_pairs_of_runs(of_all)}, the comparable ones:"
        ]
        for n, (ours, theirs) in enumerate(compared[:PAIRS_NAMED]):
            sides = [self._timed(one, ours), " and ", self._timed(other, theirs)]
            sentences += ["; " if n else " ", *sides, f", on {device_title(ours)}"]
        if len(compared) > PAIRS_NAMED:
            sentences.append(f"; and {len(compared) - PAIRS_NAMED} more")
        return Answer(verdict, joined(*sentences, "."))

    def _timed(self, model: str, record: Record) -> Text:
        """Name a run with its time and how many runs shared its device."""
        time = f" seed {record.seed} {number(seconds_to_best(record))} s"
        runs = record.runs_sharing_device
        return joined(self._title(model), time + (f" (shared by {runs} runs)" if runs > 1 else ""))


def _pairs_of_runs(count: int) -> str:
    return f"{count} {'pair' if count == 1 else 'pairs'} of runs"


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
    sentences: list[Text] = []
    for label, found, relative in tested:
        interval = signed_interval(found.interval, lambda value: signed(value, 4))
        p = p_value(found.p)
        p = f"p {p}" if p.startswith("<") else f"p = {p}"
        in_percent = "" if math.isnan(relative) else f" ({percent(relative)})"
        sentences += [label, f": {signed(found.value, 4)}{in_percent} {interval}, {p}.", " "]
    return Answer(verdict, joined(*sentences[:-1]))

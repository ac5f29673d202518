"""What an experiment found, in sentences made from its records."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from seqrec.experiment.naming import dataset_title, dataset_titles
from seqrec.layout import SPLIT_MARK
from seqrec.records.survey import grouped
from seqrec.report.cells import Cell, Table
from seqrec.report.claims import Claim, Support, claims
from seqrec.report.differences import leaders, of_unknown_scatter
from seqrec.report.evidence import Evidence
from seqrec.report.levels import REPRODUCED_WITHIN
from seqrec.report.metrics import main_metric, metric_title
from seqrec.report.numbers import number
from seqrec.report.verdicts import Outcome, counts, verdicts
from seqrec.wording import counted

BASELINE = "popularity"

OUTCOMES = {
    Outcome.REPRODUCED: f"reproduced within {REPRODUCED_WITHIN:.0%}",
    Outcome.PLAUSIBLE: "plausible for one more run",
    Outcome.BETTER: "better than published",
    Outcome.WORSE: "worse than published",
    Outcome.EARLIER: "earlier than published",
    Outcome.LATER: "later than published",
    Outcome.UNDECIDED: "undecided",
    Outcome.MIXED_DATA: "not comparable, as seeds differ in their data",
    Outcome.OTHER_SETTINGS: "not comparable, as the settings are not the paper's",
}


@dataclass(frozen=True)
class Findings:
    """What was found, the most important first."""

    lead: list[str]
    """Sentences on the whole: against the paper, or which models are best."""
    points: list[str]
    """Sentences on its parts."""
    claims: list[Claim]
    """The paper's claims, on those of its datasets that have finished runs."""


def findings(evidence: Evidence) -> Findings:
    """Say what an experiment found: against the paper where it has the paper's datasets.

    Your own dataset gets results but no verdicts.
    """
    best = [_best(evidence, dataset) for dataset in finished_datasets(evidence)]
    best = [sentence for sentence in best if sentence]
    decided = _claims(evidence)
    judged = _verdicts(evidence)
    lead = [*judged[:1], *_decided(decided)] if judged else best[:1]
    points = [*judged[1:], *best] if judged else best[1:]
    return Findings(lead, [*points, _runs(evidence)], decided)


def finished_datasets(evidence: Evidence) -> list[str]:
    """List the datasets with a finished run, in the paper's order."""
    return [dataset for dataset in evidence.datasets if evidence.records(dataset)]


def _verdicts(evidence: Evidence) -> list[str]:
    """Say how many values of each kind were reproduced."""
    sentences = []
    for kind, found in counts(verdicts(evidence)).items():
        parts = [(found[one], "is", "are", text) for one, text in OUTCOMES.items() if found[one]]
        if len(parts) == 1 and found.total() > 1:
            sentences.append(f"All {found.total()} {kind} are {parts[0][3]}.")
        else:
            said = [f"{n} {one if n == 1 else many} {text}" for n, one, many, text in parts]
            sentences.append(f"Of {found.total()} {kind}, {_listed(said)}.")
    return sentences


def _claims(evidence: Evidence) -> list[Claim]:
    """Decide the paper's claims on its datasets, and on others where an experiment has splits."""
    names = {task: task.partition(SPLIT_MARK) for task in finished_datasets(evidence)}
    return [
        claim
        for task, (dataset, _, split) in names.items()
        if dataset in evidence.paper.datasets or split
        for claim in claims(evidence, task)
    ]


SUPPORT = {
    Support.HOLDS: ("holds", "hold"),
    Support.DOES_NOT_HOLD: ("does not hold", "do not hold"),
    Support.UNDECIDED: ("is undecided", "are undecided"),
}
"""What is said of one claim and of several."""


def _decided(decided: Sequence[Claim]) -> list[str]:
    """Say how many of the paper's claims hold on each dataset."""
    alike: dict[str, list[str]] = {}
    for dataset, here in grouped(decided, lambda claim: claim.dataset).items():
        found = Counter(claim.verdict for claim in here)
        said = [f"{n} {SUPPORT[one][n > 1]}" for one in SUPPORT if (n := found[one])]
        if len(said) == 1 and len(here) > 1:
            said = [f"all {said[0]}"]
        alike.setdefault(_listed(said), []).append(dataset)
    parts = [f"on {_listed(dataset_titles(tasks))} {said}" for said, tasks in alike.items()]
    return [f"Of the paper's claims about these models, {'; '.join(parts)}."] if parts else []


def _best(evidence: Evidence, dataset: str) -> str:
    """Name the best model of a dataset, and those that may be as good; blank if none compare."""
    models = evidence.comparable[dataset]
    if not models:
        return ""
    metric, title = main_metric(evidence.metrics), evidence.found.title
    means = {name: measured.mean(metric) for name, measured in models.items()}
    first = max(means, key=means.__getitem__)
    value = number(means[first], 4)
    where = f"On {dataset_title(dataset)}, {title(first)}"
    if len(models) == 1:
        return f"{where} reaches a test {metric_title(metric)} of {value}."
    sentence = f"{where} has the highest test {metric_title(metric)}, {value}"
    if BASELINE in means and first != BASELINE and means[BASELINE]:
        sentence += f", {means[first] / means[BASELINE]:.1f} times that of {title(BASELINE)}"
    others = leaders(models, metric) - {first}
    if others:
        return f"{sentence}; {_listed(title(n) for n in models if n in others)} may be as good."
    sentence += "; the others are significantly worse"
    unsure = of_unknown_scatter(models)  # their tests are about these trainings alone
    return f"{sentence}, but other seeds may change this." if unsure else f"{sentence}."


def _runs(evidence: Evidence) -> str:
    """Say how much of the experiment has finished."""
    finished, missing = len(evidence.everything.records), len(evidence.everything.missing)
    models = {record.model for record in evidence.found.records}
    tasks = [task.partition(SPLIT_MARK) for task in finished_datasets(evidence)]
    datasets, splits = {name for name, *_ in tasks}, {split for *_, split in tasks}
    of = f"{counted(len(models), 'model')} on {counted(len(datasets), 'dataset')}"
    if len(splits) > 1:
        of += f" under {counted(len(splits), 'split')}"
    if not missing:
        return (
            f"All {counted(finished, 'run')} have finished: {of}."
            if finished > 1
            else (f"Its one run has finished: {of}.")
        )
    return f"{finished} of {finished + missing} runs have finished: {of}."


def claims_matrix(decided: Sequence[Claim]) -> Table:
    """Tabulate which claims hold where: a row for each claim, a column for each dataset."""
    datasets = list(dict.fromkeys(claim.dataset for claim in decided))
    verdicts = {(claim.claim, claim.dataset): claim.verdict for claim in decided}
    rows = list(dict.fromkeys(claim.claim for claim in decided))
    cells = [
        [Cell(row), *(_verdict_cell(verdicts.get((row, dataset))) for dataset in datasets)]
        for row in rows
    ]
    headings = ["Claim", *map(dataset_title, datasets)]
    columns = "s" + "l" * len(datasets)
    return Table("Where the paper's claims hold", headings, cells, pd.DataFrame(), columns=columns)


def _verdict_cell(verdict: Support | None) -> Cell:
    return Cell(verdict.value if verdict else "", bold=verdict is Support.HOLDS)


def _listed(names: Iterable[str]) -> str:
    """Join as `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last

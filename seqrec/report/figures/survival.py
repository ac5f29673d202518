"""The differences that decide the paper's claims, under each split."""

import math
from collections.abc import Mapping, Sequence

from seqrec.experiment.naming import dataset_title
from seqrec.report.claims import Claim, Tested
from seqrec.report.evidence import Evidence
from seqrec.report.figures.chart import Axis, Chart, Panel, Point, Series, Shape, Tick
from seqrec.report.figures.shown import NO_RUN
from seqrec.report.inference import Interval
from seqrec.report.levels import ALPHA
from seqrec.report.looks import MODELS, Look
from seqrec.report.rendering import plain
from seqrec.report.survival import claims_by_split

LOOKS = {"holds": MODELS["sasrec+"], "undecided": Look(), "opposite": MODELS["sasrec"]}
"""How a difference looks by what the test says of it."""


def survival_chart(evidence: Evidence) -> Chart:
    """Show each difference of two models that decides a claim, a row for each split."""
    panels = [
        panel
        for dataset, of_dataset in claims_by_split(evidence).items()
        for panel in _panels(dataset, of_dataset)
    ]
    return Chart(
        "Differences that decide the paper's claims, by split",
        panels or [Panel("", Axis(""), Axis(""), note=NO_RUN)],
        _in_words(panels),
        columns=2,
    )


def _panels(dataset: str, of_dataset: Mapping[str, Mapping[str, Claim]]) -> list[Panel]:
    """Make a panel for each pair of models whose difference decides a claim."""
    rows: dict[str, dict[str, Tested]] = {}
    for under in of_dataset.values():
        for split, claim in under.items():
            for tested in claim.tested:
                if not math.isnan(tested.relative) and tested.difference.value:
                    rows.setdefault(plain(tested.label), {})[split] = tested
    return [_panel(f"{dataset_title(dataset)}: {label}", under) for label, under in rows.items()]


def _panel(title: str, under: Mapping[str, Tested]) -> Panel:
    splits, series = list(under)[::-1], []
    ends = [0.0]
    for row, split in enumerate(splits):
        tested = under[split]
        factor = 100 * tested.relative / tested.difference.value
        reach = Interval(*(factor * end for end in tested.difference.interval))
        ends += [end for end in reach if math.isfinite(end)]
        kind = _kind(tested)
        point = Point(100 * tested.relative, row, reach, name=f"{split}: {kind}")
        series.append(Series(kind, LOOKS[kind], Shape.POINTS, [point]))
    low, high = 1.1 * min(ends), 1.1 * max(ends)
    return Panel(
        title,
        Axis("difference, %", low=low, high=high or 1.0),
        Axis("", ticks=[*map(Tick, range(len(splits)), splits)], low=-0.7, high=len(splits) - 0.3),
        series,
        shaded=Interval(low, 0.0),
    )


def _kind(tested: Tested) -> str:
    if tested.difference.p >= ALPHA:
        return "undecided"
    return "holds" if tested.difference.value > 0 else "opposite"


def _in_words(panels: Sequence[Panel]) -> str:
    parts = ["The relative difference of two models in test NDCG@10 under each split."]
    for panel in panels:
        points = [point for one in panel.series for point in one.points][::-1]
        said = ", ".join(f"{point.name} ({point.x or 0.0:+.1f}%)" for point in points)
        parts.append(f"{panel.title}: {said}.")
    return " ".join(parts)

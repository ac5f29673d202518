"""The audit of a dataset as a page of its own, and as a part of an experiment's page."""

import html
import re
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from seqrec.audit.audit import Audit, read_audit
from seqrec.audit.meaning import Finding, Kind, findings, unknown, verdicts
from seqrec.audit.shape import Tails
from seqrec.audit.timing import Drift
from seqrec.experiment.naming import dataset_title
from seqrec.files import write_text
from seqrec.layout import LogFiles
from seqrec.records.survey import grouped
from seqrec.report.cells import Cell, Table
from seqrec.report.evidence import Evidence
from seqrec.report.figures.chart import Axis, Chart, Panel, Point, Series, Shape, Tick
from seqrec.report.looks import INK, MODELS, Look
from seqrec.report.page.charts import chart_with_download
from seqrec.report.page.frame import document
from seqrec.report.page.tables import table_html

CAPTIONS = {
    Kind.SHAPE: "How much there is, and how unevenly",
    Kind.REPEATS: "What users come back to",
    Kind.TIES: "What time does not decide",
    Kind.UNSEEN: "What no model can have learned",
    Kind.LEAKS: "How far training looks ahead of the test",
    Kind.DRIFT: "How long popular items stay popular",
    Kind.ORDER: "What is left when histories are shuffled",
}
"""Captions of the tables."""


def write_audit_page(path: Path, audit: Audit) -> None:
    """Write the page of an audit: a single file that needs no network."""
    title = dataset_title(audit.dataset)
    kinds = {f"part-{kind.name.lower()}": kind for kind in _kinds(audit)}
    header = (
        f'<p class="name">{html.escape(audit.dataset)}</p>\n'
        f"<h1>Audit of {html.escape(title)}</h1>\n"
        '<p class="soft">What the numbers of this dataset say about results on it, before any is '
        "believed. Leave-one-out holds out each user's last item for the test and the one before "
        "it for validation.</p>"
    )
    found = f'<section id="found">\n<h2>What to make of it</h2>\n{_verdicts(audit)}</section>'
    sections = [
        f'<section id="{place}">\n<h2>{kind}</h2>\n{_part(audit, kind, place)}</section>'
        for place, kind in kinds.items()
    ]
    places = {"found": "What to make of it", **kinds}
    write_text(path, document(f"Audit of {title}", header, places, [found, *sections]))


def audits_of(evidence: Evidence) -> list[Audit]:
    """Read the audits of an experiment's datasets, where this machine has one of the same log."""
    logs = dict.fromkeys((one.dataset, one.data.sha256) for one in evidence.found.records)
    found = [read_audit(LogFiles.of(dataset).folder, sha256) for dataset, sha256 in logs]
    return [audit for audit in found if audit]


def audit_details(audit: Audit, place: str) -> str:
    """Render an audit for the page of an experiment: its verdicts, and the numbers in a fold.

    `place` is an id that no other element of the page begins with.
    """
    parts = "\n".join(_part(audit, kind, f"{place}-{kind.name.lower()}") for kind in _kinds(audit))
    return (
        f'<div id="{place}">\n<h3>{html.escape(dataset_title(audit.dataset))}</h3>\n'
        f"{_verdicts(audit)}\n<details><summary>All numbers of this audit</summary>\n"
        f"<div>{parts}</div></details></div>"
    )


def _kinds(audit: Audit) -> list[Kind]:
    return list(dict.fromkeys(one.kind for one in findings(audit)))


def _verdicts(audit: Audit) -> str:
    first, *others = verdicts(audit)
    points = "".join(f"<li>{_text(line)}</li>" for line in [*others, *unknown(audit)])
    return f'<p class="lead">{html.escape(first)}</p>\n<ul class="points">{points}</ul>'


def _text(line: str) -> str:
    """Render a sentence; what stands in backticks is code."""
    return re.sub("`(.*?)`", r"<code>\1</code>", html.escape(line))


def _part(audit: Audit, kind: Kind, place: str) -> str:
    """Render what belongs to one kind: its table, and its chart if it has one."""
    parts = [table_html(_table(grouped(findings(audit), lambda one: one.kind)[kind], kind))]
    if kind is Kind.SHAPE:
        parts.append(chart_with_download(_tails_chart(audit.tails), f"{place}-chart"))
    if kind is Kind.DRIFT and audit.drift:
        parts.append(chart_with_download(_drift_chart(audit.drift), f"{place}-chart"))
    return "\n".join(parts)


def _table(found: list[Finding], kind: Kind) -> Table:
    """Tabulate findings; values that speak against the dataset are bold."""
    return Table(
        CAPTIONS[kind],
        ["Number", "Value", "What to make of it"],
        [[Cell(one.name), Cell(one.value, one.warns), Cell(one.meaning)] for one in found],
        pd.DataFrame(),
        columns="sss",
    )


def _tails_chart(tails: Tails) -> Chart:
    points = [Point(0, 0), *(Point(100 * x, 100 * y) for x, y in tails.popular_items.items())]
    points.append(Point(100, 100))
    panel = Panel(
        "Most popular items first",
        Axis("% of the items", low=0, high=100),
        Axis("% of the interactions", low=0, high=100),
        [
            Series("this dataset", Look(INK), Shape.CURVE, points),
            Series("all items alike", Look(), Shape.LINE, [Point(0, 0), Point(100, 100)]),
        ],
    )
    words = ", ".join(f"{share:.0%}: {of:.1%}" for share, of in tails.popular_items.items())
    return Chart(
        "How many interactions the most popular items have",
        [panel],
        f"Share of the interactions by share of the items, the most popular first. {words}.",
        columns=2,
    )


def _drift_chart(drift: Drift) -> Chart:
    starts = [datetime.fromtimestamp(start, UTC).strftime("%b %Y") for start in drift.starts]
    later = range(2, len(starts) + 1)

    def points(overlaps: list[float]) -> list[Point]:
        return [
            Point(number, overlap, name=f"from {start}")
            for number, start, overlap in zip(later, starts[1:], overlaps, strict=True)
        ]

    panel = Panel(
        f"Overlap of the {drift.top} most popular items",
        Axis("beginning of each tenth of the log", ticks=[*map(Tick, later, starts[1:])]),
        Axis("Jaccard overlap", low=0, high=1),
        [
            Series("with the tenth before", MODELS["sasrec+"], Shape.CURVE,
                   points(drift.with_previous)),
            Series("with the first tenth", MODELS["bert4rec"], Shape.CURVE,
                   points(drift.with_first)),
            Series("by chance", MODELS["popularity"], Shape.LEVEL,
                   [Point(None, drift.by_chance)]),
        ],
        note="by chance: the interactions dealt to tenths at random",
    )  # fmt: skip
    words = "; ".join(
        f"{start}: {previous:.2f} with the tenth before, {first:.2f} with the first"
        for start, previous, first in zip(
            starts[1:], drift.with_previous, drift.with_first, strict=True
        )
    )
    return Chart(
        "How the popular items change",
        [panel],
        f"Each tenth of the log has as many interactions. From {words}. By chance "
        f"{drift.by_chance:.2f}.",
        columns=2,
    )

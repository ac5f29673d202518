"""Build the page of an experiment: what was found first, everything else one click away."""

import html
from collections.abc import Sequence
from pathlib import Path

from seqrec.audit.audit import Audit
from seqrec.errors import SeqrecError, printable
from seqrec.files import write_text
from seqrec.layout import CONFIG_FILES, ConfigFiles, ResultFiles
from seqrec.records.survey import grouped
from seqrec.report.cells import Table
from seqrec.report.contents import Category, Entry, Item
from seqrec.report.evidence import Evidence, read_evidence
from seqrec.report.figures import make_charts
from seqrec.report.figures.chart import Chart
from seqrec.report.page.audit import audit_details, audits_of
from seqrec.report.page.charts import chart_with_download
from seqrec.report.page.findings import Findings, claims_matrix, findings, finished_datasets
from seqrec.report.page.frame import document
from seqrec.report.page.tables import notes_html, table_html
from seqrec.report.tables import make_tables

ORDER = (
    *(Category.FIGURES, Category.RESULTS, Category.PAPER),
    *(Category.TRAINING, Category.DATA),
)
"""The parts of the page below what was found."""

OPEN = {"results", "newcomers", "num_negatives", "convergence"}
"""The tables and figures that are seen at once; the others are folded."""

PAPER = "https://doi.org/10.1145/3604915.3610644"


def write_page(results: Path, config: ConfigFiles = CONFIG_FILES) -> Path:
    """Write `report.html` of an experiment, and return its path.

    The file holds all that it shows and offers, so it can be mailed. Published numbers and the
    settings of the paper's models are read from `config`. Raises `SeqrecError` if no run has
    finished, or only trials of a search that are to be run with new seeds.
    """
    evidence = read_evidence(results, config)
    if not evidence.found.records:
        finished = (
            "only trials have finished, and none is chosen while one is missing"
            if evidence.everything.records
            else "no run has finished"
        )
        raise SeqrecError(
            f"{results}: {finished}, so there is nothing to report yet. "
            f"`seqrec missing {results}` says why."
        )
    path = ResultFiles(results).report
    write_text(path, page(evidence, printable(results.resolve().name), audits_of(evidence)))
    return path


def page(evidence: Evidence, name: str, audits: Sequence[Audit] = ()) -> str:
    """Build the page of an experiment that has finished runs, with the audits of its datasets."""
    found, parts = findings(evidence), _entries(evidence)
    if not found.claims:
        parts = {entry: one for entry, one in parts.items() if entry.category != Category.PAPER}
    sections = [_found(found, bool(evidence.found.missing))]
    places = {"found": "What was found"}
    for category in ORDER:
        of_category = {entry: one for entry, one in parts.items() if entry.category == category}
        if of_category:
            place = f"part-{category.name.lower()}"
            places[place] = category.value
            sections.append(_section(place, category.value, of_category))
    if audits:
        places["part-audits"] = "Audits"
        body = "\n".join(audit_details(one, f"audit-{n}") for n, one in enumerate(audits, 1))
        sections.append(f'<section id="part-audits">\n<h2>Audits</h2>\n{body}</section>')
    return document(name, _header(name, bool(found.claims)), places, sections)


def _entries(evidence: Evidence) -> dict[Entry, str]:
    """Render every table and figure that shows something."""
    finished = finished_datasets(evidence)
    entries: dict[Entry, str] = {}
    for entry, made in grouped(make_tables(evidence), lambda one: one[0].entry).items():
        shown = [
            (item, one)
            for item, one in made
            if not item.dataset or set(finished).intersection(evidence.tasks(item.dataset))
        ]
        entries[entry] = _tables(shown)
    for entry, drawn in grouped(make_charts(evidence), lambda one: one[0].entry).items():
        charts = [(item, one) for item, one in drawn if not all(p.empty for p in one.panels)]
        if charts:
            entries[entry] = _charts(charts)
    return entries


def _header(name: str, papers: bool) -> str:
    after = f'After <a href="{PAPER}">Klenitskiy and Vasilev, RecSys 2023</a>. ' if papers else ""
    return (
        f'<p class="name">{html.escape(name)}</p>\n<h1>Sequential recommenders compared</h1>\n'
        f'<p class="soft">{after}Everything here is made from the records of finished runs.</p>'
    )


def _found(found: Findings, incomplete: bool) -> str:
    points = [html.escape(point) for point in found.points]
    if incomplete:
        points[-1] += ' <a href="#missing">What is missing, and why.</a>'
    lines = [
        '<section id="found">\n<h2>What was found</h2>',
        *(f'<p class="lead">{html.escape(sentence)}</p>' for sentence in found.lead),
        f'<ul class="points">{"".join(f"<li>{point}</li>" for point in points)}</ul>',
    ]
    if found.claims:
        lines.append(table_html(claims_matrix(found.claims)))
        lines.append('<p><a href="#claims">The differences and tests behind these verdicts</a></p>')
    return "\n".join([*lines, "</section>"])


def _section(place: str, title: str, entries: dict[Entry, str]) -> str:
    """Render a part of the page: what is seen at once, then what is folded."""
    parts = [f'<section id="{place}">\n<h2>{html.escape(title)}</h2>']
    for entry, shown in sorted(entries.items(), key=lambda one: one[0].name not in OPEN):
        body = f'<p class="soft">{html.escape(entry.caption)}</p>\n{shown}'
        name = html.escape(entry.title[:1].upper() + entry.title[1:])
        if entry.name not in OPEN:
            body = f"<summary>{name}</summary>\n<div>{body}</div>"
            parts.append(f'<details id="{entry.name}">{body}</details>')
        else:
            heading = "" if entry.per_dataset else f"<h3>{name}</h3>\n"
            parts.append(f'<div id="{entry.name}">{heading}{body}</div>')
    return "\n".join([*parts, "</section>"])


def _tables(made: Sequence[tuple[Item, Table]]) -> str:
    """Render the tables of an entry; notes that all of them have stand once, at the end."""
    shared = [n for n in made[0][1].notes if all(n in table.notes for _, table in made)]
    parts = []
    for item, table in made:
        parts.append(table_html(table, item.name))
        parts.append(notes_html(note for note in table.notes if note not in shared))
    return "\n".join([*parts, notes_html(shared)])


def _charts(drawn: Sequence[tuple[Item, Chart]]) -> str:
    """Render the charts of an entry; those of single datasets have headings."""
    return "\n".join(
        chart_with_download(chart, item.name.replace("/", "-"), headed=bool(item.dataset))
        for item, chart in drawn
    )

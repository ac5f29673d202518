"""Charts as HTML: a legend of buttons that switch series off, and panels that a script draws."""

import html
import json

from seqrec.report.figures import print_chart
from seqrec.report.figures.chart import Chart, Panel, Series, Shape
from seqrec.report.looks import BAND, INK, Look
from seqrec.report.page.markers import marker_path
from seqrec.report.page.specs import (
    JOINED,
    MARKED,
    PAGE_INK,
    Spec,
    colour,
    dashes,
    least_width,
    panel_spec,
)
from seqrec.report.page.tables import download

WIDTHS = {1: "100%", 2: "27rem"}
"""Least width of a panel by the number of panels side by side in print; of more, 19rem."""


def chart_with_download(chart: Chart, name: str, headed: bool = False) -> str:
    """Render a chart with a link that saves it as `<name>.pdf`; `name` is its id, too."""
    title = html.escape(chart.title)
    heading = f"<h3>{title}</h3>\n" if headed else ""
    (pdf,) = print_chart(chart, ["pdf"])
    link = download("PDF", f"{chart.title} as PDF", f"{name}.pdf", "application/pdf", pdf)
    return (
        f'<div class="chart">\n{heading}{chart_html(chart, name)}\n'
        f'<p class="downloads">Download: {link}</p></div>'
    )


def chart_html(chart: Chart, place: str) -> str:
    """Render a chart: its legend, its panels, and what they show in words.

    `place` is the chart's id, which no other element of the page has.
    """
    width = WIDTHS.get(chart.columns, "19rem")
    panels = [_panel(chart, panel, f"{place}-words") for panel in chart.panels]
    return "\n".join(
        [
            _legend(chart),
            f'<div class="panels" style="--panel: {width}">',
            *panels,
            "</div>\n<noscript>Charts need JavaScript; the PDF shows the same.</noscript>",
            f'<details class="words"><summary>In words</summary><p id="{place}-words">'
            f"{html.escape(chart.alternative)}</p></details>",
        ]
    )


def _panel(chart: Chart, panel: Panel, words: str) -> str:
    """Render a panel; `words` is the id of the text that describes the chart."""
    note = f"<small>{html.escape(panel.note)}</small>" if panel.note else ""
    caption = f"<figcaption>{html.escape(panel.title)}{note}</figcaption>"
    if panel.empty:
        return f"<figure>{caption}</figure>"
    spec = json.dumps(
        _packed(panel_spec(panel)), separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    spec = spec.replace("<", r"\u003c")  # in strings alone, so nothing ends the script
    label = html.escape(f"{chart.title}, {panel.title}; the arrow keys read the values")
    return (
        f'<figure>{caption}<div class="view" tabindex="0" role="application" '
        f'aria-roledescription="chart" aria-label="{label}" aria-describedby="{words}">'
        f'<div class="drawing" style="min-width: {least_width(panel)}px" aria-hidden="true"></div>'
        "</div>"
        f'<script type="application/json">{spec}</script></figure>'
    )


def _packed(spec: Spec) -> Spec:
    """Write each data set as the names of its columns and a list for each row."""
    packed = {}
    for name, rows in spec["datasets"].items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        packed[name] = [columns, *([row.get(column) for column in columns] for row in rows)]
    return {**spec, "datasets": packed}


def _legend(chart: Chart) -> str:
    entries = []
    for label, series in chart.legend.items():
        text = html.escape(label)
        entries.append(
            f'<button type="button" aria-pressed="true" data-label="{text}">'
            f"{_swatch(_signs(series))}{text}</button>"
        )
    for key in chart.keys:
        signs = _sign(Look(INK), key.shape, key.published)
        if key.interval and key.shape is Shape.LINE:
            signs = f'<rect y="2" width="40" height="12" fill="{PAGE_INK}" opacity="{BAND}"/>'
        elif key.interval:
            signs += f'<path d="M20 1V15M17 1h6M17 15h6" stroke="{PAGE_INK}" fill="none"/>'
        entries.append(f'<span class="key">{_swatch(signs)}{html.escape(key.label)}</span>')
    if not entries:
        return ""
    label = html.escape(f"{chart.title}: show or hide")
    return f'<div class="legend" role="group" aria-label="{label}">{"".join(entries)}</div>'


def _swatch(signs: str) -> str:
    return f'<svg viewBox="0 0 40 16" aria-hidden="true">{signs}</svg>'


def _signs(series: list[Series]) -> str:
    """Draw how the series of one label look, perhaps a line and the markers on it."""
    return "".join(dict.fromkeys(_sign(one.look, one.shape, one.published) for one in series))


def _sign(look: Look, shape: Shape, published: bool) -> str:
    ink, signs = colour(look), ""
    if shape in JOINED or shape is Shape.LEVEL:
        dash = " ".join(f"{length:g}" for length in dashes(look))
        signs += (
            f'<path d="M0 8H40" stroke="{ink}" stroke-width="{1 if published else 2}" '
            f'stroke-dasharray="{dash}"/>'
        )
    if shape in MARKED:
        signs += (
            f'<path transform="translate(20 8) scale(5)" d="{marker_path(look.marker)}" '
            f'stroke="{ink}" vector-effect="non-scaling-stroke" '
            f'fill="{"none" if published else ink}" fill-opacity="{look.strength:g}"/>'
        )
    return signs

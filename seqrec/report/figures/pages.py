"""Figures as HTML pages that need no network, follow light and dark, and answer the pointer.

The drawing is matplotlib's own SVG, so a page shows what is printed. A script beside it knows the
points of all named lines, and shows the values of the one nearest to the pointer or finger.
"""

import html
import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from seqrec.report.figures.chart import Chart
from seqrec.report.figures.drawing import draw
from seqrec.report.figures.style import FAINT, own_style
from seqrec.report.html_page import html_page
from seqrec.report.looks import INK


def figure_page(title: str, notes: Sequence[str], chart: Chart) -> str:
    """Build a page of a chart's panels, as many side by side as fit the width, below some notes."""
    parts = [
        *(f"<p>{html.escape(note)}</p>" for note in notes),
        '<div class="figures">',
        *(_figure(draw(replace(chart, panels=[panel]))) for panel in chart.panels),
        f'</div>\n<div id="tip" hidden></div>\n<script>{_SCRIPT}</script>',
    ]
    return html_page(title, parts, _CSS)


def _figure(figure: Figure) -> str:
    """Render a figure as SVG in the page's colours and font, followed by its points as JSON."""
    figure.suptitle("")  # the page has a title
    drawing = io.StringIO()
    with own_style(), mpl.rc_context({"svg.fonttype": "none"}):
        figure.savefig(drawing, format="svg", transparent=True, metadata={"Date": None})
    svg = drawing.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(?<=<svg) height="[^"]*"|(?<=<svg) width="[^"]*"', "", svg)
    svg = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), svg)
    svg = svg.replace("'DejaVu Sans'", "system-ui, sans-serif")
    svg = svg.replace(INK, "currentColor")
    svg = svg.replace(FAINT, "var(--faint)")
    lines = json.dumps(_lines(figure), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    lines = lines.replace("</", "<\\/")
    return f'<figure>{svg}<script type="application/json">{lines}</script></figure>'


def _lines(figure: Figure) -> list[dict[str, object]]:
    """List the named lines of a figure that has been drawn.

    Each has its name and, for every point whose values are finite, the place in units of the SVG
    and the values.
    """
    figure.set_layout_engine("none")  # keeps the layout of the drawing
    figure.set_dpi(72)  # the units of an SVG are points
    figure.draw_without_rendering()
    height = figure.get_figheight() * 72
    return [
        {
            "label": str(line.get_label()),
            "run": run if "/" in (run := str(line.get_gid())) else "",
            "x": axes.get_xlabel(),
            "y": axes.get_ylabel(),
            "points": [
                [round(float(x), 1), round(height - float(y), 1), *values]
                for (x, y), values in zip(*_places(axes, line), strict=True)
                if math.isfinite(x) and math.isfinite(y)
            ],
        }
        for axes in figure.axes
        for line in axes.lines
        if line.get_gid()
    ]


def _places(axes: Axes, line: Line2D) -> tuple[np.ndarray, list[list[float | None]]]:
    """Return the points of a line: places in pixels `[points, 2]`, and two values for each."""
    data = np.asarray(line.get_xydata(), dtype=np.float64)
    if line.get_transform() == axes.get_yaxis_transform(which="grid"):
        # A line across has the same value wherever the pointer is.
        data = np.column_stack([np.linspace(0, 1, 40), np.full(40, data[0, 1])])
        values = [[None, round(float(y), 4)] for _, y in data]
    else:
        values = [[float(f"{x:.6g}"), round(float(y), 4)] for x, y in data]
    return line.get_transform().transform(data), values


_CSS = """
:root { --faint: #8884; }
.figures { display: grid; gap: 1.5em;
           grid-template-columns: repeat(auto-fit, minmax(min(100%, 24em), 1fr)); }
figure { margin: 0; position: relative; max-width: 44em; }
/* Matplotlib leaves out the fill of black shapes. */
figure svg { display: block; width: 100%; height: auto; fill: currentColor; touch-action: pan-y; }
#tip { position: fixed; pointer-events: none; background: Canvas; color: CanvasText;
       border: 1px solid; border-radius: 4px; padding: 0.3em 0.6em; font-size: 0.85em;
       white-space: pre; box-shadow: 0 2px 8px #0004; }
"""


_SCRIPT = """
const tip = document.getElementById("tip");
for (const figure of document.querySelectorAll("figure")) {
  const lines = JSON.parse(figure.querySelector("script").textContent);
  const svg = figure.querySelector("svg");
  const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  ring.setAttribute("r", 4);
  ring.setAttribute("fill", "none");
  ring.setAttribute("stroke", "currentColor");
  ring.setAttribute("visibility", "hidden");
  svg.append(ring);
  const hide = () => { tip.hidden = true; ring.setAttribute("visibility", "hidden"); };
  const show = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY)
      .matrixTransform(svg.getScreenCTM().inverse());
    let best, nearest = 15;
    for (const line of lines)
      for (const point of line.points) {
        const distance = Math.hypot(point[0] - at.x, point[1] - at.y);
        if (distance < nearest) [best, nearest] = [{line, point}, distance];
      }
    if (!best) return hide();
    const [x, y, atX, atY] = best.point;
    const said = [best.line.label, best.line.run,
                  atX === null ? "" : `${best.line.x}: ${atX.toLocaleString("en")}`,
                  `${best.line.y}: ${atY.toFixed(4)}`];
    tip.textContent = said.filter(Boolean).join("\\n");
    tip.hidden = false;
    const {width, height} = tip.getBoundingClientRect();
    tip.style.left = Math.max(0, Math.min(event.clientX + 14, innerWidth - width - 4)) + "px";
    tip.style.top = Math.max(0, event.clientY - height - 10) + "px";
    ring.setAttribute("cx", x);
    ring.setAttribute("cy", y);
    ring.setAttribute("visibility", "visible");
  };
  svg.addEventListener("pointermove", show);
  svg.addEventListener("pointerdown", show);
  svg.addEventListener("pointerleave", hide);
}
"""

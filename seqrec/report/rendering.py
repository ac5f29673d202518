"""Tables as data, and their forms: Markdown, LaTeX, a page and CSV."""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import tabulate

from seqrec.files import write_text

NOT_FINISHED = "—"


STALE = "†"


OUTDATED = "‡"


OTHER_SETTINGS = "§"


ROWS_OF_NUMBERS, ROWS_OF_SENTENCES = 45, 12
"""How many rows of a table have room on a page of LaTeX."""


@dataclass(frozen=True)
class Cell:
    """Text to show, as plain Unicode."""

    text: str
    bold: bool = False


@dataclass(frozen=True)
class Table:
    """A table for people (title, headings, cells, notes) and, in full precision, for programs."""

    title: str
    headings: list[str]
    cells: list[list[Cell]]
    data: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    columns: str = ""
    """A letter a column: `l` is names, `r` numbers, `s` sentences, which break into lines. Left
    out, the first column has names and the others numbers."""

    @property
    def kinds(self) -> str:
        return self.columns or "l" + "r" * (len(self.headings) - 1)


def number(value: float, decimals: int = 0) -> str:
    return f"{value:,.{decimals}f}"


def signed(value: float, decimals: int) -> str:
    return f"{value:+z,.{decimals}f}".replace("-", "−")


def percent(difference: float) -> str:
    return f"{signed(100 * difference, 1)}%"


def between(interval: tuple[float, float], shown: Callable[[float], str]) -> str:
    """An interval in brackets, which leave room for signs."""
    low, high = interval
    return f"[{shown(low)}, {shown(high)}]"


def p_value(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else number(p, 4)


def markdown(table: Table) -> str:
    rows = [
        [f"**{_markdown(cell.text)}**" if cell.bold else _markdown(cell.text) for cell in row]
        for row in table.cells
    ]
    parts = [f"## {_markdown(table.title)}"]
    if rows:
        alignment = ["right" if kind == "r" else "left" for kind in table.kinds]
        parts.append(
            tabulate.tabulate(
                rows, table.headings, "pipe", disable_numparse=True, colalign=alignment
            )
        )
    parts += [_markdown(note) for note in table.notes]
    return "\n\n".join(parts) + "\n"


def latex(table: Table, name: str) -> str:
    """Floats for `\\usepackage{booktabs, graphicx}`, over both columns where a paper has two, and
    no wider than they are; as many as its rows need pages, with the notes under the last. The
    first is labelled `tab:NAME`."""
    size = ROWS_OF_SENTENCES if "s" in table.kinds else ROWS_OF_NUMBERS
    parts = [table.cells[first : first + size] for first in range(0, len(table.cells), size)]
    floats = [replace(table, cells=part, notes=[]) for part in parts[:-1]]
    floats.append(replace(table, cells=parts[-1] if parts else []))
    label = rf"\label{{tab:{re.sub('[^A-Za-z0-9/._+-]', '-', name)}}}"
    return "".join(_latex_float(one, "" if n else label) for n, one in enumerate(floats))


def _latex_float(table: Table, label: str) -> str:
    """One float; without a label it continues the one before."""
    lines = [r"\begin{table*}", r"\centering", r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"]
    if not label:
        lines.append(r"\addtocounter{table}{-1}")
    lines.append(rf"\caption{{{_latex(table.title)}{'' if label else ' (continued)'}}}{label}")
    if table.cells:
        # A column of sentences must break into lines; those of names and numbers need not.
        width = 0.55 / max(1, table.kinds.count("s"))
        kinds = table.kinds.replace("s", rf"p{{{width:.2f}\linewidth}}")
        lines.append(r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%")
        lines += [rf"\begin{{tabular}}{{{kinds}}}", r"\toprule"]
        lines.append(" & ".join(_latex(heading) for heading in table.headings) + r" \\")
        lines.append(r"\midrule")
        for row in table.cells:
            texts = [rf"\textbf{{{_latex(c.text)}}}" if c.bold else _latex(c.text) for c in row]
            lines.append(" & ".join(texts) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}}"]
    if table.notes:
        lines += ["", r"\smallskip", r"\begin{minipage}{\linewidth}\footnotesize\raggedright"]
        lines += [rf"{_latex(note)}\par" for note in table.notes]
        lines.append(r"\end{minipage}")
    return "\n".join([*lines, r"\end{table*}"]) + "\n"


def table_page(table: Table) -> str:
    lines = []
    if table.cells:
        lines.append('<div class="wide"><table>\n<thead>')
        lines.append(_html_row("th", [html.escape(h) for h in table.headings], table.kinds))
        lines.append("</thead>\n<tbody>")
        for row in table.cells:
            texts = [html.escape(cell.text) for cell in row]
            texts = [f"<b>{t}</b>" if c.bold else t for t, c in zip(texts, row, strict=True)]
            lines.append(_html_row("td", texts, table.kinds))
        lines.append("</tbody>\n</table></div>")
    lines += [f"<p>{html.escape(note)}</p>" for note in table.notes]
    return page(table.title, lines)


def page(title: str, body: Sequence[str], css: str = "") -> str:
    """A page that needs no other file and follows the reader's light or dark mode; `body` is HTML
    to put under its title."""
    title = html.escape(title)
    lines = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{title}</title>\n<style>{_PAGE_CSS}{css}</style>\n</head>\n<body>",
        f"<h1>{title}</h1>",
        *body,
        "</body>\n</html>\n",
    ]
    return "\n".join(lines)


_PAGE_CSS = """
:root { color-scheme: light dark; font: 14px/1.4 system-ui, sans-serif; }
body { max-width: 75em; margin: 1em auto; padding: 0 1em; }
h1 { font-size: 1.2em; }
p { font-size: 0.85em; margin: 0.4em 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; border-block: 2px solid; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2em 0.5em; text-align: left; vertical-align: top; }
th { border-bottom: 1px solid; white-space: nowrap; }
th:first-child, td:first-child { position: sticky; left: 0; background: Canvas; }
td:not(.s) { white-space: nowrap; }
.r { text-align: right; }
td.s { min-width: 16em; }
"""


def _html_row(tag: str, texts: Sequence[str], kinds: str) -> str:
    cells = [
        f'<{tag} class="{kind}">{text}</{tag}>' for text, kind in zip(texts, kinds, strict=True)
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_|<>\[\]&~$])", r"\\\1", text)


_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "[": "{[}", "*": "{*}",  # after a row's end they would be its options
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "±": r"$\pm$", "−": "$-$", "–": r"\textendash{}", NOT_FINISHED: r"\textemdash{}",
    STALE: r"\textsuperscript{\dag}", OUTDATED: r"\textsuperscript{\ddag}",
    OTHER_SETTINGS: r"\textsuperscript{\S}",
} | {character: "\\" + character for character in "&%$#_{}"}  # fmt: skip


def _latex(text: str) -> str:
    # Two hyphens of an option would become a dash.
    return "".join(_LATEX.get(character, character) for character in text).replace("--", "-{}-")


def write_table(table: Table, folder: Path, name: str) -> list[Path]:
    """Write the four forms of a table; returns their files. The name may hold a folder's."""
    forms = {".md": markdown(table), ".tex": latex(table, name), ".html": table_page(table)}
    stem = folder / name
    # Not `with_suffix`, which would cut a dataset's name at its last dot.
    for suffix, text in forms.items():
        write_text(stem.with_name(stem.name + suffix), text)
    write_csv(stem.with_name(stem.name + ".csv"), table.data)
    return [stem.with_name(stem.name + suffix) for suffix in (*forms, ".csv")]


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    write_text(path, frame.to_csv(index=False, lineterminator="\n"))

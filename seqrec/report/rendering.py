"""The forms of a table: Markdown, LaTeX, CSV, and text for a terminal."""

import re
import textwrap
from dataclasses import replace
from pathlib import Path

import pandas as pd
import tabulate

from seqrec.errors import printable
from seqrec.files import write_text
from seqrec.report.cells import Cell, Mark, MarkedText, Table, pieces
from seqrec.report.contents import Item

ROWS_OF_NUMBERS, ROWS_OF_SENTENCES = 45, 12
"""How many rows of a table fit on a page of LaTeX."""

CELL_WIDTH, NOTE_WIDTH = 42, 100
"""Columns of a terminal that a cell of a table may take, and a note below it."""

SIGNS = {Mark.STALE: "†", Mark.OUTDATED: "‡", Mark.OTHER_SETTINGS: "§", Mark.NOT_FINISHED: "—"}
"""The sign of each mark, in the order in which they are drawn."""

LATEX_SIGNS = {
    Mark.STALE: r"\textsuperscript{\dag}",
    Mark.OUTDATED: r"\textsuperscript{\ddag}",
    Mark.OTHER_SETTINGS: r"\textsuperscript{\S}",
    Mark.NOT_FINISHED: r"\textemdash{}",
}


def plain(text: MarkedText) -> str:
    """Render a text as plain Unicode, with the signs of its marks."""
    return "".join(
        piece.text + "".join(sign for mark, sign in SIGNS.items() if mark in piece.marks)
        for piece in pieces(text)
    )


def text(table: Table) -> str:
    """Render a table for a terminal: its title, aligned columns, and the notes below."""
    parts = [table.title]
    if table.cells:
        rows = [[_in_lines(plain(cell.text), CELL_WIDTH) for cell in row] for row in table.cells]
        alignment = ["right" if kind == "r" else "left" for kind in table.kinds]
        parts.append(
            tabulate.tabulate(
                rows, table.headings, "simple", disable_numparse=True, colalign=alignment
            )
        )
    parts += [_in_lines(plain(note), NOTE_WIDTH) for note in table.notes]
    return "\n\n".join(parts)


def _in_lines(words: str, width: int) -> str:
    return textwrap.fill(words, width, break_long_words=False, break_on_hyphens=False)


def markdown(table: Table) -> str:
    """Render a table as Markdown, with a heading above it and the notes below."""
    rows = [[_markdown_cell(cell) for cell in row] for row in table.cells]
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


def _markdown_cell(cell: Cell) -> str:
    text = _markdown(cell.text)
    return f"**{text}**" if cell.bold else text


_COMMAND = re.compile(r"(`(?:seqrec|make) [\w ./<>=-]+`)")
"""What is left as code: commands in our own sentences."""

_MARKUP = re.compile(
    r"[\\`*|~$]"
    r"|(?<!\w)_|_(?!\w)"  # within a word it is no emphasis
    r"|<(?=[a-zA-Z/!?])"  # a tag; not "p < 0.05"
    r"|&(?=#|\w+;)"
    r"|[\[\]](?=[(\[:^])|\[(?=[^\]]*\][(\[:])"  # a link; not an interval
    r"|^>"
)


def _markdown(text: MarkedText) -> str:
    """Escape what Markdown would take for markup, and no more: people read the source, too."""
    parts = _COMMAND.split(plain(text))
    return "".join(
        part if place % 2 else _MARKUP.sub(r"\\\g<0>", part) for place, part in enumerate(parts)
    )


def latex(table: Table, name: str) -> str:
    """Render a table as LaTeX floats for `\\usepackage{booktabs, graphicx}`.

    They span both columns of a two-column page and are never wider than that. A long table takes
    several floats, with the notes below the last. The first is labelled `tab:NAME`.
    """
    size = ROWS_OF_SENTENCES if "s" in table.kinds else ROWS_OF_NUMBERS
    parts = [table.cells[first : first + size] for first in range(0, len(table.cells), size)]
    floats = [replace(table, cells=part, notes=[]) for part in parts[:-1]]
    floats.append(replace(table, cells=parts[-1] if parts else []))
    label = rf"\label{{tab:{re.sub('[^A-Za-z0-9/._+-]', '-', name)}}}"
    return "".join(_latex_float(one, "" if n else label) for n, one in enumerate(floats))


def _latex_float(table: Table, label: str) -> str:
    """Render one float; without a label it continues the one before."""
    lines = [r"\begin{table*}", r"\centering", r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"]
    if not label:
        lines.append(r"\addtocounter{table}{-1}")
    lines.append(rf"\caption{{{_latex(table.title)}{'' if label else ' (continued)'}}}{label}")
    if table.cells:
        # A column of sentences must break into lines; names and numbers need not.
        width = 0.55 / max(1, table.kinds.count("s"))
        kinds = table.kinds.replace("s", rf"p{{{width:.2f}\linewidth}}")
        lines.append(r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%")
        lines += [rf"\begin{{tabular}}{{{kinds}}}", r"\toprule"]
        lines.append(" & ".join(_latex(heading) for heading in table.headings) + r" \\")
        lines.append(r"\midrule")
        before = None
        for row in table.cells:
            shown = [_latex_cell(cell) for cell in row]
            if table.grouped and before and row[0] == before:
                shown[0] = ""
            elif table.grouped and before:
                lines.append(r"\midrule")
            lines.append(" & ".join(shown) + r" \\")
            before = row[0]
        lines += [r"\bottomrule", r"\end{tabular}}"]
    if table.notes:
        lines += ["", r"\smallskip", r"\begin{minipage}{\linewidth}\footnotesize\raggedright"]
        lines += [rf"{_latex(note)}\par" for note in table.notes]
        lines.append(r"\end{minipage}")
    return "\n".join([*lines, r"\end{table*}"]) + "\n"


def _latex_cell(cell: Cell) -> str:
    return rf"\textbf{{{_latex(cell.text)}}}" if cell.bold else _latex(cell.text)


_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "[": "{[}", "*": "{*}",  # after the end of a row they would be its options
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "±": r"$\pm$", "−": "$-$", "–": r"\textendash{}", "—": r"\textemdash{}",
} | {character: "\\" + character for character in "&%$#_{}"}  # fmt: skip


def _latex(text: MarkedText) -> str:
    made = ""
    for piece in pieces(text):
        for place, part in enumerate(_COMMAND.split(piece.text)):
            escaped = "".join(_LATEX.get(one, one) for one in part.strip("`" if place % 2 else ""))
            made += rf"\texttt{{{escaped}}}" if place % 2 else escaped
        made += "".join(sign for mark, sign in LATEX_SIGNS.items() if mark in piece.marks)
    # The two hyphens of an option would become a dash.
    return made.replace("--", "-{}-")


def write_table(table: Table, folder: Path, item: Item) -> list[Path]:
    """Write a table into `folder` in the forms of its entry, and return their paths."""
    texts = {
        "md": markdown(table),
        "tex": latex(table, item.name),
        "csv": csv_text(table.data),
    }
    for path, form in zip(item.files, item.entry.forms, strict=True):
        write_text(folder / path, texts[form])
    return [folder / path for path in item.files]


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a table for programs."""
    write_text(path, csv_text(frame))


def csv_text(frame: pd.DataFrame) -> str:
    """Render a table for programs as CSV, with the same bytes on every system."""
    safe = frame.map(lambda value: printable(value) if isinstance(value, str) else value)
    return safe.to_csv(index=False, lineterminator="\n")

"""Tables as HTML: a caption, headers that say what they head, and downloads within the page."""

import html
from base64 import b64encode
from collections.abc import Iterable, Sequence

from seqrec.report.cells import Cell, MarkedText, Table
from seqrec.report.rendering import csv_text, latex, plain


def table_html(table: Table, name: str = "") -> str:
    """Render a table with its caption, and if it has the name of files, with their downloads."""
    title = html.escape(table.title, quote=True)
    if not table.cells:
        return f"<h3>{title}</h3>"
    head = "".join(
        f'<th scope="col" class="{kind}">{html.escape(heading)}</th>'
        for kind, heading in zip(table.kinds, table.headings, strict=True)
    )
    rows = "\n".join(_row(row, table.kinds) for row in table.cells)
    parts = [
        '<p class="hint" aria-hidden="true">Scroll sideways for more columns →</p>',
        f'<div class="wide" role="group" aria-label="{title}"><table>',
        f"<caption><h3>{title}</h3></caption>",
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>",
    ]
    if name:
        stem, content = name.replace("/", "-"), csv_text(table.data)
        links = [
            download("CSV", f"{table.title} as CSV", f"{stem}.csv", "text/csv", content.encode()),
            download(
                *("LaTeX", f"{table.title} as LaTeX", f"{stem}.tex", "text/plain"),
                latex(table, name).encode(),
            ),
        ]
        parts.append(f'<p class="downloads">Download: {", ".join(links)}</p>')
    return "\n".join(parts)


def _row(row: Sequence[Cell], kinds: str) -> str:
    """Render a row; its first cell heads it."""
    cells = []
    for place, (kind, cell) in enumerate(zip(kinds, row, strict=True)):
        tag, scope = ("td", "") if place else ("th", ' scope="row"')
        look = f"{kind} b" if cell.bold else kind
        cells.append(f'<{tag}{scope} class="{look}">{html.escape(plain(cell.text))}</{tag}>')
    return f"<tr>{''.join(cells)}</tr>"


def notes_html(notes: Iterable[MarkedText]) -> str:
    """Render notes below a table."""
    texts = "".join(f"<p>{html.escape(plain(note))}</p>" for note in notes)
    return f'<div class="notes">{texts}</div>' if texts else ""


def download(text: str, label: str, name: str, kind: str, content: bytes) -> str:
    """Render a link that saves a file of this name and media type, which the page itself holds."""
    href = f"data:{kind};base64,{b64encode(content).decode()}"
    return (
        f'<a download="{html.escape(name, quote=True)}" href="{href}" '
        f'aria-label="{html.escape(label, quote=True)}">{text}</a>'
    )

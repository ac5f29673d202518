"""The frame of every HTML page: self-contained, and light or dark as its reader's system is."""

import html
from collections.abc import Sequence


def html_page(title: str, body: Sequence[str], css: str = "") -> str:
    """Build a page that needs no other file; `body` is the HTML below its title."""
    title = html.escape(title)
    lines = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{title}</title>\n<style>{_CSS}{css}</style>\n</head>\n<body>",
        f"<h1>{title}</h1>",
        *body,
        "</body>\n</html>\n",
    ]
    return "\n".join(lines)


_CSS = """
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

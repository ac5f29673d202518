"""The HTML document: one file that needs no other, in the reader's light or dark."""

import html
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

import vl_convert


def document(title: str, header: str, contents: Mapping[str, str], parts: Iterable[str]) -> str:
    """Build the page. `contents` are titles by the ids of the parts that they lead to."""
    links = "".join(
        f'<li><a href="#{place}">{html.escape(text)}</a></li>' for place, text in contents.items()
    )
    lines = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html.escape(title)}</title>\n<style>\n{_own('page.css')}</style>\n</head>",
        '<body>\n<a class="skip" href="#found">Skip to what was found</a>',
        f"<header>{header}</header>",
        f'<nav aria-label="Contents"><ul>{links}</ul></nav>\n<main>',
        *parts,
        '</main>\n<p class="said" role="status"></p>',
        f"<script>{_vega_lite()}</script>\n<script>\n{_own('page.js')}</script>",
        "</body>\n</html>\n",
    ]
    return "\n".join(lines)


def _own(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _vega_lite() -> str:
    """Return the code of Vega-Lite, with all that it needs, as one script."""
    code = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return code.replace("</script", r"<\/script")

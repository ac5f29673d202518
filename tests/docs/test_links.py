"""Links and pictures of every page lead somewhere; addresses in the network are not tried."""

import re
from pathlib import Path

import pytest
from documentation import PAGES
from small_runs import ROOT

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
INCLUDE = re.compile(r"```\{include\} (\S+)")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as a code host and the site make them."""
    text = text_of(page)
    for included in INCLUDE.findall(text):
        text += text_of(page.parent / included)
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)
    return {*plain, *re.findall(r"^\((\S+)\)=$", text, re.M)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    text = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    for target in LINK.findall(text):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert file.is_relative_to(ROOT), target
        # Those of what the site generates are checked by `make docs`.
        if anchor and file.parent != ROOT / "docs/reference":
            assert anchor in anchors(file), target


def test_every_page_can_be_reached_from_the_readme() -> None:
    waiting, found = [ROOT / "README.md"], set()
    while waiting:
        page = waiting.pop()
        if page in found or page.suffix != ".md":
            continue
        found.add(page)
        for target in [*LINK.findall(text_of(page)), *INCLUDE.findall(text_of(page))]:
            file = (page.parent / target.partition("#")[0]).resolve()
            if file.is_file():
                waiting.append(file)
    assert {page for page in PAGES if page.parent != ROOT / "docs"} - found <= {
        ROOT / "config/published/README.md"
    }


def test_every_page_of_the_site_is_in_its_contents() -> None:
    index = text_of(ROOT / "docs/index.md")
    for page in (ROOT / "docs").rglob("*.md"):
        name = str(page.relative_to(ROOT / "docs").with_suffix(""))
        assert name == "index" or re.search(rf"^{name}$", index, re.M), name

"""The site as its reader meets it: built strictly, whole, and without a need for a network."""

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Page, expect
from small_runs import ROOT

pytestmark = pytest.mark.slow


class Parts(HTMLParser):
    """What a page links to, what it loads, and the anchors that it has."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors.add(given.get("id") or "")
        if tag == "a" and (link := given.get("href")):
            self.links.append(link)
        elif address := given.get("src") or (tag == "link" and given.get("href")):
            self.loads.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sphinx", reason="needs the packages of `make docs`")
    folder = tmp_path_factory.mktemp("a site") / "html"
    build = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    done = subprocess.run([*build, ROOT / "docs", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_nothing_is_loaded_from_a_network_and_every_link_leads_somewhere(site: Path) -> None:
    pages = {page: Parts(page) for page in site.rglob("*.html")}
    assert len(pages) > 20
    for page, parts in pages.items():
        assert [each for each in parts.loads if "//" in each] == [], page
        for link in [*parts.links, *parts.loads]:
            if re.match(r"https?:|mailto:|data:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / unquote(path.partition("?")[0])).resolve() if path else page
            assert target.exists(), (page, link)
            assert not anchor or target not in pages or unquote(anchor) in pages[target].anchors, (
                page,
                link,
            )


@pytest.fixture(params=["light 1440", "dark 390"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    scheme, width = request.param.split()
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": int(width), "height": 900}, offline=True
    )
    yield context.new_page()
    context.close()


def test_search_works_from_a_folder(site: Path, page: Page) -> None:
    page.goto(f"{(site / 'search.html').as_uri()}?q=resume")
    found = page.locator("#search-results li a", has_text="Stop, resume and retrain")
    expect(found).to_be_visible()
    found.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Stop, resume and retrain")


@pytest.mark.parametrize("page", ["dark 390"], indirect=True)
def test_figures_are_dark_on_a_dark_page_and_large_enough_on_a_phone(
    site: Path, page: Page
) -> None:
    page.goto((site / "results.html").as_uri())
    figure = page.locator("article img[src$='.png']").first
    expect(figure).to_have_css("filter", re.compile("invert"))
    assert figure.evaluate("one => one.clientWidth") > 600
    page.emulate_media(media="print")
    expect(figure).to_have_css("filter", "none")


WIDE_PAGES = ["index", "results", "explanation/performance", "reference/commands", "reference/api"]


@pytest.mark.parametrize("name", WIDE_PAGES)
def test_no_page_is_wider_than_the_screen(site: Path, page: Page, name: str) -> None:
    page.goto((site / f"{name}.html").as_uri())
    wide, screen = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= screen

"""The report as its reader meets it: one file, opened in a real browser without a network."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect, sync_playwright
from reading_tables import write_grid
from record_factory import folder_of, make_failure, make_record
from tiny_project import Project

pytestmark = pytest.mark.slow

SECTIONS = {
    "1 Results": 2,
    "2 Against the paper": 2,
    "3 Figures": 3,
    "4 Training": 4,
    "5 Data": 3,
}
"""The folders of the report, with how many entries each has."""

SCREENS = {"laptop": (1366, 768), "phone": (390, 844)}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of records alone: no data, no checkpoint, no experiment file."""
    project = Project.new(tmp_path_factory.mktemp("report") / "a clone")
    results = project.path("results/reference")
    models = ("popularity", "sasrec", "sasrec+", "sasrec+10", "sasrec+3000", "my_model")
    wanted = [("ml-1m", model, seed) for model in models for seed in (0, 1)]
    write_grid(results, *wanted, ("ml-1m", "bert4rec", 0), ("my-shop", "sasrec+", 0))
    for dataset, model, seed in wanted:
        trained = {} if model != "popularity" else {"epochs": None, "best_epoch": None}
        make_record(results, dataset, model, seed, **trained)
    make_record(results, "my-shop", "sasrec+")
    make_failure(folder_of(results, "ml-1m", "bert4rec"))
    project.make("evidence", experiment="reference")
    style = project.path("workflow/report/report.css")
    where = ["--report", "report.html", "--report-stylesheet", str(style)]
    project.make("evidence", *where, experiment="reference")
    return project.path("report.html")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        if os.environ.get("SEQREC_REQUIRE_BROWSER"):
            pytest.fail("no chromium or google-chrome to open the report with")
        pytest.skip("needs chromium or google-chrome")
    with sync_playwright() as playwright:
        # Chromium refuses to sandbox itself where tests run as root, as in containers.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


class Reader:
    """Someone who clicks through the report, and whatever went wrong meanwhile."""

    def __init__(self, browser: Browser, report: Path, scheme: str, screen: str) -> None:
        width, height = SCREENS[screen]
        self.context = browser.new_context(
            color_scheme=scheme,  # type: ignore[arg-type]
            viewport={"width": width, "height": height},
            offline=True,
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on(
            "console",
            lambda said: self.problems.append(said.text) if said.type == "error" else None,
        )
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(report.as_uri())
        expect(self.page.get_by_role("heading", name="Sequential recommenders")).to_be_visible()

    def open(self, section: str) -> None:
        """From anywhere to a folder of the report."""
        self.page.locator("nav nav a").first.click()
        self.page.locator("nav").first.get_by_text(section, exact=True).click()

    def entries(self) -> int:
        expect(self.page.locator("nav tbody tr").first).to_be_visible()
        return self.page.locator("nav tbody tr").count()

    def show(self, entry: int) -> FrameLocator:
        """The page behind the eye of an entry."""
        self.page.locator("nav tbody tr").nth(entry).locator("a").first.click()
        frame = self.page.frame_locator("iframe")
        expect(frame.locator("h1")).to_be_visible()
        return frame


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(SCREENS))
def reader(
    browser: Browser, report: Path, scheme: str, request: pytest.FixtureRequest
) -> Iterator[Reader]:
    reader = Reader(browser, report, scheme, request.param)
    yield reader
    reader.context.close()
    assert reader.problems == []
    own = report.as_uri()
    assert [url[:80] for url in reader.requests if not url.startswith((own, "data:"))] == []


def test_every_section_opens_and_shows_what_it_promises(reader: Reader) -> None:
    for section, count in SECTIONS.items():
        reader.open(section)
        assert reader.entries() == count, section
        for entry in range(count):
            frame = reader.show(entry)
            shown = frame.locator("figure svg" if frame.locator("figure").count() else "table, p")
            for each in shown.all():
                box = each.bounding_box()
                assert box is not None and box["width"] > 100 and box["height"] > 10
            # Nothing sticks out of the screen; a wide table scrolls by itself.
            body = frame.locator("html")
            assert body.evaluate("page => page.scrollWidth <= page.clientWidth")


def test_the_page_takes_the_readers_light_or_dark(reader: Reader, scheme: str) -> None:
    reader.open("3 Figures")
    frame = reader.show(0)
    brightness = """
        page => {
          const context = document.createElement("canvas").getContext("2d");
          context.fillStyle = "Canvas";
          const of = (colour) => {
            context.fillStyle = colour;
            context.fillRect(0, 0, 1, 1);
            return context.getImageData(0, 0, 1, 1).data[1];
          };
          return [of(getComputedStyle(page).color), of(getComputedStyle(
            page.querySelector("svg text")).fill)];
        }"""
    ink, drawn = frame.locator("html").evaluate(brightness)
    assert ink == drawn
    assert (ink > 128) == (scheme == "dark")
    background = reader.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(18, 18, 18)") == (scheme == "dark")


def test_pointing_at_a_line_tells_its_run_and_values(reader: Reader) -> None:
    reader.open("3 Figures")
    frame = reader.show(0)
    figure = frame.locator("figure").first
    place = figure.evaluate(
        """figure => {
          const line = JSON.parse(figure.querySelector("script").textContent)[0];
          const [x, y] = line.points[4];
          const at = new DOMPoint(x, y)
            .matrixTransform(figure.querySelector("svg").getScreenCTM());
          return [at.x, at.y];
        }"""
    )
    frame_box = reader.page.locator("iframe").bounding_box()
    assert frame_box
    reader.page.mouse.move(frame_box["x"] + place[0], frame_box["y"] + place[1])
    tip = frame.locator("#tip")
    expect(tip).to_be_visible()
    expect(tip).to_contain_text("/seed-")
    expect(tip).to_contain_text("epoch: 5")
    reader.page.mouse.move(0, 0)


def test_captions_say_how_to_read_what_is_shown(reader: Reader) -> None:
    for section in SECTIONS:
        reader.open(section)
        reader.entries()
        reader.page.locator("nav tbody tr").first.locator("a").nth(1).click()
        caption = reader.page.locator("nav .prose").first
        expect(caption).to_be_visible()
        assert len(caption.inner_text()) > 60
        assert "System Message" not in reader.page.locator("nav").first.inner_text()


def test_a_toggle_leads_from_results_to_which_models_differ(reader: Reader) -> None:
    reader.open("1 Results")
    frame = reader.show(0)
    expect(frame.locator("h1")).to_have_text("MovieLens-1M: test metrics")
    reader.page.get_by_text("which models differ", exact=True).click()
    expect(frame.locator("h1")).to_have_text("MovieLens-1M: which models differ")


def test_the_steps_and_their_times_are_drawn(reader: Reader) -> None:
    expect(reader.page.locator("#rulegraph canvas, #rulegraph svg").first).to_be_visible()
    reader.page.locator("nav").first.get_by_text("Statistics", exact=True).click()
    expect(reader.page.locator("#runtimes canvas, #runtimes svg").first).to_be_visible()


def test_what_failed_is_told_with_its_reason(reader: Reader) -> None:
    reader.open("4 Training")
    rows = reader.page.locator("nav tbody tr")
    names = [rows.nth(entry).inner_text() for entry in range(reader.entries())]
    frame = reader.show(next(i for i, name in enumerate(names) if "Missing" in name))
    expect(frame.get_by_text("out of memory.")).to_be_visible()

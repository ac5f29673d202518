"""The report as its reader meets it: one file, opened in a real browser without a network."""

from collections.abc import Iterator
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from reading_tables import CONFIG, write_grid
from record_factory import folder_of, make_failure, make_record

from seqrec.report.looks import look_of
from seqrec.report.page import write_page

pytestmark = pytest.mark.slow

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"

SCREENS = {"wide": (1440, 900), "laptop": (1050, 800), "phone": (390, 844)}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of records alone: no data, no checkpoint, no experiment file."""
    results = tmp_path_factory.mktemp("a clone") / "reference"
    models = ("popularity", "bert4rec", "sasrec", "sasrec+", "sasrec+10", "sasrec+3000", "my_model")
    wanted = [("ml-1m", model, seed) for model in models for seed in (0, 1)]
    write_grid(results, *wanted, ("ml-1m", "gru4rec", 0), ("my-shop", "sasrec+", 0))
    for dataset, model, seed in wanted:
        trained = {} if model != "popularity" else {"epochs": None, "best_epoch": None}
        make_record(results, dataset, model, seed, **trained)
    make_record(results, "my-shop", "sasrec+")
    make_failure(folder_of(results, "ml-1m", "gru4rec"))
    return write_page(results, CONFIG)


EVERYWHERE = pytest.mark.parametrize(
    "scheme, screen", [(scheme, screen) for scheme in ("light", "dark") for screen in SCREENS]
)
HERE_AND_THERE = pytest.mark.parametrize("scheme, screen", [("light", "wide"), ("dark", "phone")])


@pytest.fixture
def page(browser: Browser, report: Path, scheme: str, screen: str) -> Iterator[Page]:
    """The report on a screen, which must cause no error and fetch nothing."""
    width, height = SCREENS[screen]
    context = browser.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": width, "height": height},
        offline=True,
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    problems: list[str] = []
    fetched: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda said: problems.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(report.as_uri())
    expect(page.locator(".drawing svg").first).to_be_visible()
    yield page
    context.close()
    assert problems == []
    assert [url[:80] for url in fetched if not url.startswith(("data:", "blob:"))] == [
        report.as_uri()
    ]


def chart(page: Page, name: str) -> Locator:
    return page.locator(f"#{name} .chart").first


def open_all(page: Page) -> None:
    """Unfold everything, and wait until all charts are drawn."""
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    for drawing in page.locator(".drawing").all():
        expect(drawing.locator("svg").first).to_be_attached()


@HERE_AND_THERE
def test_it_opens_with_what_was_found(page: Page) -> None:
    lead = page.locator(".lead").first
    expect(lead).to_contain_text("metrics of the paper's table")
    box = lead.bounding_box()
    assert box is not None and box["y"] < 700
    for name in ("num_negatives", "convergence", "results"):
        expect(page.locator(f"#{name}")).to_be_visible()


@EVERYWHERE
def test_nothing_sticks_out_and_what_is_wide_scrolls_with_its_first_column_held(page: Page) -> None:
    open_all(page)
    assert page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    wide = page.locator(".wide:has(tbody tr)").filter(visible=True)
    for table in wide.all():
        scrolls = table.evaluate("box => box.scrollWidth > box.clientWidth + 1")
        hint = table.locator("xpath=preceding-sibling::p[1]")
        assert hint.is_visible() == scrolls
        assert (table.get_attribute("tabindex") == "0") == scrolls
        if scrolls:
            held = table.locator("tbody th").first
            before = held.bounding_box()
            table.evaluate("box => box.scrollLeft = 80")
            assert held.bounding_box() == before


@EVERYWHERE
def test_axe_finds_no_fault(page: Page) -> None:
    open_all(page)
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run()).violations")
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []


@HERE_AND_THERE
def test_text_and_charts_take_the_readers_light_or_dark(page: Page, scheme: str) -> None:
    brightness = """
        ([place, style]) => {
          const context = document.createElement("canvas").getContext("2d");
          context.fillStyle = getComputedStyle(document.querySelector(place))[style];
          context.fillRect(0, 0, 1, 1);
          return context.getImageData(0, 0, 1, 1).data[1];
        }"""
    paper = page.evaluate(brightness, ["body", "backgroundColor"])
    text = page.evaluate(brightness, ["body", "color"])
    drawn = page.evaluate(brightness, [".drawing svg text", "fill"])
    assert (paper < 128) == (scheme == "dark")
    assert (text > 128) == (drawn > 128) == (scheme == "dark")


@HERE_AND_THERE
def test_the_pointer_is_told_values(page: Page) -> None:
    panel = chart(page, "num_negatives").locator("figure").first
    panel.scroll_into_view_if_needed()
    panel.locator("path[opacity='0']").first.hover(force=True)
    tip = page.locator("#vg-tooltip-element")
    expect(tip).to_be_visible()
    expect(tip).to_contain_text("SASRec+")
    expect(tip).to_contain_text("0.1")


@HERE_AND_THERE
def test_the_keyboard_reads_values_and_switches_series_off(page: Page) -> None:
    whole = chart(page, "num_negatives")
    button = whole.get_by_role("button", name="BERT4Rec")
    drawn = whole.locator(".drawing svg").first
    its = drawn.locator(f"[stroke='{look_of('bert4rec').colour}']")
    many = its.count()
    assert many
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(its).to_have_count(0)
    view = whole.get_by_role("application").first
    view.focus()
    said = page.get_by_role("status")
    read = set()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
        read.add(said.inner_text())
        page.keyboard.press("ArrowDown")
        read.add(said.inner_text())
    assert any("NDCG@10 0.1" in text for text in read)
    assert not any("BERT4Rec" in text for text in read)
    page.keyboard.press("Escape")
    expect(said).to_be_empty()
    button.press("Space")
    expect(its).to_have_count(many)


@HERE_AND_THERE
def test_a_link_unfolds_what_it_leads_to(page: Page) -> None:
    missing = page.locator("#missing")
    expect(missing.get_by_text("out of memory.")).to_be_hidden()
    page.get_by_role("link", name="What is missing, and why").click()
    expect(missing.get_by_text("out of memory.")).to_be_visible()
    missing.locator("summary").click()
    expect(missing.get_by_text("out of memory.")).to_be_hidden()
    page.get_by_role("link", name="What is missing, and why").click()
    expect(missing.get_by_text("out of memory.")).to_be_visible()


@HERE_AND_THERE
def test_the_first_tab_leads_past_the_contents(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to what was found")).to_be_focused()


@HERE_AND_THERE
def test_tables_and_charts_can_be_saved(page: Page, tmp_path: Path) -> None:
    for link, start in (("CSV", b"model,"), ("LaTeX", b"\\begin"), ("PDF", b"%PDF")):
        with page.expect_download() as saved:
            page.locator(".downloads a").filter(has_text=link).filter(visible=True).first.click()
        assert saved.value.path().read_bytes().startswith(start)


def test_without_scripts_everything_but_the_charts_is_there(browser: Browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(report.as_uri())
    expect(page.locator(".lead").first).to_be_visible()
    page.locator("#runs summary").click()
    expect(page.locator("#runs table")).to_be_visible()
    expect(chart(page, "convergence").locator("noscript")).to_be_visible()
    context.close()


def test_print_shows_what_is_unfolded_and_nothing_to_press(browser: Browser, report: Path) -> None:
    page = browser.new_page()
    page.goto(report.as_uri())
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation")).to_be_hidden()
    expect(page.locator("#runs")).to_be_hidden()
    expect(page.locator(".downloads").first).to_be_hidden()
    expect(page.locator("#results table").first).to_be_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()

"""The page of an audit, and the audits on the page of an experiment."""

import re
from collections import Counter
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect
from reading_tables import CONFIG
from record_factory import make_record

from seqrec.audit.audit import Audit, audit_log, write_audit
from seqrec.audit.meaning import findings, unknown, verdicts
from seqrec.data.bad_lines import Dropped
from seqrec.data.filtering import Removed
from seqrec.data.interactions import Interactions
from seqrec.data.simulation import simulate
from seqrec.data.statistics import describe
from seqrec.errors import SeqrecError
from seqrec.layout import LogFiles
from seqrec.records.reading import read_record
from seqrec.report.page import write_page
from seqrec.report.page.audit import write_audit_page


def log_of(timed: bool) -> Interactions:
    log = simulate(users=300, items=60, mean_length=12, max_length=30)
    times = np.arange(len(log.items)) * 1000 if timed else None
    statistics = describe(log, (times,) if timed else (), Removed(0, 0, 0, 0, 0, 0), Dropped(), {})
    return Interactions(log.items, log.offsets, log.num_items, statistics, "d", times=times)


@pytest.fixture(scope="module")
def audit() -> Audit:
    return audit_log("my-shop", log_of(timed=True))


def text_of(path: Path) -> str:
    """The page without the code of Vega-Lite."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"<script>.*?</script>", "<script></script>", text, flags=re.DOTALL)


def require_all_of(audit: Audit, text: str) -> None:
    """Require that a page says everything about an audit."""
    said = unescape(re.sub(r"</?code>", "`", text))
    for line in [*verdicts(audit), *unknown(audit)]:
        assert line in said
    for found in findings(audit):
        assert all(part in said for part in (found.name, found.value, found.meaning))
    repeated = [one for one, n in Counter(re.findall(r' id="([^"]*)"', text)).items() if n > 1]
    assert repeated == []
    assert {*re.findall(r'href="#([^"]*)"', text)} <= {*re.findall(r' id="([^"]*)"', text)}


@pytest.mark.parametrize("timed", [True, False])
def test_it_shows_every_number_with_its_sentence_and_needs_nothing_from_elsewhere(
    timed: bool, tmp_path: Path
) -> None:
    audit = audit_log("shop & <more>", log_of(timed))
    write_audit_page(tmp_path / "audit.html", audit)
    text = text_of(tmp_path / "audit.html")
    require_all_of(audit, text)
    assert "<more>" not in text
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', text)
    assert text.count('class="chart"') == (2 if timed else 1)


@pytest.fixture
def processed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder in which `my-shop` has a place for its log."""
    monkeypatch.chdir(tmp_path)
    folder = LogFiles.of("my-shop").folder
    folder.mkdir(parents=True)
    return folder


def test_the_page_of_an_experiment_shows_an_audit_of_the_log_that_it_was_trained_on(
    audit: Audit, processed: Path
) -> None:
    results = Path("results/mine")
    record = read_record(make_record(results, "my-shop", "sasrec+"))
    without = text_of(write_page(results, CONFIG))
    assert "Audits" not in without

    write_audit(LogFiles(processed), audit)
    assert text_of(write_page(results, CONFIG)) == without  # of another log

    same = audit.model_copy(update={"sha256": record.data.sha256})
    write_audit(LogFiles(processed), same)
    shown = text_of(write_page(results, CONFIG))
    require_all_of(same, shown)
    assert '<a href="#part-audits">Audits</a>' in shown


def test_a_damaged_audit_is_named_with_the_remedy(processed: Path) -> None:
    make_record(Path("results/mine"), "my-shop", "sasrec+")
    LogFiles(processed).audit.write_text("{")
    with pytest.raises(SeqrecError, match=r"audit\.json: is not whole JSON.*\n.*audit the dataset"):
        write_page(Path("results/mine"), CONFIG)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 390])
def test_in_a_browser_its_charts_are_drawn_and_nothing_sticks_out(
    audit: Audit, width: int, browser: Browser, tmp_path: Path
) -> None:
    write_audit_page(tmp_path / "audit.html", audit)
    context = browser.new_context(viewport={"width": width, "height": 800}, offline=True)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto((tmp_path / "audit.html").as_uri())
    for drawing in page.locator(".drawing").all():
        expect(drawing.locator("svg").first).to_be_visible(timeout=20_000)
    expect(page.locator(".lead")).to_have_text(verdicts(audit)[0])
    assert page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    context.close()
    assert problems == []

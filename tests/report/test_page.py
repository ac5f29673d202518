"""The page as a file: whole in itself, with everything that it links to, for any results."""

import os
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from reading_tables import CONFIG, write_grid
from record_factory import folder_of, make_failure, make_history, make_record

from seqrec.cli.main import main
from seqrec.errors import SeqrecError
from seqrec.report import contents
from seqrec.report.page import write_page

VOID = {"meta", "link", "br", "path", "rect"}


class Elements(HTMLParser):
    """The elements of a page with their attributes; fails if one is not closed in its order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def all(self, attribute: str) -> list[str]:
        return [str(found[attribute]) for _, found in self.found if attribute in found]


SASREC = {
    "implementation": "sasrec",
    "max_length": 200,
    "hyperparameters": {"hidden_size": 64, "blocks": 2},
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment on a dataset of the paper, one of its own, and one that could not be had."""
    results = tmp_path_factory.mktemp("results") / "shops & <more>"
    for dataset in ("ml-1m", "my-shop"):
        for model in ("bert4rec", "sasrec+", "sasrec+10", "sasrec+100", "my <b> & own"):
            for seed in (0, 1):
                history = make_history(7, speed=2.5 + seed)
                make_record(
                    results, dataset, model, seed, history=history, epochs=7, best_epoch=5,
                    config=SASREC, recommended_counts=[9, 1, 0], history_lengths=[7] * 1000,
                )  # fmt: skip
    make_record(results, "my-shop", "popularity", epochs=None, best_epoch=None)
    make_failure(folder_of(results, "yelp", "sasrec+"))
    write_page(results, CONFIG)
    return results


@pytest.fixture(scope="module")
def text(results: Path) -> str:
    return (results / "report.html").read_text(encoding="utf-8")


def own(text: str) -> str:
    """The page without the code of Vega-Lite."""
    return re.sub(r"<script>.*?</script>", "<script></script>", text, flags=re.DOTALL)


def test_it_is_whole_and_needs_nothing_from_elsewhere(text: str) -> None:
    page = Elements(own(text))
    assert page.all("src") == []
    places = {link for link in page.all("href") if not link.startswith(("#", "data:"))}
    assert places == {"https://doi.org/10.1145/3604915.3610644"}
    assert "@import" not in own(text) and "url(" not in own(text)


def test_every_place_that_is_named_is_there_once(text: str) -> None:
    page = Elements(own(text))
    ids = Counter(page.all("id"))
    assert [place for place, count in ids.items() if count > 1] == []
    links = {link[1:] for link in page.all("href") if link.startswith("#")}
    assert links | set(page.all("aria-describedby")) <= ids.keys()


def test_it_shows_every_table_and_figure_of_the_report(text: str) -> None:
    shown = set(Elements(own(text)).all("id"))
    always = [*contents.items(contents.TABLES, [""]), *contents.items(contents.FIGURES, [""])]
    assert {item.entry.name for item in always} <= shown


def test_names_are_shown_as_they_are(text: str) -> None:
    page = own(text)
    assert "shops &amp; &lt;more&gt;" in page
    assert "my &lt;b&gt; &amp; own" in page
    assert "my <b>" not in text


def test_datasets_without_a_finished_run_have_no_tables_and_a_reason(text: str) -> None:
    captions = re.findall(r"<caption><h3>(.*?)</h3>", text)
    assert not any("Yelp" in caption for caption in captions)
    assert "out of memory" in text


def test_results_on_data_of_ones_own_show_no_verdict_on_the_paper(tmp_path: Path) -> None:
    for model in ("bert4rec", "sasrec+"):
        make_record(tmp_path, "my-shop", model)
    page = own(write_page(tmp_path, CONFIG).read_text(encoding="utf-8"))
    assert "has the highest test NDCG@10" in page
    for said in ("Against the paper", "The paper's claims", "reproduced", "Klenitskiy"):
        assert said not in page


def test_results_of_single_trainings_are_shown_too(tmp_path: Path) -> None:
    make_record(tmp_path, "my-shop", "my_model", epochs=None, best_epoch=None)
    assert "my_model reaches a test NDCG@10 of" in write_page(tmp_path, CONFIG).read_text("utf-8")


def test_without_a_finished_run_it_says_so_and_writes_nothing(tmp_path: Path) -> None:
    write_grid(tmp_path, ("ml-1m", "sasrec+", 0))
    with pytest.raises(SeqrecError, match=r"no run has finished.*`seqrec missing"):
        write_page(tmp_path, CONFIG)
    assert not (tmp_path / "report.html").exists()


def test_the_command_writes_it_and_says_where(tmp_path: Path) -> None:
    make_record(tmp_path, "my-shop", "my_model", epochs=None, best_epoch=None)
    done = CliRunner().invoke(main, ["report", str(tmp_path)])
    assert (done.exit_code, done.output) == (0, f"{tmp_path / 'report.html'}\n")
    failed = CliRunner().invoke(main, ["report", str(tmp_path / "runs")])
    assert failed.exit_code == 1
    assert "holds no experiment" in failed.output


def test_the_same_records_make_the_same_page(results: Path, text: str) -> None:
    assert write_page(results, CONFIG).read_text(encoding="utf-8") == text


def test_results_may_lie_in_a_folder_named_by_any_bytes(tmp_path: Path) -> None:
    results = tmp_path / os.fsdecode(b"theirs\xff")
    make_record(results)
    assert r"<title>theirs\udcff" in write_page(results, CONFIG).read_text(encoding="utf-8")

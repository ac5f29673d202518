"""Tables of the page: every cell is there, says what heads it, and can be taken along."""

import base64
import re
from html import unescape
from html.parser import HTMLParser

import pandas as pd

from seqrec.report.cells import Cell, Mark, Piece, Table, marked_note
from seqrec.report.page.tables import notes_html, table_html
from seqrec.report.rendering import csv_text, latex

NAME = r"my_model & co <b>|$5%#~^\ x"


class Cells(HTMLParser):
    """Reads the cells of a table, and fails on elements that are not closed in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[tuple[str, dict[str, str | None], str]] = []
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1][0] in ("td", "th"):
            self.cells.append((*self.open[-1], data))


def example() -> Table:
    rows = [
        [Cell((Piece(NAME, Mark.STALE),)), Cell("0.18", bold=True)],
        [Cell("BERT4Rec"), Cell("0.15")],
    ]
    return Table('Demo & "own"', ["Model", "NDCG@10"], rows, pd.DataFrame({"model": [NAME]}))


def test_a_table_has_a_caption_and_headers_for_rows_and_columns() -> None:
    text = table_html(example(), "results/demo")
    (caption,) = re.findall(r"<caption>(.*?)</caption>", text)
    assert unescape(re.sub("<.*?>", "", caption)) == 'Demo & "own"'
    shown = Cells(text).cells
    assert [cell[2] for cell in shown if cell[1].get("scope") == "col"] == ["Model", "NDCG@10"]
    assert [cell[2] for cell in shown if cell[1].get("scope") == "row"] == [NAME + "†", "BERT4Rec"]
    assert [cell[2] for cell in shown if cell[0] == "td"] == ["0.18", "0.15"]
    assert [cell[2] for cell in shown if "b" in str(cell[1]["class"]).split()] == ["0.18"]


def test_downloads_hold_what_the_files_would() -> None:
    table = example()
    links = re.findall(
        r'<a download="([^"]*)" href="data:[^"]*;base64,([^"]*)"', table_html(table, "results/demo")
    )
    assert {name: base64.b64decode(content).decode() for name, content in links} == {
        "results-demo.csv": csv_text(table.data),
        "results-demo.tex": latex(table, "results/demo"),
    }


def test_a_table_without_rows_is_its_title() -> None:
    empty = Table("Missing", ["Run"], [], pd.DataFrame(), ["Nothing is missing."])
    assert "<table" not in table_html(empty, "missing")
    assert "Missing" in table_html(empty, "missing")
    assert "Nothing is missing." in notes_html(empty.notes)


def test_notes_keep_their_marks_and_signs() -> None:
    assert "† by other code &lt;1&gt;" in notes_html([marked_note(Mark.STALE, "by other code <1>")])

"""Every form of a table shows what is in it: names, numbers and notes."""

import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from reading_tables import rows, write, write_grid
from record_factory import make_record

from seqrec.report.cells import NOT_FINISHED, Cell, Mark, Piece, Table, joined, marked_note
from seqrec.report.numbers import number, percent
from seqrec.report.rendering import latex, markdown, plain, text

OLD_CODE = {"version": "0.1.0", "commit": None, "training_code": "old"}


# Forms


def test_an_own_models_name_survives_every_form(tmp_path: Path) -> None:
    name = r"my_model & co <b>|$5%#~^\ x"
    make_record(tmp_path, "demo", name)
    write(tmp_path)
    latex = (tmp_path / "tables/results/demo.tex").read_text()
    assert (
        r"my\_model \& co \textless{}b\textgreater{}\textbar{}\$5\%\#\textasciitilde{}"
        r"\textasciicircum{}\textbackslash{} x & "
    ) in latex
    (shown,) = [row for row in rows(tmp_path, "results/demo") if row.startswith("my")]
    assert re.sub(r"\\(.)", r"\1", shown) == name
    assert pd.read_csv(tmp_path / "tables/results/demo.csv")["model"].tolist() == [name]


def said_in(markdown_text: str) -> list[str]:
    """What each cell and paragraph of a Markdown text says to a reader of the rendered page."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    found = []
    for token in parser.parse(markdown_text):
        if token.type == "inline":
            children = token.children or []
            assert {child.type for child in children} <= {"text", "code_inline", "text_special"}
            found.append("".join(child.content for child in children))
    return found


@given(st.text(r"ab _*~`<>&;#[](:)|\$^!x/-1", min_size=1, max_size=12))
def test_whatever_a_cell_says_is_what_a_reader_sees(said: str) -> None:
    table = Table("T", ["Name"], [[Cell(said)]], pd.DataFrame())
    words = [" ".join(text.split()) for text in said_in(markdown(table))[2:]]
    assert words == ([" ".join(said.split())] if said.strip() else [""])


def test_what_a_record_names_can_neither_steer_a_terminal_nor_break_a_row(tmp_path: Path) -> None:
    make_record(tmp_path, device="A\x1b[2J\nCPU\x9b", seqrec=OLD_CODE | {"version": "\x1b"})
    write(tmp_path)
    for path in (tmp_path / "results.csv", *(tmp_path / "tables").rglob("*.*")):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", path.read_text()), path
    said = said_in((tmp_path / "tables/runs.md").read_text())
    assert r"A\x1b[2J CPU\x9b, 2 threads, float32" in said


def test_a_terminal_gets_long_cells_and_notes_in_lines_between_words() -> None:
    said, folder = " ".join(["several", "words"] * 5), "results/" + "x" * 60
    cells = [[Cell(said), Cell(folder), Cell("0.1234")]]
    table = Table("T", ["A", "B", "C"], cells, pd.DataFrame(), [said], "llr")
    table.notes.append(f"{said} {said}")
    _, shown, note, long_note = text(table).split("\n\n")
    _, rule, first, second = shown.split("\n")
    assert [len(dashes) for dashes in rule.split()] == [41, 68, 6]
    assert first.split("  ") == [said[:41], folder, "0.1234"]
    assert second.strip() == said[42:]
    assert note == said
    assert max(map(len, long_note.split("\n"))) <= 100
    assert long_note.replace("\n", " ") == f"{said} {said}"


def test_numbers_and_commands_need_no_backslash() -> None:
    note = "`seqrec promote results/paper` adds them; p < 0.0001, [−0.1, +0.2], my_model & co."
    table = Table("T", ["Name"], [[Cell("+0.1 [+0.0, +0.2], p < 0.05")]], pd.DataFrame(), [note])
    assert "\\" not in markdown(table)
    assert said_in(markdown(table))[-1] == note.replace("`", "")


def test_latex_tables_are_balanced_and_rows_as_wide_as_their_heading(tmp_path: Path) -> None:
    write_grid(tmp_path, ("ml-1m", "sasrec+", 0), ("yelp", "my_model", 1))
    make_record(tmp_path)
    for path in write(tmp_path):
        if path.suffix != ".tex":
            continue
        text = path.read_text()
        assert text.isascii(), "so that any engine and encoding will do"
        opened = re.findall(r"\\begin\{(\S+?)\}", text)
        assert sorted(opened) == sorted(re.findall(r"\\end\{(\S+?)\}", text))
        plain = re.sub(r"\\[{}]", "", text)
        assert plain.count("{") == plain.count("}")
        widths = {
            len(re.findall(r"(?<!\\)&", line)) for line in text.splitlines() if r" \\" in line
        }
        assert len(widths) <= 1, path
        assert ("toprule" in text) == bool(widths), "a table without lines is its notes"


def test_the_paper_table_has_every_dataset_once_with_a_rule_between(tmp_path: Path) -> None:
    for dataset in ("ml-1m", "beauty", "demo"):
        for model in ("sasrec+", "sasrec+10", "sasrec+3000"):
            make_record(tmp_path, dataset, model)
    write_grid(tmp_path, ("yelp", "sasrec", 0))
    write(tmp_path)
    text = (tmp_path / "tables/paper.tex").read_text()
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    assert [group.split(" & ")[0] for group in body.split("\\midrule\n")[1:]] == [
        *("MovieLens-1M", "Amazon Beauty", "Demo (simulated)"),
    ]
    assert [group.count(r"\\") for group in body.split(r"\midrule")[1:]] == [2, 2, 3], (
        "of SASRec+ N the paper's table has 3000 alone"
    )
    assert "Yelp" not in body
    assert "No run has finished on Yelp: not run." in text
    assert r"\usepackage" not in text


def test_no_cell_of_latex_is_taken_for_an_option_of_the_row_before(tmp_path: Path) -> None:
    for model in ("[1]", "*"):
        make_record(tmp_path, "ml-1m", model)
    write(tmp_path)
    text = (tmp_path / "tables/results/ml-1m.tex").read_text()
    assert "{[}1]" in text
    assert not re.search(r"(\\\\|\\midrule)\n[\[*]", text)


def test_marks_are_drawn_after_the_name_that_they_belong_to_in_every_form() -> None:
    model = Piece("SASRec+", Mark.STALE | Mark.OTHER_SETTINGS)
    sentence = joined(model, " minus ", Piece("BERT4Rec", Mark.OUTDATED))
    rows = [[Cell((model,)), NOT_FINISHED], [Cell(sentence), Cell("1", bold=True)]]
    notes = [marked_note(Mark.STALE, "by other code")]
    table = Table("Marked", ["Model", "Value"], rows, pd.DataFrame(), notes)
    assert table.marks == Mark.STALE | Mark.OTHER_SETTINGS | Mark.OUTDATED | Mark.NOT_FINISHED
    assert plain(sentence) == "SASRec+†§ minus BERT4Rec‡"
    for shown in ("SASRec+†§", "SASRec+†§ minus BERT4Rec‡", "—", "† by other code"):
        assert shown in markdown(table)
    made = latex(table, "marked")
    assert r"SASRec+\textsuperscript{\dag}\textsuperscript{\S} & \textemdash{} " in made
    assert r" minus BERT4Rec\textsuperscript{\ddag} & \textbf{1}" in made
    assert r"\textsuperscript{\dag} by other code" in made


def test_a_sign_in_a_name_is_no_mark() -> None:
    table = Table("Named", ["Model"], [[Cell("my † model")]], pd.DataFrame())
    assert not table.marks
    assert "my † model" in markdown(table)


def test_a_long_latex_table_goes_on_in_further_floats() -> None:
    rows = [[Cell(f"row {number}"), Cell("1")] for number in range(100)]
    text = latex(Table("Long", ["Name", "Value"], rows, pd.DataFrame(), ["a note"]), "long")
    floats = text.split(r"\begin{table*}")[1:]
    assert [one.count("row ") for one in floats] == [45, 45, 10]
    assert re.findall(r"row (\d+)", text) == [str(number) for number in range(100)]
    assert ["(continued)" in one for one in floats] == [False, True, True]
    assert ["a note" in one for one in floats] == [False, False, True]


def test_every_latex_table_has_a_label_of_its_own_beside_its_first_caption(tmp_path: Path) -> None:
    for dataset in ("ml-1m", "my_shop", "my shop #1"):
        make_record(tmp_path, dataset)
    labels = []
    for path in write(tmp_path):
        if path.suffix == ".tex":
            labels += re.findall(r"\\caption\{.*\}\\label\{(.*)\}\n", path.read_text())
    assert len(labels) == len(set(labels)) == 9 + 3 * 4
    assert {"tab:results/ml-1m", "tab:pairs/my_shop", "tab:results/my-shop--1", "tab:claims"} <= {
        *labels
    }
    rows = [[Cell("row"), Cell("1")]] * 100
    long = latex(Table("Long", ["Name", "Value"], rows, pd.DataFrame()), "long")
    assert long.count(r"\label{tab:long}") == 1


def has_latex() -> bool:
    find = ["kpsewhich", "booktabs.sty", "graphicx.sty"]
    found = shutil.which("pdflatex") and shutil.which("kpsewhich")
    return bool(found) and subprocess.run(find, capture_output=True).returncode == 0


@pytest.mark.skipif(not has_latex(), reason="needs pdflatex with booktabs and graphicx")
def test_latex_compiles_and_no_table_is_wider_than_the_page(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_grid(results, ("ml-1m", "bert4rec", 0), ("yelp", "my_model", 1))
    own = (r"my_model & co <b>|$5%#{~^\}", "[1]")
    for model in ("popularity", "sasrec", "sasrec+", "sasrec+3000", *own):
        for seed in (0, 1):
            trained = {} if model != "popularity" else {"epochs": None, "best_epoch": None}
            make_record(results, "ml-1m", model, seed, seqrec=OLD_CODE, **trained)
    paths = [path for path in write(results) if path.suffix == ".tex"]
    inputs = [rf"\input{{{path}}}\clearpage" for path in paths]
    document = [r"\documentclass[twocolumn]{article}", r"\usepackage{booktabs, graphicx}"]
    document += [r"\begin{document}", *inputs, r"\end{document}"]
    (tmp_path / "all.tex").write_text("\n".join(document))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "Overfull" not in done.stdout
    assert "Float too large" not in done.stdout


# Numbers


@given(st.floats(0, 1), st.floats(0, 1))
def test_shown_metrics_are_within_half_a_unit_of_the_last_digit(ours: float, spread: float) -> None:
    assert abs(float(number(ours, 4)) - ours) <= 0.5e-4 + 1e-12


@given(st.integers(0, 10**12))
def test_shown_counts_read_back_exactly(count: int) -> None:
    assert int(number(count).replace(",", "")) == count


@given(st.floats(-0.99, 10))
def test_shown_differences_have_a_sign_and_never_a_negative_zero(difference: float) -> None:
    text = percent(difference)
    assert text[0] in "+−"
    assert text != "−0.0%"
    assert (
        abs(float(text[:-1].replace("−", "-").replace(",", "")) / 100 - difference)
        <= 0.5e-3 + 1e-12
    )

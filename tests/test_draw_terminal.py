"""The recorded terminal of the README: what a command says, in its colours, without a network."""

import subprocess
import sys
from xml.etree import ElementTree

import pytest
from draw_terminal import DRAWING, drawn, said

TWO_LINES = "import sys; print('\\033[1;32mgreen\\033[0m'); print('terminal:', sys.stdout.isatty())"


def test_what_a_command_says_in_a_terminal_is_drawn_in_its_colours() -> None:
    svg = drawn("make demo", said([sys.executable, "-c", TWO_LINES]))
    texts = ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter() if each.text]
    joined = " ".join(texts).replace("\u00a0", " ")
    assert "make demo" in joined
    assert "green" in joined
    assert "terminal: True" in joined


def test_the_drawing_loads_nothing_from_elsewhere() -> None:
    svg = DRAWING.read_text(encoding="utf-8")
    assert "url(http" not in svg
    assert "NDCG@10" in svg


def test_a_command_that_fails_is_no_picture() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        said([sys.executable, "-c", "raise SystemExit(3)"])

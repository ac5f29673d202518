"""Record what a terminal shows at the end of `make demo`, as docs/terminal.svg: `make terminal`."""

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

DRAWING = Path(__file__).parents[1] / "docs/terminal.svg"
COLUMNS = 80
SHOWN = [sys.executable, "-m", "seqrec", "summary", "results/demo"]


def said(command: list[str]) -> str:
    """Run a command in a terminal of `COLUMNS`, and return what it said, colours included.

    Raises `subprocess.CalledProcessError` if it fails.
    """
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, env=environment)
    os.close(theirs)
    read = bytearray()
    try:
        while piece := os.read(ours, 4096):
            read += piece
    except OSError:  # Linux says so that the other side has closed the terminal
        pass
    os.close(ours)
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, command)
    return read.decode().replace("\r\n", "\n")


def drawn(command: str, text: str) -> str:
    """Draw `text` below its command as an SVG that loads nothing from elsewhere."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "bold green"), command))
    console.print(Text.from_ansi(text.strip("\n")))
    svg = console.export_svg(title=command, theme=DIMMED_MONOKAI, unique_id="terminal")
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    DRAWING.write_text(drawn("make demo", said(SHOWN)), encoding="utf-8")
    print(DRAWING)

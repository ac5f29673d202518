"""The pages of the documentation, and the code blocks that they show."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from small_runs import ROOT

PAGES = sorted(
    [
        *(ROOT / "docs").rglob("*.md"),
        *ROOT.glob("*.md"),
        *(ROOT / name / "README.md" for name in ("config", "data", "profiles", "results")),
        ROOT / "config/published/README.md",
    ]
)
"""Every page that users read: the README, the site's own pages, and those that it includes."""

FENCE = re.compile(
    r"(?:^<!-- file: (?P<file>\S+) -->\n)?^```(?P<language>\S*)\n(?P<text>.*?)^```$", re.M | re.S
)


class Block(NamedTuple):
    """A code block of a page."""

    page: Path
    line: int
    language: str
    text: str
    file: str | None
    """The file that it shows in full, relative to the project's folder."""

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(*languages: str, pages: list[Path] = PAGES) -> Iterator[Block]:
    """Yield the code blocks of `pages` in these languages, or in all."""
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for found in FENCE.finditer(text):
            if not languages or found["language"] in languages:
                line = text.count("\n", 0, found.start()) + 1
                yield Block(page, line, found["language"], found["text"], found["file"])


def shown_files() -> dict[str, str]:
    """Read the files that pages show in full, by their paths."""
    return {block.file: block.text for block in blocks() if block.file}

"""Draw the rooms of the package and what imports what: `make architecture`.

A stepped stack, the ground at its foot. From a room's right side a line runs over the steps below
and drops onto each room that it imports; dots mark where.
"""

import ast
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, replace
from html import escape

from architecture import ENTRIES, LAYERS, PACKAGE, Import, Module, read_imports, read_modules

DRAWING = PACKAGE.parent / "docs/architecture.svg"

MARGIN, GAP, STEP = 24, 18, 36
FIRST_WIDTHS = {"cli": 276, "report": 318, "running": 340}
"""Widths of the rooms in the two highest layers; each layer below is a step wider."""
PADDING, TITLE, LINE = 14, 32, 18
CHARACTER = 7.3
"""The width of a character, at its widest, in the two fonts of a room's texts."""

GROUND_PURPOSE = "What every room stands on."

STYLE = """\
svg { color-scheme: light dark; font-family: system-ui, sans-serif; }
.paper { fill: #ffffff; }
.room { fill: #f6f8fa; stroke: #d1d9e0; }
.name { fill: #1f2328; font-size: 16px; font-weight: 600; }
.lines { fill: #59636e; font-size: 12px; text-anchor: end; }
.purpose { fill: #1f2328; font-size: 13px; }
.modules { fill: #59636e; font-size: 12px; font-family: ui-monospace, Menlo, Consolas, monospace; }
.line { fill: none; stroke: #818b98; stroke-width: 1.5; }
.mark { fill: #0969da; }
@media (prefers-color-scheme: dark) {
.paper { fill: #0d1117; }
.room { fill: #151b23; stroke: #3d444d; }
.name, .purpose { fill: #f0f6fc; }
.lines, .modules { fill: #9198a1; }
.line { stroke: #656c76; }
.mark { fill: #4493f8; }
}"""


@dataclass(frozen=True)
class Box:
    """A room's place on the sheet, and where the line of those that import it comes down."""

    room: str
    left: float
    top: float
    width: float
    height: float
    purpose: list[str]
    """What the room is for, broken into rows of text."""
    modules: list[str]
    """The names of its modules, likewise."""

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def lane(self) -> float:
        return self.right - STEP / 2


def boxes(purposes: dict[str, str], contents: dict[str, list[str]]) -> dict[str, Box]:
    """Place the rooms, the highest layer first, by what each is for and the names in it."""
    placed: dict[str, Box] = {}
    top, right = float(MARGIN), 0.0
    for layer in reversed(LAYERS):
        left, row = float(MARGIN), list[Box]()
        for room in sorted(layer):
            width = FIRST_WIDTHS.get(room, right + STEP - MARGIN)
            purpose = broken(purposes[room], width)
            modules = broken("  ".join(dict.fromkeys(contents[room])), width)
            height = TITLE + LINE * (len(purpose) + len(modules)) + PADDING
            row.append(Box(room, left, top, width, height, purpose, modules))
            left += width + GAP
        tallest = max(box.height for box in row)
        placed |= {box.room: replace(box, height=tallest) for box in row}
        # The line of a room that has another at its right runs below both.
        top, right = top + tallest + GAP * len(row), row[-1].right
    return placed


def broken(text: str, width: float) -> list[str]:
    """Break a text into rows that fit into a room of the given width."""
    characters = int((width - 2 * PADDING) / CHARACTER)
    return textwrap.wrap(text, characters, break_on_hyphens=False)


def drawing(modules: Iterable[Module], imports: Iterable[Import]) -> str:
    """The picture as SVG: the same text for the same modules and imports."""
    contents: dict[str, list[str]] = {room: [] for layer in LAYERS for room in layer}
    lines = dict.fromkeys(contents, 0)
    purposes = dict.fromkeys(contents, GROUND_PURPOSE)
    for module in modules:
        source = module.file.read_text(encoding="utf-8")
        lines[module.room] += len(source.splitlines())
        if module.name == module.room:
            purposes[module.room] = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
        elif module.name not in ENTRIES:
            name, dot, _ = module.name.removeprefix(f"{module.room}.").partition(".")
            is_folder = dot or module.file.name == "__init__.py"
            contents[module.room].append(f"{name}/" if is_folder else name)
    placed = boxes(purposes, contents)
    arrows = sorted(
        {(found.importer.room, found.imported.room) for found in imports},
        key=lambda arrow: (placed[arrow[0]].top, arrow),
    )
    arrows = [(start, end) for start, end in arrows if start != end]
    parts = [*paths(placed, arrows), *(room(box, lines[box.room]) for box in placed.values())]
    ground = placed[LAYERS[0][0]]
    width, height = round(ground.right + MARGIN), round(ground.top + ground.height + MARGIN)
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'width="{width}" height="{height}">',
        "<title>The rooms of seqrec, and what each imports</title>",
        f"<desc>{', '.join(f'{start} imports {end}' for start, end in arrows)}.</desc>",
        f"<style>\n{STYLE}\n</style>",
        f'<rect class="paper" width="{width}" height="{height}" rx="8"/>',
    ]
    return "\n".join([*head, *parts, "</svg>", ""])


def paths(placed: dict[str, Box], arrows: list[tuple[str, str]]) -> list[str]:
    """One line to the right for each room that imports, one down onto each that is imported."""
    parts, dots = [], []
    for start in dict.fromkeys(start for start, _ in arrows):
        lanes = [placed[end].lane for importer, end in arrows if importer == start]
        x, y, first = exit_of(placed[start], placed)
        parts.append(f'<path class="line" d="M{x:g} {first:g}V{y:g}H{max(lanes):g}"/>')
        dots += [f'<circle class="mark" cx="{lane:g}" cy="{y:g}" r="3.5"/>' for lane in lanes]
    for end in dict.fromkeys(end for _, end in arrows):
        importers = [exit_of(placed[start], placed)[1] for start, other in arrows if other == end]
        x, tip = placed[end].lane, placed[end].top
        parts.append(f'<path class="line" d="M{x:g} {min(importers):g}V{tip - 6:g}"/>')
        dots.append(f'<path class="mark" d="M{x:g} {tip:g}l-4 -8h8z"/>')
    return parts + dots


def exit_of(box: Box, placed: dict[str, Box]) -> tuple[float, float, float]:
    """Where a room's line leaves it: x, the height at which it runs on, and that of its start.

    A room with another at its right leaves below.
    """
    if any(other.top == box.top and other.left > box.left for other in placed.values()):
        bottom = box.top + box.height
        return box.right - STEP / 2, bottom + GAP / 2, bottom
    middle = box.top + TITLE / 2 + 4
    return box.right, middle, middle


def room(box: Box, lines: int) -> str:
    """A room with its name and size, what it is for, and its modules."""
    inner, baseline = box.left + PADDING, box.top + 25
    texts = [("purpose", row) for row in box.purpose] + [("modules", row) for row in box.modules]
    return "\n".join(
        [
            f'<rect class="room" x="{box.left:g}" y="{box.top:g}" width="{box.width:g}" '
            f'height="{box.height:g}" rx="6"/>',
            f'<text class="name" x="{inner:g}" y="{baseline:g}">{box.room}</text>',
            f'<text class="lines" x="{box.right - PADDING:g}" y="{baseline:g}">'
            f"{round(lines, -2):,} lines</text>",
            *(
                f'<text class="{kind}" xml:space="preserve" x="{inner:g}" '
                f'y="{baseline + 2 + LINE * number:g}">{escape(row)}</text>'
                for number, (kind, row) in enumerate(texts, start=1)
            ),
        ]
    )


if __name__ == "__main__":
    found = read_modules()
    DRAWING.write_text(drawing(found, read_imports(found)), encoding="utf-8")

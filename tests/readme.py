"""Put the tables of committed records into the README files and the documentation: `make readme`.

Blocks start with `<!-- reference: NAME -->` (a table of `results/reference/tables/`),
`<!-- benchmark -->`, `<!-- whole -->` or `<!-- precision -->` (measurements in
`results/benchmark/`), `<!-- changes -->` (since the first edition) or `<!-- stopping -->` (when
trainings stop), and end with `<!-- end -->`.
"""

import json
import re
import sys
from pathlib import Path

from first_edition import changes_table
from stopping import stopping_table

PROJECT = Path(__file__).parent.parent
PAGES = (
    "README.md",
    "results/README.md",
    "docs/results.md",
    "docs/explanation/performance.md",
)
BLOCK = re.compile(
    r"(<!-- (reference: \S+|benchmark|whole|precision|changes|stopping) -->\n)(.*?)(<!-- end -->)",
    re.DOTALL,
)


def shown(page: str) -> list[tuple[str, str]]:
    """Find the blocks of a page: the name of each, and its text."""
    return [(name, text) for _, name, text, _ in BLOCK.findall(page)]


def made(name: str, project: Path) -> str:
    """Make the text of the block `name` from the tables and measurements in `project`."""
    if name in ("benchmark", "whole", "precision"):
        sys.path.insert(0, str(PROJECT / "tests/benchmarks"))
        from report import precision_table, readme_table, whole_table

        if name == "precision":
            folders = {"float32": "results/benchmark/float32", "bfloat16": "results/reference"}
            return precision_table({kind: project / path for kind, path in folders.items()}) + "\n"
        file, table = {
            "benchmark": ("cpu.json", readme_table),
            "whole": ("whole-cpu.json", whole_table),
        }[name]
        text = (project / "results/benchmark" / file).read_text(encoding="utf-8")
        return table(json.loads(text)) + "\n"
    if name == "changes":
        return changes_table(project) + "\n"
    if name == "stopping":
        return stopping_table(project) + "\n"
    path = project / f"results/reference/tables/{name.removeprefix('reference: ')}.md"
    return path.read_text(encoding="utf-8").partition("\n\n")[2]


def main() -> None:
    for name in PAGES:
        path = PROJECT / name
        text = path.read_text(encoding="utf-8")
        text = BLOCK.sub(lambda block: block[1] + made(block[2], PROJECT) + block[4], text)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

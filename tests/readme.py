"""Put the tables of committed records into the README files and the documentation: `make readme`.

Blocks start with `<!-- reference: NAME -->` (a table of `results/reference/tables/`),
`<!-- reference/STUDY: NAME -->` (a table of an experiment that has a folder of its own there, or
with `NAME.png` one of its figures, for a page in `docs/`), `<!-- benchmark -->`, `<!-- whole -->`,
`<!-- growth -->`, `<!-- scale -->`, `<!-- peers -->`, `<!-- accelerator -->` or
`<!-- precision -->` (measurements in `results/benchmark/`), `<!-- changes -->` (since the first
edition), `<!-- stopping -->` (when trainings stop) or `<!-- factors -->` (networks by losses), and
end with `<!-- end -->`.
"""

import json
import re
import sys
from pathlib import Path

from factors import factors_table
from first_edition import changes_table
from stopping import stopping_table

from seqrec.layout import ResultFiles
from seqrec.report.contents import FIGURES, find

PROJECT = Path(__file__).parent.parent
PAGES = (
    "README.md",
    "results/README.md",
    "docs/results.md",
    "docs/explanation/performance.md",
)
NOT_YET = "These records have not been promoted yet.\n"
MEASUREMENTS = ("benchmark", "whole", "growth", "scale", "peers", "accelerator", "precision")
FROM_RECORDS = {"changes": changes_table, "stopping": stopping_table, "factors": factors_table}
NAMES = "|".join((r"reference(?:/\S+)?: \S+", *MEASUREMENTS, *FROM_RECORDS))
BLOCK = re.compile(rf"(<!-- ({NAMES}) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def made_of_measurements(name: str, project: Path) -> str:
    """Make the text of the block `name` from the measurements in `project`."""
    sys.path.insert(0, str(PROJECT / "tests/benchmarks"))
    from accelerator.tables import of_accelerators
    from growth import growth_table
    from peer_runs import peers_table
    from report import precision_table, readme_table, whole_table
    from scale import scale_table

    if name == "precision":
        folders = {"float32": "results/benchmark/float32", "bfloat16": "results/reference"}
        return precision_table({kind: project / path for kind, path in folders.items()}) + "\n"
    if name == "accelerator":
        return of_accelerators(project / "results/benchmark") + "\n"
    file, table = {
        "benchmark": ("cpu.json", readme_table),
        "whole": ("whole-cpu.json", whole_table),
        "growth": ("growth.json", growth_table),
        "scale": ("scale.json", scale_table),
        "peers": ("peers.json", peers_table),
    }[name]
    text = (project / "results/benchmark" / file).read_text(encoding="utf-8")
    return table(json.loads(text)) + "\n"


def made(name: str, project: Path) -> str:
    """Make the text of the block `name` from the tables and measurements in `project`."""
    if name in MEASUREMENTS:
        return made_of_measurements(name, project)
    if name in FROM_RECORDS:
        return FROM_RECORDS[name](project) + "\n"
    folder, _, name = name.partition(": ")
    results = ResultFiles(project / "results" / folder)
    if not results.grid.is_file():
        return NOT_YET
    if name.endswith(".png"):
        entry, _, dataset = name.removesuffix(".png").partition("/")
        title = find(FIGURES, entry, dataset).title
        return f"![{title}](../results/{folder}/figures/{name})\n"
    path = results.tables / f"{name}.md"
    return path.read_text(encoding="utf-8").partition("\n\n")[2]


def filled(page: str, project: Path) -> str:
    """Fill the blocks of a page; a note that stands under several tables is given once."""
    said: set[str] = set()

    def fill(block: re.Match[str]) -> str:
        table, *notes = made(block[2], project).rstrip("\n").split("\n\n")
        news = [note for note in notes if note not in said]
        said.update(notes)
        return block[1] + "\n\n".join([table, *news]) + "\n" + block[4]

    return BLOCK.sub(fill, page)


def main() -> None:
    for name in PAGES:
        path = PROJECT / name
        path.write_text(filled(path.read_text("utf-8"), PROJECT), encoding="utf-8")


if __name__ == "__main__":
    main()

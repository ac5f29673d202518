"""What the README shows of committed records; run it, by `make readme`, to put it there.

Blocks start with `<!-- reference: NAME -->` (a table of `results/reference/tables/`) or
`<!-- benchmark -->` (`results/benchmark/cpu.json`) and end with `<!-- end -->`.
"""

import json
import re
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent
BLOCK = re.compile(r"(<!-- (reference: \S+|benchmark) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def shown(readme: str) -> dict[str, str]:
    """The blocks of a README by what they show."""
    return {name: text for _, name, text, _ in BLOCK.findall(readme)}


def made(name: str, project: Path) -> str:
    """What the block `name` has to show, from the tables and measurements in `project`."""
    if name == "benchmark":
        sys.path.insert(0, str(PROJECT / "tests/benchmarks"))
        from report import readme_table

        result = json.loads((project / "results/benchmark/cpu.json").read_text(encoding="utf-8"))
        return readme_table(result) + "\n"
    table = project / f"results/reference/tables/{name.removeprefix('reference: ')}.md"
    return table.read_text(encoding="utf-8").partition("\n\n")[2]


def main() -> None:
    readme = PROJECT / "README.md"
    text = readme.read_text(encoding="utf-8")
    text = BLOCK.sub(lambda block: block[1] + made(block[2], PROJECT) + block[4], text)
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

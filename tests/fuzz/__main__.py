"""Try one case again, or many: python tests/fuzz KIND SEED [NUMBER or FIRST-LAST]."""

import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from fuzz_cases import KINDS  # noqa: E402
from fuzz_projects import make_projects  # noqa: E402
from nursery import nursery  # noqa: E402
from trial import attempt  # noqa: E402


def main(kinds: list[str], seed: int, numbers: range) -> None:
    """Try these cases and print those that broke a promise, or the only one."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    projects = make_projects(folder)
    counts: Counter[str] = Counter()
    with nursery() as parent:
        for kind in kinds:
            for number in numbers:
                place = folder / f"{kind}-{number}"
                tried = attempt(kind, seed, number, projects, place, parent)
                counts += Counter(tried=1, refused=tried.refused, broken=bool(tried.broken))
                if tried.broken or len(numbers) == 1:
                    print(tried, f"  the project: {place}", sep="\n", flush=True)
                else:
                    shutil.rmtree(place)
    print(dict(counts))


if __name__ == "__main__":
    _, kind, seed, *rest = sys.argv
    first, _, last = (rest or ["0-99"])[0].partition("-")
    chosen = [*KINDS] if kind == "all" else [kind]
    main(chosen, int(seed), range(int(first), int(last or first) + 1))

"""Hide the packages that a bare machine lacks, to try here what is to run there."""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

ABSENT = frozenset(
    (
        *("snakemake", "pydantic", "pydantic_core", "annotated_types", "rich", "pyarrow", "click"),
        *("yaml", "tabulate", "implicit", "tqdm", "pooch", "pytest"),
    )
)


class WithoutAbsent:
    """Finds modules as Python does, but for those of absent packages."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        absent = name.partition(".")[0] in ABSENT
        return None if absent else PathFinder.find_spec(name, path, target)


def hide_absent_packages() -> None:
    """Make imports fail as if the packages were not installed."""
    loaded = ABSENT & set(sys.modules)
    if loaded:
        raise RuntimeError(f"{', '.join(sorted(loaded))}: imported already")
    sys.meta_path[:] = [
        WithoutAbsent if finder is PathFinder else finder for finder in sys.meta_path
    ]


def hidden() -> bool:
    """Whether the packages are hidden from this process."""
    return WithoutAbsent in sys.meta_path

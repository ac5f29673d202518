"""The contents of a report: what is listed is what is written, and listing it is quick."""

import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from reading_tables import CONFIG, write
from record_factory import make_record

from seqrec.layout import ResultFiles
from seqrec.report import contents
from seqrec.report.figures import write_figures

DATASETS = ["ml-1m", "verdicts"]
"""The second bears the name of a table, as a dataset of one's own may."""


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def listed(entries: tuple[contents.Entry, ...], models: list[str]) -> list[str]:
    return [path for item in contents.items(entries, DATASETS, models) for path in item.files]


@pytest.mark.parametrize("models", [["sasrec+"], ["sasrec+", "mine"]])
def test_exactly_the_listed_files_are_written(tmp_path: Path, models: list[str]) -> None:
    for dataset, model in product(DATASETS, models):
        make_record(tmp_path, dataset, model)
    files = ResultFiles(tmp_path)
    tables, figures = write(tmp_path), write_figures(tmp_path, CONFIG)
    for folder, entries, written in (
        (files.tables, contents.TABLES, tables),
        (files.figures, contents.FIGURES, figures),
    ):
        paths = listed(entries, models)
        assert len(paths) == len(set(paths))
        assert files_below(folder) == set(paths)
        assert [path for path in written if path != files.csv] == [folder / p for p in paths]


def test_listing_loads_no_heavy_library() -> None:
    heavy = "{'torch', 'pandas', 'matplotlib', 'scipy'}"
    check = f"import sys, seqrec.report.contents; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0

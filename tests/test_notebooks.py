"""Every notebook runs from top to bottom in a fresh checkout, and is committed without outputs."""

import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from shipped import ROOT, copied_config

from seqrec.layout import ResultFiles

NOTEBOOKS = sorted((ROOT / "workflow/notebooks").glob("*.ipynb"))


def test_there_is_a_notebook() -> None:
    assert [path.name for path in NOTEBOOKS] == ["tour.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_are_not_committed(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert cell.metadata == {}


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_runs_in_a_fresh_project_and_shows_what_it_says(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied_config(tmp_path)
    for part in ("results/reference", "workflow/notebooks"):
        shutil.copytree(ROOT / part, tmp_path / part)
    monkeypatch.setenv("SEQREC_MIRROR", "")
    notebook = nbformat.read(tmp_path / path.relative_to(ROOT), as_version=4)
    folder = tmp_path / "workflow/notebooks"  # where Jupyter starts a kernel
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    outputs: list[Any] = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    figures = [out for out in outputs if "image/png" in out.get("data", {})]
    tables = [out for out in outputs if "text/html" in out.get("data", {})]
    assert (len(figures), len(tables)) == (2, 3)
    assert ResultFiles(tmp_path / "results/notebook").run("demo", "sasrec+", 0).metrics.is_file()

"""The tutorials work from top to bottom: files are written and commands run as the pages say."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documentation import blocks
from small_runs import ROOT

from seqrec.records import read_records

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout, in which the tutorials that follow on each other are worked through."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("results/", "tests/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def work_through(page: str, project: Path) -> None:
    """Write the files and run the commands of a page, in its order."""
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(project),
        # Use the environment of these tests, where make would set one up.
        "MAKEFLAGS": f"BIN={BIN} READY=",
        "SEQREC_MIRROR": "",
    }
    for block in blocks(pages=[ROOT / "docs" / page]):
        if block.file:
            (project / block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "sh":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block.text],
                cwd=project,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=1200,
            )
            assert done.returncode == 0, f"{block.place}\n{done.stdout}"


def models(project: Path, results: str) -> set[tuple[str, int]]:
    return {(record.model, record.seed) for record in read_records(project / "results" / results)}


@pytest.mark.slow
def test_a_dataset_then_a_network_of_ones_own(project: Path) -> None:
    work_through("tutorials/dataset.md", project)
    assert models(project, "mine") == {("popularity", 0), ("sasrec+", 0)}
    work_through("tutorials/network.md", project)
    assert ("convrec", 0) in models(project, "mine")


@pytest.mark.slow
def test_a_fair_comparison_ends_with_a_table(project: Path) -> None:
    work_through("tutorials/comparison.md", project)
    assert len(models(project, "two-rates")) == 4
    assert len(models(project, "study")) == 12
    (block,) = blocks("latex", pages=[ROOT / "docs/tutorials/comparison.md"])
    (table,) = (line for line in block.text.splitlines() if line.startswith("\\input"))
    assert (project / table.removeprefix("\\input{").removesuffix("}")).is_file()


@pytest.mark.slow
def test_a_loss_of_ones_own(project: Path) -> None:
    work_through("tutorials/loss.md", project)
    assert models(project, "mine") >= {("sasrec-margin", 0)}
    assert models(project, "mine-focal") == {("sasrec", 0)}

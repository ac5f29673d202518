"""The results that the pages show are those of the committed records."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from documentation import PAGES
from readme import BLOCK, MEASUREMENTS, NOT_YET, filled, made
from readme import PAGES as WITH_RESULTS
from small_runs import ROOT
from small_searches import make_search

from seqrec.layout import ConfigFiles
from seqrec.records.promote import promote
from seqrec.report.tables import write_tables

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_all_that_is_shown_of_results_is_made_again_in_a_fresh_clone(tmp_path: Path) -> None:
    """It takes the README's command and committed files: no data, no checkpoints, no GPU."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    images = {
        image
        for page in PAGES
        for image in re.findall(r"\]\((?:\.\./)*(results/reference/[^)]+\.png)\)", page.read_text())
    }
    assert len(images) >= 2
    for image in images:
        (tmp_path / image).unlink()
    # Use the environment of these tests, where make would set one up.
    environment = [f"BIN={Path(sys.executable).parent}", "READY="]
    subprocess.run(
        ["make", "reference", *environment],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=True,
        capture_output=True,
        timeout=300,
    )
    pages = {name: (ROOT / name).read_text("utf-8") for name in WITH_RESULTS}
    names = {block[2] for page in pages.values() for block in BLOCK.finditer(page)}
    assert {"reference: results/ml-1m", *MEASUREMENTS} <= names
    for name, page in pages.items():
        assert page == filled(page, tmp_path), f"{name}: call make readme"
    for image in images:
        committed = (ROOT / image).read_bytes()
        assert (tmp_path / image).read_bytes() == committed, f"{image}: call make readme"


def test_blocks_of_an_experiment_with_a_folder_of_its_own_say_so_until_it_is_promoted(
    tmp_path: Path,
) -> None:
    assert made("reference/mine: tuning", tmp_path) == NOT_YET
    reference = tmp_path / "results/reference"
    promote(make_search(tmp_path / "mine"), reference)
    write_tables(reference / "mine", ConfigFiles(ROOT / "config"))
    assert "| Demo (simulated) | SASRec+ " in made("reference/mine: tuning", tmp_path)
    image = made("reference/mine: tries/demo.png", tmp_path)
    assert image.endswith("](../results/reference/mine/figures/tries/demo.png)\n")


def test_the_readme_counts_the_verdicts_as_the_table_does() -> None:
    table = (ROOT / "results/README.md").read_text(encoding="utf-8")
    found = re.search(
        r"Of (\d+) metrics of the paper's table: (\d+) plausible, (\d+) reproduced\.", table
    )
    assert found
    metrics, plausible, reproduced = found.groups()
    said = " ".join(README.split())
    assert f"Of the {metrics} metrics in the paper's table that were run, {reproduced} are" in said
    assert f"and {plausible} are plausible" in said


def test_the_pages_tell_the_speed_of_the_benchmark() -> None:
    head, _, *rows = [line.split("|")[1:-1] for line in made("benchmark", ROOT).splitlines()]
    titles = [cell.strip() for cell in head]
    ratios, validations = (
        [float(row[titles.index(title)]) for row in rows] for title in ("ratio", "validation ratio")
    )
    steps = f"{min(ratios):g} to {max(ratios):.0f} times as fast as"
    page = " ".join((ROOT / "docs/explanation/performance.md").read_text("utf-8").split())
    assert steps in " ".join(README.split())
    assert steps in page
    assert f"a validation {min(validations):g} to {max(validations):g} times" in page


def test_bfloat16_is_within_two_standard_errors_of_float32() -> None:
    found = re.search(r", ([\d.]+) standard errors", made("precision", ROOT))
    assert found
    assert float(found[1]) < 2


def test_the_readme_fits_two_hundred_lines() -> None:
    assert len(README.splitlines()) <= 200

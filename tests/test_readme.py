"""What the README shows is what there is; `experiment/test_custom_model.py` runs its examples."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from readme import PAGES, made, shown
from small_runs import readme_files

from seqrec.experiment.grid import load_experiment

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_the_demo_experiment_is_shown_as_it_is() -> None:
    shown = re.search(r"```yaml\n(datasets: \[demo\].*?)```", README, re.DOTALL)
    assert shown
    demo = yaml.safe_load((PROJECT / "config/demo.yaml").read_text(encoding="utf-8"))
    demo.pop("description")
    assert yaml.safe_load(shown[1]) == demo


def test_the_models_shown_for_an_experiment_resolve(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "config", tmp_path / "config")
    shown = re.search(r"```yaml\n(models:\n.*?)```", README, re.DOTALL)
    assert shown
    (tmp_path / "config/mine.yaml").write_text("datasets: [demo]\n" + shown[1])
    grid = load_experiment("mine", config=tmp_path / "config")
    assert [run.loss.kind for run in grid.runs if run.loss] == [
        "cross-entropy",
        "sampled-cross-entropy",
        "binary-cross-entropy",
        "cross-entropy",
    ]


def test_every_make_target_and_linked_file_of_the_readme_exists() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert targets
    for target in targets:
        assert re.search(rf"^(\S+ )*{target}( \S+)*:", makefile, re.MULTILINE), target
    for link in re.findall(r"\]\(((?!http)[^)]+)\)", README):
        assert (PROJECT / link.partition("#")[0]).exists(), link


def test_all_that_is_shown_of_results_is_made_again_in_a_fresh_clone(tmp_path: Path) -> None:
    """It takes the README's command and committed files: no data, no checkpoints, no GPU."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True
    )
    for name in listed.stdout.split("\0"):
        if name and (PROJECT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, tmp_path / name)
    images = re.findall(r"\]\((results/reference/[^)]+)\)", README)
    assert len(images) >= 2
    for image in images:
        (tmp_path / image).unlink()
    # Use the environment of these tests, where make would set one up.
    environment = [f"BIN={Path(sys.executable).parent}", "READY="]
    subprocess.run(
        ["make", "tables", "figures", "EXPERIMENT=reference", *environment],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=True,
        capture_output=True,
        timeout=300,
    )
    blocks = [block for name in PAGES for block in shown((PROJECT / name).read_text("utf-8"))]
    assert {"reference: results/ml-1m", "benchmark", "whole"} <= {name for name, _ in blocks}
    for name, text in blocks:
        assert text == made(name, tmp_path), f"{name}: call make readme"
    for image in images:
        committed = (PROJECT / image).read_bytes()
        assert (tmp_path / image).read_bytes() == committed, f"{image}: call make readme"


def test_bfloat16_is_within_two_standard_errors_of_float32() -> None:
    found = re.search(r", ([\d.]+) standard errors", made("precision", PROJECT))
    assert found
    assert float(found[1]) < 2


def test_the_grid_of_learning_rates_differs_in_nothing_else(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "config", tmp_path / "config")
    (tmp_path / "config/rates.yaml").write_text(readme_files()["config/rates.yaml"])
    grid = load_experiment("rates", config=tmp_path / "config")
    rates = {run.model: run.training.learning_rate for run in grid.runs if run.training}
    assert sorted(rates.values()) == [0.0001, 0.0003, 0.001, 0.003]
    others = {
        run.model_copy(
            update={"model": "", "training": run.training.model_copy(update={"learning_rate": 1.0})}
        ).json()
        for run in grid.runs
        if run.training and run.seed == 0
    }
    assert len(others) == 1

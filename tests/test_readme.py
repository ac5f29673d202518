"""What the README shows is what there is; test_own_model.py runs its worked examples."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import yaml
from small_runs import readme_files

from seqrec.experiment import load_experiment
from seqrec.tables import write_tables

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


def test_every_make_target_and_file_that_the_readme_names_exists() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert targets
    for target in targets:
        assert re.search(rf"^(\S+ )*{target}( \S+)*:", makefile, re.MULTILINE), target
    for link in re.findall(r"\]\(((?!http)[^)]+)\)", README):
        assert (PROJECT / link).exists(), link


def table_rows(text: str) -> list[list[str]]:
    """Cells of the Markdown tables in `text`, without marks of footnotes."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip(" †‡") for cell in line.split("|")] for line in lines if "---" not in line]


def test_the_results_shown_are_those_of_the_reference_records(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "results/reference", tmp_path / "reference")
    write_tables(tmp_path / "reference", PROJECT / "config/published")
    shown = re.findall(r"<!-- reference: (\S+) -->\n(.*?)<!-- end -->", README, re.DOTALL)
    assert shown
    for dataset, text in shown:
        made = (tmp_path / f"reference/tables/{dataset}.md").read_text(encoding="utf-8")
        assert table_rows(text) == table_rows(made), f"put this into the README:\n{made}"


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


def test_the_speed_shown_is_that_of_the_committed_measurement(benchmark: Any) -> None:
    shown = re.search(r"<!-- benchmark -->\n(.*?)<!-- end -->", README, re.DOTALL)
    assert shown
    result = json.loads((PROJECT / "results/benchmark/cpu.json").read_text(encoding="utf-8"))
    made = benchmark.readme_table(result)
    assert table_rows(shown[1]) == table_rows(made), f"put this into the README:\n{made}"

"""What the README shows works as it is written there."""

import gzip
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from seqrec.simulation import simulate
from seqrec.tables import write_tables

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def example_files() -> dict[str, str]:
    """Every block that follows a `<!-- file: ... -->` comment."""
    return dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", README, re.DOTALL))


def seqrec(folder: Path, *arguments: str) -> str:
    found = subprocess.run(
        [sys.executable, "-m", "seqrec", *arguments], cwd=folder, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the shipped configuration, the README's own files, and a small log."""
    shutil.copytree(PROJECT / "config", tmp_path / "config")
    for name, text in example_files().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    items, offsets = simulate(users=80, items=30, mean_length=9, min_length=7, max_length=20)
    lines = ["bought_at,customer,product,price"]
    for user in range(80):
        lines += [
            f"2024-01-01T00:{place:02d}:00,c{user},p{item},1.5"
            for place, item in enumerate(items[offsets[user] : offsets[user + 1]])
        ]
    raw = tmp_path / "data" / "raw"
    raw.mkdir(parents=True)
    with gzip.open(raw / "purchases.csv.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return tmp_path


def test_the_own_dataset_and_the_own_model_of_the_readme_train(project: Path) -> None:
    commands = re.search(r"```sh\n(seqrec download shop.*?)```", README, re.DOTALL)
    assert commands
    first, train = commands[1].strip().splitlines()
    for command in first.split(" && "):
        seqrec(project, *shlex.split(command)[1:])
    few = ["training.max_epochs=1", "--name", "trial"]
    seqrec(project, *shlex.split(train)[1:], *few)
    assert "\nseqrec train shop convrec\n" in README
    seqrec(project, "train", "shop", "convrec", *few)

    record = json.loads(
        (project / "results/trial/runs/shop/convrec/seed-0/metrics.json").read_text()
    )
    assert record["config"]["hyperparameters"] == {"hidden_size": 64, "kernel": 6}
    assert record["data"]["statistics"]["users"] == 80


def test_the_demo_experiment_is_shown_as_it_is() -> None:
    shown = re.search(r"```yaml\n(datasets: \[demo\].*?)```", README, re.DOTALL)
    assert shown
    demo = yaml.safe_load((PROJECT / "config/demo.yaml").read_text(encoding="utf-8"))
    demo.pop("description")
    assert yaml.safe_load(shown[1]) == demo


def test_the_models_shown_for_an_experiment_resolve(project: Path) -> None:
    shown = re.search(r"```yaml\n(models:\n.*?)```", README, re.DOTALL)
    assert shown
    (project / "config/mine.yaml").write_text("datasets: [demo]\n" + shown[1])
    runs = [json.loads(line) for line in seqrec(project, "check", "mine").splitlines()]
    assert [run["loss"]["kind"] for run in runs] == [
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

"""A search of one's own runs ordinary records, and the page's lines for Optuna do what they say."""

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from shipped import ROOT, copied_config
from tiny_project import DATASET, EXPERIMENT

from seqrec.cli.main import main
from seqrec.errors import SeqrecError
from seqrec.layout import ResultFiles
from seqrec.records.survey import read_records
from seqrec.running.options import EngineOptions
from seqrec.running.tuning import validation_of

CPU = EngineOptions(device="cpu", threads=1)
RATE = {"training.learning_rate": 0.003}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project whose demo is tiny."""
    config = copied_config(tmp_path)
    (config / "datasets/demo.yaml").write_text(yaml.safe_dump({**DATASET, "title": "Demo"}))
    (config / "demo.yaml").write_text(yaml.safe_dump({**EXPERIMENT, "datasets": ["demo"]}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def of_setting(settings: dict, name: str = "mine") -> float:
    return validation_of("demo", "sasrec+", settings, experiment="demo", name=name, options=CPU)


def test_a_setting_is_an_ordinary_record_and_is_trained_once(project: Path) -> None:
    found = of_setting(RATE)
    (record,) = read_records("results/mine")
    assert found == record.validation["ndcg@10"]
    assert re.fullmatch(r"sasrec\+\.[0-9a-f]{8}", record.model)
    assert record.config["training"]["learning_rate"] == 0.003
    assert record.config["hyperparameters"]["hidden_size"] == 8, "as the experiment has it"
    written = record.files.metrics.stat().st_mtime_ns
    assert of_setting(RATE) == found
    assert record.files.metrics.stat().st_mtime_ns == written
    of_setting({**RATE, "hyperparameters.dropout": 0.4})
    assert len(read_records("results/mine")) == 2
    done = CliRunner().invoke(main, ["best", "results/mine"])
    assert done.exit_code == 0, done.output
    assert "hyperparameters.dropout" in done.output


@pytest.mark.parametrize(
    ("settings", "name", "said"),
    [
        ({"training.rate": 1}, "mine", "sasrec+ has no 'training.rate'; did you mean"),
        ({"learning_rate": 1}, "mine", "did you mean 'training.learning_rate'?"),
        ({"training.learning_rate": 0}, "mine", "learning_rate: must be greater than 0"),
        ({"loss.negatives": 5}, "mine", "sasrec+ draws no negatives"),
        (RATE, "demo", "changes a named experiment, so its results need a name of their own"),
        (RATE, "paper", "'paper' is the name of another experiment"),
    ],
)
def test_a_mistake_is_one_message_and_trains_nothing(
    project: Path, settings: dict, name: str, said: str
) -> None:
    with pytest.raises(SeqrecError) as caught:
        of_setting(settings, name)
    assert said in str(caught.value)
    assert not Path("results").exists()


def test_a_failed_setting_says_why_and_results_of_others_are_left_alone(project: Path) -> None:
    with pytest.raises(SeqrecError, match="not a multiple of heads"):
        of_setting({"hyperparameters.heads": 3})
    Path("mine.py").write_text(
        "from seqrec.models.sasrec import SASRec\n\n\nclass Mine(SASRec):\n"
        "    def forward(self, rows):\n        raise ValueError('no')\n"
    )
    entry = {"implementation": "mine:Mine", "loss": {"kind": "cross-entropy"}}
    Path("config/models/mine.yaml").write_text(yaml.safe_dump(entry))
    with pytest.raises(SeqrecError, match=r"fails .*mine\.py"):
        validation_of("demo", "mine", RATE, experiment="demo", name="mine", options=CPU)
    (failure,) = Path("results/mine").rglob("failure.json")
    assert "mine.py" in failure.read_text()


def test_the_documented_lines_search_with_optuna(project: Path) -> None:
    page = (ROOT / "docs/how-to/search.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```python\n(import optuna.*?)```", page, re.DOTALL)
    assert "n_trials=24" in lines
    names: dict = {}
    exec(lines.replace("n_trials=24", "n_trials=3"), names)
    study = names["study"]
    records = read_records("results/tpe")
    assert len(records) == len(study.trials) == 3
    assert study.best_value == max(record.validation["ndcg@10"] for record in records)
    assert ResultFiles.of("tpe").folder.is_dir()

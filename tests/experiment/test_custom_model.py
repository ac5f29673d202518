"""Custom datasets and models work as the pages show them, and their mistakes are explained."""

import gzip
import json
import re
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result
from documentation import shown_files
from safetensors.torch import load_file
from shipped import copied_config

from seqrec.cli.main import main
from seqrec.data.interactions import Interactions
from seqrec.data.simulation import simulate
from seqrec.experiment.grid import load_experiment
from seqrec.experiment.implementations import import_model

FITTED = '''
import numpy as np
import torch
from torch import Tensor

from seqrec.models import Fitted
from seqrec.protocol.splits import Split


class Neighbours(Fitted):
    """Items that often followed the user's last item."""

    def __init__(self, num_items: int, max_length: int, smoothing: float, decay: float = 1.0):
        super().__init__(num_items, max_length)
        self.smoothing = smoothing

    def fit(self, split: Split, seed: int, threads: int) -> None:
        self.follows = torch.full((self.num_items, self.num_items), self.smoothing)
        for user in range(split.num_users):
            history = split.history(user) - 1
            for item, successor in zip(history[:-1], history[1:], strict=True):
                self.follows[item, successor] += 1
        self.last = split.last_items(np.arange(split.num_users), 1)[:, 0] - 1

    def score(self, users: np.ndarray) -> Tensor:
        return self.follows[torch.from_numpy(self.last[users])]

    def state(self) -> dict[str, Tensor]:
        return {"follows": self.follows}


class Everything(Fitted):
    """Keeps everything that it is given."""

    def fit(self, split: Split, seed: int, threads: int) -> None:
        self.seen = torch.from_numpy(split.items)

    def score(self, users: np.ndarray) -> Tensor:
        return torch.rand(len(users), self.num_items)

    def state(self) -> dict[str, Tensor]:
        return {"seen": self.seen}


class NoModel:
    pass
'''
TRAINED = {"implementation": "my_models:ConvRec", "loss": {"kind": "cross-entropy"}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with the files that the pages show, and the shop's raw data."""
    copied_config(tmp_path)
    for name, content in shown_files().items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / "fitted_models.py").write_text(FITTED)
    log = simulate(users=80, items=40, mean_length=10, min_length=6, max_length=20)
    lines = [
        f"{item},customer {user},2024-01-{day + 1:02d}"
        for user in range(80)
        for day, item in enumerate(log.history(user))
    ]
    lines += ["1,too short,2024-01-01", lines[0].replace("2024-01-01", "2024-01-30")]
    (tmp_path / "data/raw").mkdir(parents=True)
    text = "\n".join(["product,customer,bought_at", *lines]) + "\n"
    (tmp_path / "data/raw/purchases.csv.gz").write_bytes(gzip.compress(text.encode()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEQREC_MIRROR", raising=False)
    # The next test must not find what a run imports from this folder.
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    for module in ("my_models", "lstm_rec", "fitted_models"):
        monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.setitem(sys.modules, module, None)  # removed again afterwards
        del sys.modules[module]
    return tmp_path


def entry(project: Path, name: str, **content: object) -> None:
    (project / "config/models" / f"{name}.yaml").write_text(yaml.safe_dump(content))


def seqrec(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def train(model: str, *settings: str) -> Result:
    return seqrec("train", "shop", model, *settings, "--name", "mine", "--device", "cpu")


def record(project: Path, model: str) -> dict[str, object]:
    folder = project / "results/mine/runs/shop" / model / "seed-0"
    found: dict[str, object] = json.loads((folder / "metrics.json").read_text())
    assert len(np.load(folder / "ranks.npy")) == 80
    return found


FAST = ("training.max_epochs=2", "max_length=10")


def test_the_tutorials_show_a_dataset_a_network_and_its_entry() -> None:
    assert {"my_models.py", "config/datasets/shop.yaml", "config/models/convrec.yaml"} <= set(
        shown_files()
    )


def test_the_tutorials_dataset_is_downloaded_preprocessed_and_trained_on(project: Path) -> None:
    assert seqrec("download", "shop").exit_code == 0
    result = seqrec("preprocess", "shop")
    assert result.exit_code == 0, result.output
    assert "80 users" in result.output
    statistics = json.loads((project / "data/processed/shop/statistics.json").read_text())
    assert statistics["users_filtered"] == 1
    assert statistics["duplicates_removed"] == 1
    result = train("sasrec+", *FAST, "hyperparameters.hidden_size=8")
    assert result.exit_code == 0, result.output
    assert record(project, "sasrec+")["epochs"] == 2


def test_a_network_with_tied_weights_leaves_a_record(project: Path) -> None:
    source = (project / "my_models.py").read_text()
    tied = "        self.again = self.convolution\n        initialise_normal(self)"
    assert "        initialise_normal(self)" in source
    (project / "my_models.py").write_text(source.replace("        initialise_normal(self)", tied))
    result = train("convrec", *FAST, "hyperparameters.hidden_size=8")
    assert result.exit_code == 0, result.output
    assert record(project, "convrec")["epochs"] == 2
    names = load_file(project / "results/mine/runs/shop/convrec/seed-0/model.safetensors").keys()
    assert {"convolution.weight", "again.weight"} <= names


def test_a_fitted_model_is_never_given_a_target(project: Path) -> None:
    entry(project, "everything", implementation="fitted_models:Everything")
    result = train("everything", "max_length=10")
    assert result.exit_code == 0, result.output
    record(project, "everything")
    log = Interactions.load(project / "data/processed/shop")
    histories = [log.items[first : last - 1] for first, last in pairwise(log.offsets)]
    weights = load_file(project / "results/mine/runs/shop/everything/seed-0/model.safetensors")
    assert weights["seen"].tolist() == np.concatenate(histories).tolist()


CONVOLUTION = "        self.convolution = nn.Conv1d(hidden_size, hidden_size, kernel)"
PAD = "nn.ConstantPad1d((kernel - 1, 0), 0.0)"
FORWARD = "        x = self.items(rows)\n"


@pytest.mark.parametrize(
    ("old", "new", "failing", "expected"),
    [
        (PAD, PAD.replace("(kernel - 1, 0)", "(0, kernel - 1)"), "", r"my_models.py: the hidden"),
        (
            CONVOLUTION,
            CONVOLUTION.replace("(h", "(2 * h"),
            "self.convolution(",
            r"my_models.py:LINE \(RuntimeError: Gi",
        ),
        (
            CONVOLUTION,
            "        nothing",
            "nothing",
            r"built in .*my_models.py:LINE \(NameError: name 'nothing'",
        ),
        (
            FORWARD,
            FORWARD + "        if self.training: assert len(rows) == 3\n",
            "assert len(rows)",
            r"while it is run in .*my_models.py:LINE \(AssertionError\)",
        ),
        (
            FORWARD,
            FORWARD + "        raise SystemExit(0)\n",
            "raise SystemExit",
            r"my_models.py:LINE \(SystemExit: 0\)",
        ),
        (
            "num_items: int, max_length: int, hid",
            "num_items: int, hid",
            "",
            r"\(num_items, hidden_",
        ),
    ],
    ids=["looks ahead", "sizes", "constructor", "in training", "exit", "arguments"],
)
def test_a_mistake_in_a_network_is_one_message_with_its_line(
    project: Path, old: str, new: str, failing: str, expected: str
) -> None:
    source = (project / "my_models.py").read_text()
    assert old in source
    broken = source.replace(old, new)
    (project / "my_models.py").write_text(broken)
    line = broken[: broken.index(failing)].count("\n") + 1
    result = train("convrec", *FAST, "hyperparameters.hidden_size=8")
    assert result.exit_code == 1
    (message,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert "my_models:ConvRec" in message
    assert re.search(expected.replace("LINE", str(line)), message)
    assert "Traceback" not in result.output
    failure = project / "results/mine/runs/shop/convrec/seed-0/failure.json"
    if failure.is_file():  # wrong arguments are noticed before there is a run
        assert json.loads(failure.read_text())["remedy"].startswith("Fix what the error names")


def test_a_fitted_model_that_lacks_a_method_is_told_so(project: Path) -> None:
    source = (project / "fitted_models.py").read_text()
    (project / "fitted_models.py").write_text(source.replace("def state(self)", "def stat(self)"))
    entry(project, "everything", implementation="fitted_models:Everything")
    result = train("everything", "max_length=10")
    assert result.exit_code == 1
    assert "'fitted_models:Everything' fails while it is built (TypeError: " in result.stderr
    assert re.search(r"abstract method '?state", result.stderr)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("def broken(:", "SyntaxError: invalid syntax (my_models.py, line 1)"),
        ("raise SystemExit(0)", "while it is imported in"),
        ("unknown_name", "my_models.py:1 (NameError: name 'unknown_name' is not defined)"),
    ],
)
def test_a_mistake_in_a_models_file_is_told_with_its_line(
    project: Path, line: str, expected: str
) -> None:
    source = (project / "my_models.py").read_text()
    (project / "my_models.py").write_text(f"{line}\n{source}")
    result = train("convrec", *FAST)
    assert result.exit_code == 1
    assert expected in result.stderr
    assert "Traceback" not in result.output


def test_the_tutorials_network_is_trained_end_to_end(project: Path) -> None:
    result = train("convrec", *FAST, "hyperparameters.hidden_size=8")
    assert result.exit_code == 0, result.output
    metrics = record(project, "convrec")
    assert metrics["epochs"] == 2
    config = metrics["config"]
    assert isinstance(config, dict)
    # The entry's value, the setting's, and no others.
    assert config["hyperparameters"] == {"kernel": 6, "hidden_size": 8}


def test_the_tutorials_network_is_causal(project: Path) -> None:
    """A later item must not change a hidden state, or training would see its labels."""
    import torch

    network = import_model("my_models:ConvRec")(40, 10, hidden_size=8).eval()
    rows = torch.randint(1, 41, (3, 10))
    later = rows.clone()
    later[:, 6:] = torch.randint(1, 41, (3, 4))
    with torch.no_grad():
        torch.testing.assert_close(network(rows)[:, :6], network(later)[:, :6])


def test_the_readmes_network_is_trained_end_to_end(project: Path) -> None:
    result = train("lstm", *FAST, "hyperparameters.hidden_size=8")
    assert result.exit_code == 0, result.output
    assert record(project, "lstm")["epochs"] == 2


def test_a_custom_model_takes_part_in_an_experiment_with_any_loss(project: Path) -> None:
    (project / "config/custom.yaml").write_text(
        yaml.safe_dump(
            {
                "datasets": ["shop"],
                "models": [
                    "convrec",
                    {
                        "name": "convrec+3",
                        "like": "convrec",
                        "hyperparameters": {"hidden_size": 4},
                        "loss": {"kind": "sampled-cross-entropy", "negatives": 3},
                    },
                ],
            }
        )
    )
    first, second = load_experiment("custom").runs
    assert first.hyperparameters == {"hidden_size": 64, "kernel": 6}
    assert second.hyperparameters == {"hidden_size": 4, "kernel": 6}
    settings = ["training.max_epochs=1", "--experiment", "custom", "--name", "mine"]
    result = seqrec("train", "shop", "convrec+3", *settings)
    assert result.exit_code == 0, result.output
    assert record(project, "convrec+3")["negatives"] == 3


def test_a_custom_model_that_fits_itself_needs_no_loss(project: Path) -> None:
    entry(
        project,
        "neighbours",
        implementation="fitted_models:Neighbours",
        hyperparameters={"smoothing": 0.5},
    )
    result = train("neighbours", "max_length=10")
    assert result.exit_code == 0, result.output
    metrics = record(project, "neighbours")
    assert (metrics["epochs"], metrics["negatives"]) == (None, None)
    config = metrics["config"]
    assert isinstance(config, dict)
    assert config["hyperparameters"] == {"smoothing": 0.5, "decay": 1.0}
    assert config["training"] is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"implementation": "fitted_models:Neighbours", "loss": {"kind": "cross-entropy"}}
            | {"hyperparameters": {"smoothing": 1.0}},
            "with a loss must be a subclass of seqrec.models.Network",
        ),
        (
            {"implementation": "my_models:ConvRec"},
            "without a loss must be a subclass of seqrec.models.Fitted",
        ),
        (
            {"implementation": "fitted_models:NoModel"},
            "must be a subclass of seqrec.models.Fitted",
        ),
        (
            {"implementation": "fitted_models:Neighbours"},
            "fitted_models:Neighbours needs 'smoothing'",
        ),
        (
            TRAINED | {"hyperparameters": {"kernl": 3}},
            "my_models:ConvRec takes no 'kernl'; did you mean 'kernel'?",
        ),
        (
            TRAINED | {"hyperparameters": {"kernel": "six"}},
            "hyperparameters: kernel: must be a whole number (got 'six').",
        ),
        (TRAINED | {"hyperparameters": {"kernel": 2.5}}, "a whole number"),
        (TRAINED | {"hyperparameters": {"kernel": [3]}}, "a whole number"),
        (
            TRAINED | {"implementation": "my_modles:ConvRec"},
            "'my_modles:ConvRec' cannot be imported (No module named 'my_modles')",
        ),
        (
            TRAINED | {"implementation": "my_models:ConvRek"},
            "'my_models:ConvRek' cannot be imported",
        ),
        (TRAINED | {"implementation": "my_models:"}, "'my_models:' cannot be imported"),
        (TRAINED | {"implementation": "my_models"}, "unknown 'my_models'"),
        (TRAINED | {"implementation": "my_models:nn"}, "'my_models:nn'"),
    ],
)
def test_a_mistake_in_a_custom_model_is_one_clear_message(
    project: Path, content: dict[str, object], message: str
) -> None:
    entry(project, "broken", **content)
    result = train("broken", *(FAST if "loss" in content else ()))
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].count("Error: ") <= 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr

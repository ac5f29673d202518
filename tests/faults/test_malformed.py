"""Hundreds of malformed configurations and data files: each is read, or refused with a message.

They are mutations of valid ones. A message names the file; there is never a traceback. A mutation
that leaves the file valid must load. The summary of the test run says how many were tried.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from record_factory import make_record
from shipped import copied_config
from valid_files import CONFIGURATIONS, CSV, FRAGMENTS, NUMBERS, RAW_FILES, VALUES

from seqrec.cli.main import main
from seqrec.data.interactions import Interactions
from seqrec.experiment.schema import RunConfig


@dataclass
class Tried:
    """Counts the inputs of one test, and how many were refused."""

    tried: int = 0
    refused: int = 0

    def read(self, file: str, *commands: tuple[str, ...]) -> bool:
        """Whether every command accepts the file; if not, the one message must name it."""
        self.tried += 1
        for command in commands:
            done = CliRunner().invoke(main, command)
            if done.exception and not isinstance(done.exception, SystemExit):
                raise done.exception
            assert "Traceback" not in done.output
            if done.exit_code:
                assert done.exit_code == 1
                assert "Error: " in done.output
                assert file in done.output, done.output
                self.refused += 1
                return False
        return True

    def tell(self, record_property: Callable[[str, object], None], least: int) -> None:
        record_property("tried", self.tried)
        record_property("refused", self.refused)
        print(f"{self.tried} tried, {self.refused} refused")
        assert self.refused >= least


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project's folder with valid files of every kind."""
    copied_config(tmp_path)
    (tmp_path / "data/raw").mkdir(parents=True)
    for name, content in CONFIGURATIONS.items():
        (tmp_path / name).write_text(yaml.safe_dump(content, sort_keys=False))
    plain_entry = {"title": "Plain", "max_length": 10, "sources": [{"file": "log.txt"}]}
    (tmp_path / "config/datasets/plain.yaml").write_text(yaml.safe_dump(plain_entry))
    grid = {"datasets": ["plain"], "models": ["mine"]}
    (tmp_path / "config/uses-mine.yaml").write_text(yaml.safe_dump(grid))
    (tmp_path / "data/raw/log.txt").write_bytes(NUMBERS)
    (tmp_path / "data/raw/own.csv").write_bytes(CSV)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEQREC_MIRROR", raising=False)
    return tmp_path


EXAMPLES = settings(
    max_examples=60,
    derandomize=True,  # the same inputs on every machine
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


# Mutations


@st.composite
def mutated_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Cut, insert, repeat or overwrite bytes of `content` at one to three places."""
    junk = st.one_of(
        st.binary(min_size=1, max_size=4),
        st.sampled_from([b"\n", b'"', b"::", b",", b"\t", b"\0", b"\xff\xfe", b"NaN", b"-1e999"]),
        st.sampled_from([b"{", b"[", b"null", b"\r", "é".encode(), b"9" * 30, b" "]),
    )
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, max(0, len(content) - 1)))
        end = min(len(content), start + draw(st.sampled_from([0, 1, 2, 5, 40, len(content)])))
        new = draw(st.one_of(junk, st.just(b""), st.just(content[start:end] * 2)))
        content = content[:start] + new + content[end:]
    return content


@st.composite
def mutated_yaml(draw: st.DrawFn, content: dict[str, Any]) -> bytes:
    """Write `content` as YAML with a value or key changed, or a place in the text overwritten."""
    kind = draw(st.sampled_from(["value", "value", "value", "key", "text", "fragment"]))
    data = json.loads(json.dumps(content))
    if kind in ("value", "key"):
        place: Any = data
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys))
            inner = place[key]
            if not (isinstance(inner, dict | list) and inner) or draw(st.integers(0, 2)) == 0:
                break
            place = inner
        if kind == "value":
            place[key] = draw(st.sampled_from(VALUES))
        elif isinstance(place, dict):
            value = place.pop(key)
            new = draw(st.sampled_from([None, f"{key}s", key[:-1], key.upper(), 7, "x"]))
            if new is not None:
                place[new] = value
        else:
            place.insert(key, place[key])
        return yaml.safe_dump(data, sort_keys=False).encode()
    text = yaml.safe_dump(data, sort_keys=False)
    if kind == "text":
        return draw(mutated_bytes(text.encode()))
    lines = text.splitlines()
    at = draw(st.integers(0, len(lines) - 1))
    head, colon, _ = lines[at].partition(": ")
    lines[at] = head + (colon or " ") + draw(st.sampled_from(FRAGMENTS))
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


# Tests


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_malformed_configuration_gives_one_message(
    name: str, project: Path, record_property: Callable[[str, object], None]
) -> None:
    file = project / name
    commands = {
        "config/small.yaml": [("check", "small")],
        "config/datasets/own.yaml": [("download", "own"), ("preprocess", "own")],
        "config/datasets/simulated.yaml": [("download", "simulated"), ("preprocess", "simulated")],
        "config/models/mine.yaml": [("check", "uses-mine")],
    }[name]
    assert Tried().read(name, *commands), "the file must be valid before it is mutated"
    tried = Tried()

    @EXAMPLES
    @given(mutated_yaml(CONFIGURATIONS[name]))
    def each(content: bytes) -> None:
        file.write_bytes(content)
        if tried.read(file.stem, *commands) and commands[0][0] == "check":
            shown = CliRunner().invoke(main, [*commands[0], "--json"]).output
            for line in shown.splitlines():
                RunConfig.model_validate_json(line)

    each()
    tried.tell(record_property, least=25)


@pytest.mark.parametrize("name", RAW_FILES)
def test_a_malformed_data_file_gives_one_message(
    name: str, project: Path, record_property: Callable[[str, object], None]
) -> None:
    content, write, format = RAW_FILES[name]
    raw = project / "data/raw" / name
    write(content, raw)
    source = {"file": name} | ({"member": "log.txt"} if name.endswith(".zip") else {})
    entry = {"title": "Own", "max_length": 10, "sources": [source], "format": format}
    (project / "config/datasets/file.yaml").write_text(yaml.safe_dump(entry))
    commands = [("download", "file"), ("preprocess", "file")]
    assert Tried().read(name, *commands), "the file must be valid before it is mutated"
    tried = Tried()

    @EXAMPLES
    @given(mutated_bytes(raw.read_bytes()))
    def each(content: bytes) -> None:
        raw.write_bytes(content)
        if tried.read(name, *commands):
            log = Interactions.load(project / "data/processed/file")
            assert len(log.item_ids()) == log.num_items
            assert len(log.user_ids()) == log.num_users

    each()
    tried.tell(record_property, least=1 if name.startswith("dropping") else 15)


SETTINGS = ["training.max_epochs", "models", "seeds", "hyperparameters.hidden_size", "loss.kind"]


def test_a_malformed_setting_gives_one_message(
    project: Path, record_property: Callable[[str, object], None]
) -> None:
    tried = Tried()

    @EXAMPLES
    @given(st.sampled_from(SETTINGS), st.sampled_from(FRAGMENTS), st.binary(max_size=2))
    def each(key: str, value: str, more: bytes) -> None:
        setting = f"{key}={value}" if len(more) < 2 else f"{key}{more.decode('latin-1')}={value}"
        tried.read(key, ("check", "small", setting, "--name", "changed"))

    each()
    tried.tell(record_property, least=30)


@pytest.mark.parametrize("kind", ["manifest", "record"])
def test_a_malformed_manifest_or_record_gives_one_message(
    kind: str, project: Path, record_property: Callable[[str, object], None]
) -> None:
    if kind == "manifest":
        assert CliRunner().invoke(main, ("download", "plain")).exit_code == 0
        file, command = project / "data/raw/plain.json", ("preprocess", "plain")
    else:
        file = make_record(Path("results/theirs")) / "metrics.json"
        command = ("missing", "results/theirs")
        (project / "results/theirs/grid.json").write_text('{"runs": []}')
    whole = file.read_bytes()
    tried = Tried()

    @EXAMPLES
    @given(mutated_bytes(whole))
    def each(content: bytes) -> None:
        file.write_bytes(content)
        if kind == "manifest":
            tried.read("plain", command)
        else:  # a damaged record does not end the listing, but is listed
            tried.tried += 1
            done = CliRunner().invoke(main, command)
            assert done.exception is None or isinstance(done.exception, SystemExit)
            if done.exit_code:
                assert "metrics.json" in done.output
                assert "Delete runs/ml-1m/sasrec+/seed-0 and run" in done.output
                tried.refused += 1

    each()
    tried.tell(record_property, least=15)

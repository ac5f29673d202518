"""What comes from outside stays data: addresses, archives, model files, configurations."""

import hashlib
import io
import os
import pickle
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner
from http_server import CONTENT, SHA256, Server, https_server, whole
from record_factory import make_record
from shipped import ROOT, copied_config
from tiny_project import EXPERIMENT, Project

from seqrec.cli.main import main
from seqrec.data import fetching, raw_bytes
from seqrec.data.datasets import Dataset
from seqrec.data.download import download
from seqrec.data.formats import Format
from seqrec.data.parsing import parse
from seqrec.errors import SeqrecError
from seqrec.experiment.grid import load_experiment
from seqrec.running.folder_lock import alone_in
from seqrec.running.resume import ResumeFiles
from seqrec.typed_yaml import load_yaml


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


# Addresses


def redirect(url: str) -> Any:
    def behave(handler: Any) -> None:
        handler.send_response(302)
        handler.send_header("Location", url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return behave


def log_at(url: str) -> Dataset:
    source = {"file": "log.txt", "sha256": SHA256, "urls": [url]}
    return Dataset.model_validate({"title": "Log", "max_length": 9, "sources": [source]})


@pytest.mark.parametrize("url", ["http://localhost/log.txt", "ftp://localhost/log.txt", "/log.txt"])
def test_an_address_that_is_not_https_is_refused_where_it_is_written(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        log_at(url)


def test_https_is_verified_and_sent_on_to_https_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "BACKOFF_SECONDS", 0.01)
    plain = Server()
    plain.behaviours["/log.txt"] = [whole]
    with https_server(tmp_path, monkeypatch) as server:
        server.behaviours["/log.txt"] = [whole]
        server.behaviours["/moved.txt"] = [redirect(f"{server.url}/log.txt")]
        server.behaviours["/down.txt"] = [redirect(f"{plain.url}/log.txt")]
        for name in ("log", "moved"):
            wanted = log_at(f"{server.url}/{name}.txt")
            manifest = download(name, wanted, tmp_path / name, mirror="")
            assert (manifest.parent / "log.txt").read_bytes() == CONTENT

        with pytest.raises(SeqrecError, match="which is not https"):
            download("down", log_at(f"{server.url}/down.txt"), tmp_path / "down", mirror="")
        assert plain.asked == []

        # A certificate that nobody vouches for.
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        with pytest.raises(SeqrecError, match=r"no connection .*certificate"):
            download("log", log_at(f"{server.url}/log.txt"), tmp_path / "other", mirror="")
    plain.close()


# Locks


def test_a_link_in_the_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    """Somebody who may write beside the results could have other files emptied by it."""
    precious = tmp_path / "precious.txt"
    precious.write_text("kept")
    (tmp_path / ".mine.lock").symlink_to(precious)
    with (
        pytest.raises(SeqrecError, match=r"\.mine\.lock: cannot be written"),
        alone_in(tmp_path / "mine"),
    ):
        pass
    assert precious.read_text() == "kept"


# Archives


def test_a_link_in_an_archive_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("1 2\n3 4\n")
    path = tmp_path / "log.zip"
    link = zipfile.ZipInfo("log.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, str(tmp_path / "secret.txt"))
    with pytest.raises(SeqrecError, match=r"log\.zip: has no member 'log\.txt'"):
        parse(path, Format(), "log.txt")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 megabytes in a few hundred kilobytes, whether the archive says so or lies about it."""
    monkeypatch.setattr(raw_bytes, "SMALL_UNPACKED_BYTES", 1 << 20)
    path = tmp_path / "log.zip"
    size = 1 << 26
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log.txt", b"1 2\n" * (size // 4))
    with pytest.raises(SeqrecError, match=f"log.zip: .* would unpack to {size:,} bytes, more than"):
        parse(path, Format())
    content = path.read_bytes()
    lie = content.replace(size.to_bytes(4, "little"), (4).to_bytes(4, "little"))
    assert lie != content
    path.write_bytes(lie)
    with pytest.raises(SeqrecError, match=r"log\.zip: cannot be read to its end"):
        parse(path, Format())


# Model files


def test_a_checkpoint_cannot_run_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = {"key": "key", "state": Trap(tmp_path / "trapped"), "runs_sharing_device": 1}
    buffer = io.BytesIO()
    torch.save(saved, buffer)
    files = ResumeFiles(tmp_path)
    for content in (buffer.getvalue(), pickle.dumps(saved, protocol=2)):
        files.current.write_bytes(hashlib.sha256(content).digest() + content)
        assert files.load("key") is None
        assert "resume.pt: damaged, not used" in capsys.readouterr().err
    assert not (tmp_path / "trapped").exists()


def test_no_file_is_ever_unpickled_and_no_yaml_builds_objects() -> None:
    """Calls that could run code are nowhere in the package, or stand beside their guard."""
    for path in (ROOT / "seqrec").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for word in (
            "pickle.load",
            "read_pickle",
            "joblib.load",
            "yaml.unsafe",
            "yaml.full",
            "eval(",
        ):
            assert word not in text.replace(".eval(", "").replace("_eval(", ""), f"{path}: {word}"
        for call, guard in (
            ("torch.load(", "weights_only=True"),
            ("np.load(", "allow_pickle=False"),
            ("yaml.load(", "_UniqueKeyLoader"),
        ):
            for line in text.splitlines():
                if call in line:
                    assert guard in line, f"{path}: {line.strip()}"


def test_yaml_builds_no_objects(tmp_path: Path) -> None:
    path = tmp_path / "trap.yaml"
    path.write_text(f"title: !!python/object/apply:os.mkdir ['{tmp_path}/trapped']\n")
    with pytest.raises(SeqrecError, match=r"trap\.yaml:1: not valid YAML"):
        load_yaml(path)
    assert not (tmp_path / "trapped").exists()


# Values of a configuration

SHELL = "a 'b\" ; touch trapped $(touch trapped) `touch trapped` | touch trapped & *"


@pytest.mark.slow
def test_no_value_of_a_configuration_reaches_a_shell_unquoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names of checkout, mirror and file, and the settings, all contain shell code."""
    project = Project.new(tmp_path / SHELL / "checkout")
    mirror = tmp_path / SHELL / "mirror"
    mirror.mkdir()
    (mirror / f"{SHELL}.txt").write_bytes(CONTENT)
    source = {"file": f"{SHELL}.txt", "sha256": SHA256}
    texts = dict.fromkeys(("title", "origin", "licence", "citation", "manual"), SHELL + "{c}")
    project.write("config/datasets/tiny.yaml", {**texts, "max_length": 10, "sources": [source]})
    project.write("config/tiny.yaml", {**EXPERIMENT, "description": SHELL})
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy2(ROOT / name, project.folder)
    environment = project.folder / ".venv/bin"
    environment.mkdir(parents=True)
    python = environment / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (project.folder / ".venv/.ready").touch()
    monkeypatch.setenv("PYTHONPATH", str(project.folder))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("SEQREC_MIRROR", str(mirror))

    def make(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", *words], cwd=project.folder, capture_output=True, text=True, timeout=300
        )

    def trapped() -> list[Path]:
        return list(tmp_path.rglob("trapped"))

    wanted = ["EXPERIMENT=tiny", "NAME=quick"]
    done = make("experiment", *wanted, "SET=models=[popularity] training.max_epochs=1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.record("popularity", "quick").is_file()
    assert trapped() == []

    hostile = ";touch trapped $(touch trapped) `touch trapped` $(shell touch trapped) & *"
    for words in (
        [f"EXPERIMENT=tiny{hostile}"],
        ["EXPERIMENT=tiny", f"NAME=quick{hostile}"],
        [*wanted, f"SET=models=[popularity{hostile}]"],
        [*wanted, f"RETRAIN={hostile}"],
    ):
        done = make("experiment", *words)
        assert done.returncode != 0, words
        assert "Traceback" not in done.stdout + done.stderr
        assert trapped() == [], words
    done = project.snakemake("runs", f"device={hostile}")
    assert done.returncode != 0
    assert "device: write auto, cpu, cuda or cuda:<number> (got" in done.stdout + done.stderr
    assert trapped() == []


@pytest.mark.parametrize("name", ["a b", "a;b", "$(b)", "../up", "`b`", "a/b", "-b", ".", ""])
def test_a_name_that_a_shell_or_a_path_could_trip_over_is_refused(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "models").mkdir()
    dataset = {"title": "T", "max_length": 9, "sources": [{"file": "log.txt"}]}
    (tmp_path / "datasets/tiny.yaml").write_text(yaml.safe_dump(dataset))
    entry = {"implementation": "popularity"}
    (tmp_path / "models/popularity.yaml").write_text(yaml.safe_dump(entry))
    grid = {"datasets": ["tiny"], "models": ["popularity"]}
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(grid))
    load_experiment("mine", config=tmp_path)
    if name:
        with pytest.raises(SeqrecError):
            load_experiment("mine", rename=name, config=tmp_path)
    named = {"name": name, "like": "popularity"}
    for change in ({"datasets": [name]}, {"models": [name]}, {"models": [named]}):
        file.write_text(yaml.safe_dump(grid | change))
        with pytest.raises(SeqrecError):
            load_experiment("mine", config=tmp_path)


# Own models


def test_what_a_results_folder_names_is_never_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of others are read, shown and promoted; only running a configuration imports code."""

    (tmp_path / "trap.py").write_text("from pathlib import Path\nPath('trapped').touch()\n")
    monkeypatch.chdir(tmp_path)
    results = tmp_path / "results/theirs"
    folder = make_record(results, config={"implementation": "trap:Model"})
    (folder / "config.yaml").write_text("implementation: trap:Model\n")
    copied_config(tmp_path)
    for words in (["tables"], ["figures"], ["missing"], ["stale"], ["promote"]):
        done = CliRunner().invoke(main, [*words, str(results)])
        assert done.exit_code == 0, done.output
    assert "trap" not in sys.modules
    assert not (tmp_path / "trapped").exists()

"""The built wheel does everything outside of the checkout: a study, and a module of a workflow.

The wheel is installed into an environment of its own, which finds the libraries, and no seqrec,
among the packages of this one.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml
from documentation import blocks
from shipped import ROOT
from tiny_project import DATASET, EXPERIMENT

from seqrec.layout import PROJECT, LogFiles, ResultFiles
from seqrec.records.fingerprint import is_stale, training_code_fingerprint
from seqrec.records.reading import read_record
from seqrec.running.folder_lock import alone_in

pytestmark = pytest.mark.slow

SOURCES = ("Snakefile", "config", "environment.yml", "profiles", "seqrec", "workflow")
OF_A_PACKAGE = ("LICENSE", "README.md", "pyproject.toml")

PAGE = ROOT / "docs/how-to/studies.md"


class Elsewhere:
    """A folder outside of the checkout, and an environment with the wheel."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self.python = folder / "environment/bin/python"

    def call(self, *words: str | Path, at: str = ".") -> subprocess.CompletedProcess[str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
        return subprocess.run(
            words,
            cwd=self.folder / at,
            env={**kept, "SEQREC_MIRROR": "", "PATH": f"{self.python.parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=600,
        )

    def done(self, *words: str | Path, at: str = ".") -> str:
        done = self.call(*words, at=at)
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
        return done.stdout + done.stderr

    def snakemake(self, *words: str) -> tuple[str | Path, ...]:
        return (self.python, "-m", "snakemake", "--cores", "2", "--nocolor", *words)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    folder = tmp_path_factory.mktemp("elsewhere")
    source = folder / "source"  # building leaves files beside its source
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=ignored)
        else:
            source.mkdir(exist_ok=True)
            shutil.copy2(ROOT / name, source)
    for name in OF_A_PACKAGE:
        shutil.copy2(ROOT / name, source)
    elsewhere = Elsewhere(folder)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    elsewhere.done(*pip, "wheel", "--no-deps", "--wheel-dir", folder, source)
    (wheel,) = folder.glob("*.whl")
    shutil.rmtree(source)
    elsewhere.done(sys.executable, "-m", "venv", "--without-pip", folder / "environment")
    elsewhere.done(*pip, "--python", elsewhere.python, "install", "--no-deps", "--no-index", wheel)
    place = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(elsewhere.done(elsewhere.python, "-c", place).strip())
    # A plain path: the links of editable installations that lie there are not followed.
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    found = elsewhere.done(elsewhere.python, "-c", "import seqrec; print(seqrec.__file__)").strip()
    assert Path(found).is_relative_to(packages)
    return elsewhere


def test_a_study_runs_end_to_end(elsewhere: Elsewhere) -> None:
    assert "study: ready" in elsewhere.done("seqrec", "init", "study")
    elsewhere.done("git", "init", "..")  # a checkout around the package, and not the package's
    me = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    elsewhere.done("git", *me, "commit", "--allow-empty", "--message", "mine")
    said = "".join(elsewhere.done("seqrec", "check", "study", at="study").split())
    environment = elsewhere.python.parents[1]
    assert f"Fromthepackage({environment}/lib/" in said
    assert "/seqrec/project/config):models/popularity.yaml," in said
    elsewhere.done(*elsewhere.snakemake(), at="study")
    results = ResultFiles(elsewhere.folder / "study/results/study")
    assert (results.tables / ".complete").is_file()
    assert (results.figures / ".complete").is_file()
    for model in ("popularity", "sasrec+", "average"):
        record = read_record(results.run("example", model, 0).folder)
        assert record.seqrec.training_code == training_code_fingerprint()
        assert record.seqrec.commit is None
        assert not is_stale(record, training_code_fingerprint())
    again = elsewhere.done(*elsewhere.snakemake(), at="study")
    assert "Nothing to be done" in again
    elsewhere.done("seqrec", "report", "results/study", at="study")
    train = ("seqrec", "train", "example", "average", "training.max_epochs=1", "--name", "try")
    assert "results/try/runs/example/average/seed-0" in elsewhere.done(*train, at="study")


def test_another_workflow_uses_it_as_a_module(elsewhere: Elsewhere) -> None:
    folder = elsewhere.folder / "other"
    (folder / "config/datasets").mkdir(parents=True)
    (folder / "config/datasets/tiny.yaml").write_text(yaml.safe_dump(DATASET))
    (folder / "config/tiny.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    (shown,) = blocks("", pages=[PAGE])
    (folder / "Snakefile").write_text(shown.text.replace("study", "tiny"))
    # An option of the other workflow is no business of the module's.
    snakemake = elsewhere.snakemake("--nolock", "--config", "region=north")
    with alone_in(folder / "results/tiny"):
        refused = elsewhere.call(*snakemake, at="other")
    assert refused.returncode != 0
    assert "results/tiny" in refused.stdout + refused.stderr
    assert not LogFiles(folder / "data/processed/tiny").digest.exists()
    elsewhere.done(*snakemake, at="other")
    assert (folder / "count.txt").read_text().strip() == "4"  # a heading and three runs


def test_what_the_wheel_carries_is_what_the_checkout_has(elsewhere: Elsewhere) -> None:
    code = "from seqrec.layout import PROJECT; print(PROJECT)"
    carried = Path(elsewhere.done(elsewhere.python, "-c", code).strip())
    kinds = ("config/**/*.yaml", "config/**/*.csv", "workflow/**/*.smk", "workflow/report/*")
    for kind in (*kinds, "profiles/*/config.yaml", "Snakefile", "environment.yml", "study/**/*.*"):
        files = [path for path in PROJECT.glob(kind) if "__pycache__" not in path.parts]
        assert files, kind
        for path in files:
            copy = carried / path.relative_to(PROJECT)
            assert not path.is_file() or copy.read_bytes() == path.read_bytes()

"""A copy of this project with a tiny experiment in it, for tests that start real commands."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from shipped import ROOT, copied_config

PARTS = ("Snakefile", "workflow", "profiles", "seqrec", "environment.yml", ".gitignore")

DATASET = {
    "title": "Tiny",
    "max_length": 10,
    "simulate": {
        "users": 60,
        "items": 30,
        "mean_length": 8,
        "min_length": 5,
        "max_length": 12,
        "genres": 3,
    },
}
EXPERIMENT = {
    "datasets": ["tiny"],
    "models": ["popularity", "sasrec+", "sasrec+N"],
    "negatives": [5],
    "training": {"max_epochs": 1, "batch_size": 32},
    "overrides": [{"models": ["sasrec*"], "hyperparameters": {"hidden_size": 8, "blocks": 1}}],
}


class Project:
    """A copy of this project with a tiny experiment in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = folder / "results/tiny"

    @classmethod
    def new(cls, folder: Path) -> "Project":
        """Copy what is ours, without the experiments, datasets and models that users added."""
        copied_config(folder)
        for part in PARTS:
            if (ROOT / part).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / part, folder / part, symlinks=True, ignore=ignored)
            else:
                shutil.copy2(ROOT / part, folder / part)
        project = cls(folder)
        project.write("config/datasets/tiny.yaml", DATASET)
        project.write("config/tiny.yaml", EXPERIMENT)
        return project

    def copy(self, folder: Path) -> "Project":
        shutil.copytree(self.folder, folder)  # with the times of files
        return Project(folder)

    def path(self, name: str) -> Path:
        return self.folder / name

    def write(self, name: str, content: dict) -> None:
        self.path(name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def append(self, name: str, text: str) -> None:
        """Add to a file that exists: a test of an edit must not create a file instead."""
        with self.path(name).open("r+", encoding="utf-8") as file:
            file.seek(0, os.SEEK_END)
            file.write(text)

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=300,
        )

    def environment(self) -> dict[str, str]:
        """Use the copy's package instead of the installed one, and nothing from the network.

        Nor what `make test` passes on to a make that it starts: that would print where it is.
        """
        kept = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
        return {
            **kept,
            "PYTHONPATH": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SEQREC_MIRROR": "",
        }

    def snakemake(self, *words: str, experiment: str = "tiny") -> subprocess.CompletedProcess[str]:
        """Start Snakemake; `words` are targets, options, and further settings `key=value`."""
        options = [word for word in words if not re.match(r"[a-z]+=", word)]
        settings = [word for word in words if re.match(r"[a-z]+=", word)]
        config = ["--config", f"experiment={experiment}", *settings]
        return self.call(
            sys.executable, "-m", "snakemake", *options, "--cores", "2", "--nocolor", *config
        )

    def make(self, *words: str, experiment: str = "tiny") -> str:
        """Run Snakemake, which must succeed; returns what it prints."""
        done = self.snakemake(*words, experiment=experiment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def plan(self, *words: str, experiment: str = "tiny") -> set[str]:
        """List the jobs of a dry run: a rule and the values of its wildcards."""
        return jobs(self.make(*words, "--dry-run", experiment=experiment))

    def seqrec(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.call(sys.executable, "-m", "seqrec", *words)

    def prepare(self, *words: str, experiment: str = "tiny") -> list[str]:
        """Run `seqrec prepare`, which must succeed; returns its lines."""
        done = self.seqrec("prepare", experiment, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def with_make(self) -> "Project":
        """Add the Makefile; the Python of this test stands in for the environment."""
        shutil.copy2(ROOT / "Makefile", self.folder)
        for name in ("requirements.lock", "pyproject.toml", ".venv/bin/python", ".venv/.ready"):
            self.path(name).parent.mkdir(parents=True, exist_ok=True)
            self.path(name).touch()
        python = self.path(".venv/bin/python")
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        return self

    def record(self, model: str, experiment: str = "tiny", dataset: str = "tiny") -> Path:
        return self.path(f"results/{experiment}/runs/{dataset}/{model}/seed-0/metrics.json")

    def records(self) -> dict[str, str]:
        """Read every record, by its path."""
        paths = self.path("results").glob("*/runs/*/*/seed-*/metrics.json")
        return {str(path.relative_to(self.folder)): path.read_text() for path in paths}


def jobs(said: str) -> set[str]:
    """Find the jobs in Snakemake's output, planned or done."""
    found = set()
    for match in re.finditer(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", said, re.MULTILINE):
        wildcards = re.search(r"    wildcards: (.*)\n", match[2])
        values = re.findall(r"\w+=([^,]+)", wildcards[1]) if wildcards else []
        found.add(" ".join([match[1], *values]))
    return found


def trainings(*models: str, dataset: str = "tiny", seed: int = 0) -> set[str]:
    """Name the jobs that train these models, as `jobs` does."""
    return {f"train {dataset} {model} {seed}" for model in models}

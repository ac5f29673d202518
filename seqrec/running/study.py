"""Make a study: a folder outside of the checkout that uses the installed package."""

import shutil
import tempfile
from pathlib import Path

from seqrec.errors import SeqrecError
from seqrec.layout import CONFIG, PROJECT

EXAMPLE = PROJECT / "study"
WORKFLOW = CONFIG / "workflow.yaml"


def make_study(folder: Path) -> None:
    """Write a study with an example to run into a folder, which is new or empty.

    The folder appears in one step. Raises `SeqrecError` if it holds anything.
    """
    target = folder.resolve()
    if target == Path.cwd():
        raise SeqrecError("The current folder cannot be replaced by a study: name a new folder.")
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise SeqrecError(
            f"{folder}: is not empty, and a study is written into a new folder. Choose another "
            "name, or remove it."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name[:100]}.") as place:
        study = Path(place, "study")
        for path in (path for path in EXAMPLE.rglob("*") if path.is_file()):
            if "__pycache__" not in path.parts:
                _copy(path, study / path.relative_to(EXAMPLE))
        (study / "gitignore").rename(study / ".gitignore")  # in the package it would ignore files
        for path in PROJECT.glob("profiles/*/config.yaml"):
            _copy(path, study / path.relative_to(PROJECT))
        options = (PROJECT / WORKFLOW).read_text(encoding="utf-8")
        options = options.replace("experiment: demo ", "experiment: study ", 1)
        (study / WORKFLOW).write_text(options, encoding="utf-8")
        study.rename(target)


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)  # installed files may be read-only; copies are not

"""Why a run or a dataset failed, as a small file that surveys and tables read."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from seqrec.errors import SeqrecError
from seqrec.files import write_text
from seqrec.json_files import as_json, read_json
from seqrec.layout import Run, RunFiles

RUN_AGAIN = "Run the experiment again."


@dataclass(frozen=True)
class Failure:
    """How a run failed."""

    run: Run
    error: str
    where: str
    """What it was working on, and on which machine."""
    remedy: str


class Reason(NamedTuple):
    """Why there is no result, and what to do about it; each a sentence or several, on one line."""

    reason: str
    remedy: str


def write_failure(folder: Path, failure: Failure) -> None:
    """Write `failure.json` into a run's folder. A finished record there stays valid."""
    content = {
        **failure.run._asdict(),
        "error": _one_line(failure.error),
        "where": failure.where,
        "remedy": failure.remedy,
    }
    write_text(RunFiles(folder).failure, as_json(content))


def failure_in(folder: Path) -> Reason | None:
    """Tell why the last attempt at a run failed; None if it did not. A record there is older."""
    return read_failure(RunFiles(folder).failure)


def read_failure(path: Path) -> Reason | None:
    """Read why a run or a dataset failed; None without such a file.

    A file that cannot be read is a failure, too.
    """
    try:
        failure = read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, SeqrecError):
        return Reason(f"failed; {path.name} does not say why, it cannot be read.", RUN_AGAIN)
    return Reason(
        sentence(str(failure.get("error") or "failed")),
        sentence(str(failure.get("remedy") or RUN_AGAIN)),
    )


def sentence(text: str) -> str:
    """Put `text` on one line that ends like a sentence, so that another can follow."""
    line = _one_line(text)
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _one_line(text: str) -> str:
    return " ".join(text.split())

"""Why a run or a dataset failed, as a small file that surveys and tables read."""

from pathlib import Path
from typing import NamedTuple

from seqrec.errors import SeqrecError, printable
from seqrec.files import write_text
from seqrec.json_files import as_json, read_json
from seqrec.layout import RunFiles

RUN_AGAIN = "Run the experiment again."


class Reason(NamedTuple):
    """Why there is no result, and what to do about it."""

    reason: str
    remedy: str


def write_failure(path: Path, why: Reason, **about: str | int) -> None:
    """Write why a run or a dataset failed to `path`, where `RunFiles` or `ResultFiles` has it.

    `about` says what failed and where, for whoever opens the file. A finished record beside it
    stays valid.
    """
    content = {**about, "error": _one_line(why.reason), "remedy": _one_line(why.remedy)}
    write_text(path, as_json(content))


def failure_in(folder: Path) -> Reason | None:
    """Tell why the last attempt at a run failed; None if it did not.

    A record in the same folder is older.
    """
    return read_failure(RunFiles(folder).failure)


def read_failure(path: Path) -> Reason | None:
    """Read why a run or a dataset failed, on one line; None without such a file.

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
    return printable(" ".join(text.split()))

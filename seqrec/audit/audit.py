"""The audit of a log: all of its numbers in one file beside it."""

from pathlib import Path

from seqrec.audit.order import Rules, Shuffling, rules
from seqrec.audit.part import Part
from seqrec.audit.shape import Repeats, Tails, repetition, tails
from seqrec.audit.timing import Drift, Leaks, Ties, drift, leaks, ties
from seqrec.data.interactions import Interactions
from seqrec.data.statistics import Statistics
from seqrec.errors import SeqrecError
from seqrec.files import write_text
from seqrec.json_files import read_json
from seqrec.layout import LogFiles
from seqrec.typed_yaml import check_values


class Audit(Part):
    """The numbers of `audit.json`."""

    dataset: str
    sha256: str
    """Digest of the log."""
    statistics: Statistics
    """Those of the log."""
    tails: Tails
    repeats: Repeats
    rules: list[Rules]
    """Of two and of three items."""
    ties: Ties | None = None
    """None, like the other parts about times, if the log has no times."""
    leaks: Leaks | None = None
    drift: Drift | None = None
    shuffling: Shuffling | None = None
    """None as long as no trained run has been tested."""


def audit_log(dataset: str, log: Interactions, shuffling: Shuffling | None = None) -> Audit:
    """Compute all numbers of a log; `shuffling` is what a trained run has shown."""
    times = log.times
    return Audit(
        dataset=dataset,
        sha256=log.digest,
        statistics=log.statistics,
        tails=tails(log),
        repeats=repetition(log),
        rules=rules(log),
        ties=None if times is None else ties(log, times),
        leaks=None if times is None else leaks(log, times),
        drift=None if times is None else drift(log, times),
        shuffling=shuffling,
    )


def write_audit(files: LogFiles, audit: Audit) -> None:
    """Write an audit beside its log."""
    write_text(files.audit, audit.model_dump_json(indent=2) + "\n")


def read_audit(folder: Path, sha256: str) -> Audit | None:
    """Read the audit of the log in `folder`; None if there is none of the log with this digest.

    Raises `SeqrecError` if the file is malformed.
    """
    path = LogFiles(folder).audit
    if not path.is_file():
        return None
    try:
        values = read_json(path)
        return check_values(Audit, values, str(path)) if values.get("sha256") == sha256 else None
    except SeqrecError as error:
        raise SeqrecError(f"{error}\nRemove the file, or audit the dataset again.") from None


def earlier_shuffling(log: Interactions) -> Shuffling | None:
    """Return what an earlier audit of the same log has found with a trained run, if it has."""
    try:
        earlier = log.folder and read_audit(log.folder, log.digest)
    except SeqrecError:
        return None  # a malformed one is replaced
    return earlier.shuffling if earlier else None

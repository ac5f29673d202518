"""Read the record of a finished run, and check that its files belong together."""

import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from seqrec.errors import SeqrecError
from seqrec.files import require_inside
from seqrec.json_files import read_json
from seqrec.layout import RunFiles, results_of, run_folder
from seqrec.protocol.metrics import GAINS, SET_METRICS, set_metric
from seqrec.records.errors import DamagedRecord, NewerRecord, UnreadableRecord, UnusableRecord
from seqrec.records.history import epochs_in
from seqrec.records.record import FROM_JSON, Record
from seqrec.typed_yaml import check_values
from seqrec.wording import quoted, shortened

FORMAT: Final = 1
"""The format of the records that this version writes and reads."""

TOLERANCE = 1e-9
"""How much a metric may differ when its sum is taken in another order."""

MOST_CUTOFF = 100_000
"""Largest cutoff of the metrics that are compared with the ranks."""


def has_record(folder: Path) -> bool:
    """Tell whether a folder holds a record, whatever its state."""
    try:
        RunFiles(folder).metrics.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # reading it will say why not
    return True


def read_record(folder: Path | str) -> Record:
    """Read the finished record in the folder of a run, and check that its files belong together.

    Raises `UnusableRecord`, a `SeqrecError` that names the file, if one is damaged, unreadable or
    of a later format, or if the record is not in its place.
    """
    folder = Path(folder)
    record = read_metrics(folder)
    if problem := _misplaced(record) or _unlike_ranks(record) or _unlike_history(record):
        raise DamagedRecord(folder, problem)
    if record.digests and record.files.config.name in record.digests:
        record.read(record.files.config)
    return record


def read_metrics(folder: Path) -> Record:
    """Read `metrics.json` alone, wherever the folder lies; raises `UnusableRecord`."""
    path = RunFiles(folder).metrics
    try:
        content = read_json(path)
        if (version := content.get("format")) != FORMAT and _is_newer(version):
            problem = f"{path}: was written by a newer seqrec (format {version}, here {FORMAT})."
            raise NewerRecord(folder, problem)
        record = _checked({**content, "folder": folder}, str(path))
        _ = record.known_config  # raises if it is malformed
    except OSError as error:
        raise UnreadableRecord.of(folder, path, error) from None
    except UnusableRecord:
        raise
    except SeqrecError as error:
        problem = str(error).removeprefix(f"{path}: ")
        raise DamagedRecord(folder, f"{path}: {shortened(problem)}") from None
    return record


def _checked(content: dict[str, Any], where: str) -> Record:
    """Build the record at once, as there may be thousands; `check_values` says what is wrong."""
    try:
        return Record.model_validate(content, context=FROM_JSON)
    except ValidationError:
        return check_values(Record, content, where)


def require_replaceable(folder: Path) -> None:
    """Raise `SeqrecError` if nothing may be written into a run's folder.

    That is so if a link leads out of the experiment's results, and if the folder holds a record
    that is unreadable or of a later format.
    """
    if results := results_of(folder):
        require_inside(folder, results)
    if not has_record(folder):
        return
    try:
        read_metrics(folder)
    except DamagedRecord:
        return


def _is_newer(version: object) -> bool:
    return isinstance(version, int) and not isinstance(version, bool) and version > FORMAT


def _misplaced(record: Record) -> str:
    place = run_folder(*record.run)
    if record.folder.absolute().parts[-3:] == place.parts[-3:]:
        return ""
    return (
        f"{record.files.metrics}: holds dataset {quoted(record.task)}, model "
        f"{quoted(record.model)} and seed {record.seed}, which belong in {place.as_posix()}/."
    )


def _unlike_ranks(record: Record) -> str:
    ranks = record.ranks()
    if (best := ranks.min()) < 1:
        return f"{record.files.ranks}: holds rank {best}, and ranks count from 1."
    files, users = record.files, record.target_users()
    for path, numbers in (
        (files.target_counts, record.target_counts()),
        (files.history_lengths, record.history_lengths()),
        (files.target_users, users),
    ):
        if numbers is not None and len(ranks) != len(numbers):
            return f"{path}: holds other targets than ranks.npy."
    if record.has_sets and users is None:
        return f"{files.target_users}: is missing, and users have several targets."
    sets = users if record.has_sets else None
    for metric, found in _metrics(record.test, ranks, sets).items():
        said = record.test[metric]
        if not math.isclose(said, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            return (
                f"{record.files.metrics}: has {metric} {said:.6f} in the test, and ranks.npy gives "
                f"{found:.6f}: the two are not of one run."
            )
    return ""


def _unlike_history(record: Record) -> str:
    content = record.read(record.files.history)
    try:
        epochs = epochs_in(content) if content is not None else []
    except ValueError as error:
        return f"{record.files.history}: is not a training history ({shortened(str(error))})."
    if record.epochs is None and epochs:
        return f"{record.files.history}: holds epochs, and metrics.json says that there were none."
    if record.epochs is None and record.best_epoch is not None:
        return f"{record.files.metrics}: has a best epoch, and no epochs."
    # A trial may have been promoted without its history.
    is_kept = not record.digests or record.files.history.name in record.digests
    if is_kept and record.epochs is not None and record.best_epoch not in epochs:
        return f"{record.files.history}: lacks the best epoch, {record.best_epoch}."
    return ""


def _metrics(
    names: Iterable[str], ranks: npt.NDArray[np.int32], sets: npt.NDArray[np.int32] | None
) -> dict[str, float]:
    """Compute those of the metrics `<name>@<k>` that follow from 1-based `ranks` `[targets]`.

    `sets` is whose each target is, where metrics are those of sets.
    """
    parts = [(metric, *metric.partition("@")[::2]) for metric in names]
    known = GAINS if sets is None else SET_METRICS
    asked = [(metric, name, int(k)) for metric, name, k in parts if name in known and k.isdecimal()]
    asked = [one for one in asked if one[-1] <= MOST_CUTOFF]
    if sets is not None:
        return {metric: float(set_metric(ranks, sets, name, k).mean()) for metric, name, k in asked}
    most = max((k for *_, k in asked), default=0)
    # Other ranks add nothing, and the same rank always adds the same.
    counts = np.bincount(ranks[ranks <= most], minlength=most + 1)
    return {
        metric: float(counts[1 : k + 1] @ _gains(name, most)[:k]) / len(ranks)
        for metric, name, k in asked
    }


@cache
def _gains(name: str, most: int) -> npt.NDArray[np.float64]:
    """Gains of the ranks from 1 to `most`, as `[most]`."""
    return GAINS[name](np.arange(1.0, most + 1))

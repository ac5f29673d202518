"""Write the record of a finished run: all of its files, or none."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from seqrec.errors import SeqrecError
from seqrec.files import replacing
from seqrec.protocol.epoch import Epoch
from seqrec.records.json_files import as_json, not_finite
from seqrec.records.record import HISTORY_COLUMNS, Record


def write_record(
    record: Record,
    history: Sequence[Epoch],
    ranks: npt.NDArray[np.integer],
    target_counts: npt.NDArray[np.integer],
) -> None:
    """Write `record` and its arrays into its folder, and remove the failure of an earlier attempt.

    `ranks` `[users]` and `target_counts` `[users]` are those of the test targets. Raises
    `SeqrecError` and leaves the folder as it was if a number of the record is not finite, or if
    the files cannot be written.
    """
    files, content = record.files, record.content()
    for place, value in not_finite(content):
        raise SeqrecError(
            f"{files.metrics}: not written, {place} is {value}. The training has probably "
            "diverged: try a smaller learning rate."
        )
    with ExitStack() as stack:
        # The parts take their names in the reverse of this order, once all of them are whole.
        metrics, target_counts_part, ranks_part, history_part = (
            stack.enter_context(replacing(path))
            for path in (files.metrics, files.target_counts, files.ranks, files.history)
        )
        metrics.write_text(as_json(content), encoding="utf-8", newline="")
        _save(ranks, ranks_part)
        _save(target_counts, target_counts_part)
        _as_table(history).to_csv(history_part, index=False, lineterminator="\n")
        # From here to the end there is no record, rather than one of old and new files.
        files.metrics.unlink(missing_ok=True)
    files.failure.unlink(missing_ok=True)


def _save(numbers: npt.NDArray[np.integer], path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.asarray(numbers, dtype=np.int32))


def _as_table(history: Sequence[Epoch]) -> pd.DataFrame:
    lines: list[dict[str, Any]] = [epoch.line() for epoch in history]
    return pd.DataFrame(lines, columns=None if lines else list(HISTORY_COLUMNS))

"""How long an epoch of each model takes, and on what a run computed.

Seconds per epoch come from `timing.json` in an experiment's results, which names the machine that
they were measured on with nothing else to do. The training times of records are not used: runs
share machines and differ in them, so their times say more about that than about models.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from seqrec.json_files import read_json
from seqrec.layout import ResultFiles
from seqrec.records.record import Record
from seqrec.typed_yaml import Strict, check_values

Seconds = Annotated[float, Field(gt=0, le=1e9)]


class Timing(Strict):
    """The content of `timing.json`."""

    machine: Annotated[str, Field(min_length=1)]
    """What it was measured on, for readers: the device, how many threads, that it was idle."""
    seconds_per_epoch: dict[str, dict[str, Seconds]]
    """Seconds per epoch of training and validation, by dataset and model."""

    def of(self, dataset: str, model: str) -> float | None:
        """Return the seconds of an epoch of a model; None if it was not measured."""
        return self.seconds_per_epoch.get(dataset, {}).get(model)


def read_timing(results: Path) -> Timing | None:
    """Read the measurement of an experiment's results; None if there is none.

    Raises `SeqrecError` if the file is damaged.
    """
    path = ResultFiles(results).timing
    return check_values(Timing, read_json(path), str(path)) if path.is_file() else None


def device_title(record: Record) -> str:
    """Name the device of a run, and on a CPU how many threads computed."""
    if record.device_kind != "cpu":
        return record.device
    return f"{record.device}, {record.threads} {'thread' if record.threads == 1 else 'threads'}"

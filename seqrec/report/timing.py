"""How long a training took, on what, and which training times compare."""

import numpy as np

from seqrec.records.record import Record


def device_title(record: Record) -> str:
    """Name the device of a run, and on a CPU how many threads computed."""
    if record.device_kind != "cpu":
        return record.device
    return f"{record.device}, {record.threads} {'thread' if record.threads == 1 else 'threads'}"


def device_and_precision(record: Record) -> str:
    """Name the device and the precision that a run was trained with."""
    return f"{device_title(record)}, {record.precision}"


def seconds_to_best(record: Record) -> float:
    """Training time up to the end of the best epoch, with its validations."""
    return record.seconds_to_best()


def least_seconds_to_best(record: Record) -> float:
    """Lower bound of `seconds_to_best` had the run not shared its device.

    Sharing only slows a run down, so no epoch would have been quicker than the quickest.
    """
    if record.runs_sharing_device == 1:
        return seconds_to_best(record)
    epochs = np.diff(record.history()["seconds"].to_numpy(), prepend=0.0)
    return float(record.best_epoch or 0) * float(epochs.min())


def comparable_times(one: Record, other: Record) -> bool:
    """Whether two runs had the same kind of device and precision, and neither an unfair share.

    A GPU must have been theirs alone. On a CPU, where runs have threads of their own, it is enough
    that the quicker run shared it with at least as many others as the slower one.
    """
    if device_and_precision(one) != device_and_precision(other):
        return False
    quicker, slower = sorted((one, other), key=seconds_to_best)
    if one.device_kind != "cpu":
        return one.runs_sharing_device == other.runs_sharing_device == 1
    return quicker.runs_sharing_device >= slower.runs_sharing_device

"""Tell whether a preprocessed log was made with the settings that its dataset's YAML has now."""

import json

from seqrec.data.datasets import Dataset, dataset_names, load_dataset
from seqrec.errors import SeqrecError
from seqrec.files import holds
from seqrec.layout import CONFIG_FILES, LogFiles, manifest


def log_settings(dataset: Dataset) -> str:
    """Return everything in a dataset's YAML that determines its log, as one line of JSON."""
    parts = {"sources", "format", "filter", "expected", "simulate"}
    settings = dataset.model_dump(mode="json", include=parts)
    formats = [dataset.format, *(source.format for source in dataset.sources)]
    if any(format is not None and format.columns.timestamp is not None for format in formats):
        settings["times"] = "unix seconds"  # logs of such files have been made without their times
    return json.dumps(settings, sort_keys=True)


def log_is_current(log: LogFiles, dataset: Dataset) -> bool:
    """Whether `log` is complete and was made with the settings that `dataset` has now."""
    made_by = f"{log_settings(dataset)}\n".encode()
    return log.digest.is_file() and holds(log.reading, made_by)


def raw_file_is_newer(log: LogFiles, name: str) -> bool:
    """Whether another raw file was recorded since `log` was made, and could not be preprocessed."""
    try:
        return manifest(name).stat().st_mtime > log.digest.stat().st_mtime
    except OSError:
        return False


def require_current(log: LogFiles, name: str) -> None:
    """Raise `SeqrecError` if `log` was made with other settings than dataset `name` has now.

    A log whose dataset is not in the registry is never refused: it was not made from a YAML.
    """
    if name not in dataset_names() or not log.digest.is_file():
        return
    if not log_is_current(log, load_dataset(name)):
        raise SeqrecError(
            f"{log.folder}: was made with other settings than {CONFIG_FILES.dataset(name)} has "
            f"now. Run `seqrec preprocess {name}`, or run the experiment again, which preprocesses "
            "by itself."
        )

"""Load the trained model of a run, with all that shows whether it is the recorded one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from seqrec.data.interactions import Interactions
from seqrec.errors import SeqrecError, is_out_of_memory
from seqrec.experiment.schema import RunConfig
from seqrec.layout import LogFiles, RunFiles
from seqrec.models.fitted import Fitted
from seqrec.models.network import Network
from seqrec.records.reading import has_record, read_metrics
from seqrec.records.record import Record
from seqrec.running.device import choose_device
from seqrec.running.trust import require_trusted
from seqrec.training.building import build_model
from seqrec.typed_yaml import check_values, load_yaml


def load(
    files: RunFiles, data: Path | None, device: str, trust: bool
) -> tuple[RunConfig, Network | Fitted, Interactions, torch.device]:
    """Load configuration, model and log of a run; the model is on the device, which comes last.

    Raises `SeqrecError` as `Recommender.load` does.
    """
    record = _record_in(files)
    if not files.weights.is_file():
        raise SeqrecError(
            f"{files.weights}: the weights are missing; git and promoted records leave them "
            "out. Run the experiment to train the model here."
        )
    record.require_recorded(files.weights)
    config = _config_of(record)
    if not trust:
        require_trusted(config, str(files.config))
    log = _load_log(LogFiles(data) if data else LogFiles.of(config.dataset), config, record)
    place = choose_device(device)
    return config, _load_model(config, files.weights, log.num_items, place), log, place


def _record_in(files: RunFiles) -> Record:
    """Read the record of a run, which must have finished."""
    if not has_record(files.folder):
        raise SeqrecError(
            f"{files.folder}: holds no finished run. Name a run's folder, such as "
            "results/<experiment>/runs/<dataset>/<model>/seed-<n>."
        )
    record = read_metrics(files.folder)
    if record.predictions is not None:
        raise SeqrecError(
            f"{files.folder}: was made by `seqrec score` from the predictions of another library, "
            "which has the model. Name a run that seqrec has trained."
        )
    return record


def _config_of(record: Record) -> RunConfig:
    """Read `config.yaml`; raises `SeqrecError` if the record is not of this configuration."""
    path = record.files.config
    config = check_values(RunConfig, load_yaml(path), str(path))
    if config.hash() != record.config_hash:
        raise SeqrecError(
            f"{path}: is not the configuration that {record.files.metrics} was made by, so the "
            "recorded numbers are not of this model. Restore it, or train the run again."
        )
    return config


def _load_log(files: LogFiles, config: RunConfig, record: Record) -> Interactions:
    if not files.digest.is_file():
        raise SeqrecError(
            f"{files.folder}: holds no log, and so no ids of {config.dataset}. Make it with "
            f"`seqrec download {config.dataset}` and `seqrec preprocess {config.dataset}`, or "
            "say where it is with --data."
        )
    log = Interactions.load(files.folder)
    if log.digest != record.data.sha256:
        raise SeqrecError(
            f"{files.folder}: is another log than the run was trained on, so its item numbers mean "
            "other items. Say where the right log is with --data, or train again."
        )
    return log


def _load_model(
    config: RunConfig, path: Path, num_items: int, device: torch.device
) -> Network | Fitted:
    """Build the model, fill in the weights in `path`, and put it on the device."""
    model = build_model(config, num_items)
    try:
        state = load_file(path)
        if isinstance(model, Fitted):
            model.restore(state)
            return model
        model.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError, AttributeError) as error:
        raise SeqrecError(
            f"{path}: does not hold the weights of {config.implementation} "
            f"({str(error).splitlines()[0]}). Train the run again."
        ) from None
    with reporting_out_of_memory(device):
        return model.to(device).eval()


@contextmanager
def reporting_out_of_memory(device: torch.device) -> Iterator[None]:
    """Turn a lack of memory on `device` into a `SeqrecError`."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        remedy = "free some" if device.type == "cpu" else "--device cpu uses the host's instead"
        raise SeqrecError(f"out of memory on {device}; {remedy}.") from None

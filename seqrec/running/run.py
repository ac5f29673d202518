"""One run, from its configuration to its record: the only place where the parts meet."""

import errno
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
import yaml
from safetensors.torch import save

from seqrec.data.interactions import Interactions
from seqrec.errors import SeqrecError, is_out_of_memory
from seqrec.experiment.custom import custom_code, is_custom
from seqrec.experiment.schema import RunConfig
from seqrec.files import replacing, write_text
from seqrec.models.network import Network
from seqrec.protocol.metrics import metric_cutoffs, metrics_from_ranks
from seqrec.protocol.ranking import ScoreUsers, rank_users
from seqrec.protocol.splits import Split, Splits, item_counts, leave_one_out
from seqrec.records.fingerprint import model_code, training_code_fingerprint
from seqrec.records.record import write_failure, write_record
from seqrec.running.device import AUTOMATIC, EngineOptions, Precision, choose_engine
from seqrec.running.device_places import Place, place_on_device
from seqrec.running.folder_lock import alone_in
from seqrec.running.memory import hand_back_freed_memory, keep_freed_memory, peak_memory
from seqrec.running.network_check import check_network
from seqrec.running.progress import under_way
from seqrec.running.provenance import provenance
from seqrec.running.resume import Sidecar, Stopped, stop_signals
from seqrec.training.building import build_model
from seqrec.training.fitting import Outcome, fit, sampled_metrics
from seqrec.training.loop import train
from seqrec.training.precision import Engine, use_onednn
from seqrec.training.scoring import network_scorer


def run(
    config: RunConfig,
    data: Path,
    folder: Path,
    options: EngineOptions = AUTOMATIC,
    report: Callable[[dict[str, Any]], None] = lambda epoch: None,
) -> dict[str, Any]:
    """Do one run on the log in `data` and write its record into `folder`; returns the metrics.

    A training that was stopped before goes on from its sidecar. On failure `failure.json` says
    what, where and how to go on, and the error is raised again. Where the options leave
    a choice of GPUs, it is made by `place_on_device`.
    """
    if config.loss is None:  # a library's fit or a count has no use for a GPU
        options = replace(options, device="cpu")
    # Nor has a torch without CUDA for a place on one.
    wanted = options.device if torch.version.cuda else "cpu"
    with (
        alone_in(folder),
        _failure_noted(config, data, folder),
        place_on_device(wanted, options.runs_per_gpu) as place,
        custom_code(config.implementation, "while it is run"),
        under_way(config, folder, report) as report,
    ):
        return _run(config, data, folder, options, report, place)


@contextmanager
def _failure_noted(config: RunConfig, data: Path, folder: Path) -> Iterator[None]:
    """Leave `failure.json` in `folder` when the block fails; a stop is no failure."""
    try:
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            raise _out_of_memory(error, config) from error
        except OSError as error:
            raise _out_of_disk(error, folder) from error
    except Stopped:
        raise  # it goes on when it is started again
    except Exception as error:
        expected = isinstance(error, SeqrecError)
        with suppress(SeqrecError):  # on a full disk the first error is the one to be told
            write_failure(
                folder,
                dataset=config.dataset,
                model=config.model,
                seed=config.seed,
                error=str(error) if expected else f"{type(error).__name__}: {error}",
                where=f"{data}, on {platform.node()}",
                remedy="Mend what the error names and run the same command again; "
                "finished runs are kept."
                if expected
                else "This is a fault of the program: see the run's log for the traceback.",
            )
        raise


def _run(
    config: RunConfig,
    data: Path,
    folder: Path,
    options: EngineOptions,
    report: Callable[[dict[str, Any]], None],
    place: Place,
) -> dict[str, Any]:
    keep_freed_memory()
    interactions = Interactions.load(data)
    engine = choose_engine(options)
    if options.precision == "auto":
        engine = _as_begun(engine, config, interactions, folder)
    use_onednn(engine)
    device = engine.device
    torch.use_deterministic_algorithms(device.type == "cpu")
    # Before training: the code that runs is the code of this moment.
    made_by = provenance(engine, config)
    splits = leave_one_out(interactions)
    torch.manual_seed(config.seed)
    model = build_model(config, interactions.num_items)
    if isinstance(model, Network) and is_custom(config.implementation):
        check_network(model.to(device), config, interactions.num_items)
        # That leaves other weights and has drawn numbers, so begin anew.
        torch.manual_seed(config.seed)
        model = build_model(config, interactions.num_items)
    if isinstance(model, Network):
        sidecar = Sidecar(folder, _resume_key(config, interactions, engine))

        def look_and_report(epoch: dict[str, Any]) -> None:
            sidecar.runs_sharing_device = max(sidecar.runs_sharing_device, place.look())
            hand_back_freed_memory()
            report(epoch)

        outcome = _train(model.to(device), splits, config, engine, look_and_report, sidecar)
    else:
        outcome = fit(model, splits, config)

    def ranks(score: ScoreUsers, split: Split) -> np.ndarray:
        with torch.inference_mode():
            return rank_users(
                score, split, np.arange(split.num_users), config.evaluation.batch_size
            )

    cutoffs = metric_cutoffs(config)
    test_ranks = ranks(outcome.test_score, splits.test)
    metrics: dict[str, Any] = {
        "format": 1,
        "dataset": config.dataset,
        "model": config.model,
        "negatives": config.loss.negatives if config.loss else None,
        "seed": config.seed,
        "config": config.model_dump(mode="json"),
        "config_hash": config.hash(),
        "data": {"sha256": interactions.digest, "statistics": interactions.statistics},
        **made_by,
        "device_id": place.device,
        # As seen when the run took its place, after each epoch and now.
        "runs_sharing_device": max(
            place.look(), sidecar.runs_sharing_device if isinstance(model, Network) else 1
        ),
        "epochs": len(outcome.history) or None,
        "best_epoch": outcome.best_epoch,
        "training_seconds": outcome.training_seconds,
        "seconds_per_epoch": outcome.training_seconds / len(outcome.history)
        if outcome.history
        else None,
        "parameters": sum(tensor.numel() for tensor in outcome.weights.values()),
        "validation": metrics_from_ranks(
            ranks(outcome.validation_score, splits.validation), cutoffs
        ),
        "test": metrics_from_ranks(test_ranks, cutoffs),
    }
    if config.evaluation.sampled_negatives is not None:
        metrics["test_sampled"] = sampled_metrics(outcome.test_score, splits, config, cutoffs)
    metrics["peak_memory_bytes"] = peak_memory(device)

    # Copies: safetensors refuses weights that share memory, as tied ones do.
    weights = {
        name: tensor.clone(memory_format=torch.contiguous_format)
        for name, tensor in outcome.weights.items()
    }
    with replacing(folder / "model.safetensors") as part:
        # Not save_file, whose errors of a full disk are none of the operating system's.
        part.write_bytes(save(weights))
    write_text(
        folder / "config.yaml", yaml.safe_dump(config.model_dump(mode="json"), sort_keys=True)
    )
    targets = splits.test.targets(np.arange(splits.test.num_users))
    target_counts = item_counts(splits.train)[targets]
    write_record(folder, metrics, outcome.history, test_ranks, target_counts)
    if isinstance(model, Network):
        sidecar.remove()
    return metrics


def _train(
    network: Network,
    splits: Splits,
    config: RunConfig,
    engine: Engine,
    report: Callable[[dict[str, Any]], None],
    sidecar: Sidecar,
) -> Outcome:
    with stop_signals() as stopping:
        trained = train(network, splits, config, engine, report, sidecar, stopping)
    network.eval()
    weights = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    validation, test = (
        network_scorer(network, split, config.max_length, engine.device)
        for split in (splits.validation, splits.test)
    )
    return Outcome(
        trained.history, trained.best_epoch, trained.training_seconds, weights, validation, test
    )


def _out_of_memory(error: Exception, config: RunConfig) -> Exception:
    """A message with the remedy if `error` is about memory, else `error` itself."""
    if not is_out_of_memory(error):
        return error
    size = config.training.batch_size if config.training else config.evaluation.batch_size
    return SeqrecError(
        f"out of memory ({str(error).splitlines()[0] if str(error) else 'host'}). Lower "
        f"training.batch_size (it is {size}) or evaluation.batch_size (it is "
        f"{config.evaluation.batch_size}), or use a device with more memory."
    )


def _out_of_disk(error: OSError, folder: Path) -> Exception:
    """A message with the remedy if `error` is about space, else `error` itself."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    return SeqrecError(
        f"{folder}: {error.strerror}. Free some disk space, then run again; "
        "nothing that was there is lost."
    )


def _resume_key(config: RunConfig, interactions: Interactions, engine: Engine) -> str:
    """What a sidecar must have been made by, for a training to go on from it."""
    parts = [config.hash(), interactions.digest, training_code_fingerprint()]
    if own := model_code(config.implementation):
        parts.append(own)
    options = (engine.precision, engine.logits_per_chunk, engine.compile, engine.device.type)
    return " ".join([*parts, *map(str, options)])


def _as_begun(
    engine: Engine, config: RunConfig, interactions: Interactions, folder: Path
) -> Engine:
    """The engine with the precision in which the training in `folder` was begun, if it was.

    The nodes of a cluster may differ in what is the faster one.
    """
    begun = Sidecar(folder).key_of_newest()
    for precision in get_args(Precision):
        other = replace(engine, precision=precision)
        if _resume_key(config, interactions, other) == begun:
            return other
    return engine

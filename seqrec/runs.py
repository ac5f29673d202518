"""One run, from its configuration to its record: the only place where the parts meet."""

import errno
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import torch
import yaml
from safetensors.torch import save
from torch import Tensor

import seqrec
from seqrec.contract import check_network, checked_state, fitted_scorer, is_own, own_code
from seqrec.engine import (
    AUTOMATIC,
    Engine,
    EngineOptions,
    Precision,
    choose_engine,
    device_title,
    hand_back_freed_memory,
    is_out_of_memory,
    keep_freed_memory,
    use_onednn,
)
from seqrec.errors import SeqrecError
from seqrec.evaluation import (
    ScoreUsers,
    item_counts,
    network_scorer,
    rank_users,
    rank_users_sampled,
    seen_pairs,
)
from seqrec.experiment import RunConfig, import_model
from seqrec.files import replacing, write_text
from seqrec.interactions import Interactions
from seqrec.lease import Place, alone_in, place_on_device
from seqrec.metrics import metrics_from_ranks
from seqrec.models.fitted import Fitted
from seqrec.models.network import Network
from seqrec.progress import under_way
from seqrec.records import (
    model_code,
    training_code_fingerprint,
    write_failure,
    write_record,
)
from seqrec.sidecar import Sidecar, Stopped, stop_signals
from seqrec.splits import Split, Splits, leave_one_out
from seqrec.training import metric_cutoffs, train


class Outcome(NamedTuple):
    """What a trained or fitted model leaves for its record."""

    history: list[dict[str, Any]]
    best_epoch: int | None
    training_seconds: float
    weights: dict[str, Tensor]
    validation_score: ScoreUsers
    test_score: ScoreUsers


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
        own_code(config.implementation, "while it is run"),
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
    if isinstance(model, Network) and is_own(config.implementation):
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
        outcome = _fit(model, splits, config)

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
        metrics["test_sampled"] = _sampled_metrics(outcome.test_score, splits, config, cutoffs)
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


def build_model(config: RunConfig, num_items: int) -> Network | Fitted:
    """An instance of the configured implementation, its weights drawn from torch's seed."""
    model_class = import_model(config.implementation)
    wanted = Network if config.loss else Fitted
    if not issubclass(model_class, wanted):
        raise SeqrecError(
            f"implementation {config.implementation!r}: an entry "
            f"{'with' if config.loss else 'without'} a loss must be a subclass of "
            f"{wanted.__module__}.{wanted.__name__}."
        )
    with own_code(config.implementation, "while it is built", all_of_it=True):
        model: Network | Fitted = model_class(
            num_items, config.max_length, **config.hyperparameters
        )
    return model


def provenance(engine: Engine, config: RunConfig) -> dict[str, Any]:
    """By what and on what a run is made."""
    job = {key.lower(): os.environ[key] for key in ("SLURM_JOB_ID",) if key in os.environ}
    return {
        "seqrec": {
            "version": seqrec.__version__,
            "commit": _commit(),
            "training_code": training_code_fingerprint(),
            "model_code": model_code(config.implementation),
        },
        "libraries": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "numpy", "implicit")},
        },
        "device": device_title(engine.device),
        "device_kind": engine.device.type,
        "threads": torch.get_num_threads(),
        "precision": engine.precision,
        "logits_per_chunk": engine.logits_per_chunk,
        "compile": engine.compile,
        "job": job or None,
    }


def peak_memory(device: torch.device) -> int:
    """Bytes: of the accelerator where there is one, else the process's resident memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(OSError):
        # getrusage would remember what the parent had when it started this process.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


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


def _fit(model: Fitted, splits: Splits, config: RunConfig) -> Outcome:
    validated = build_model(config, splits.test.num_items)
    if not isinstance(validated, Fitted):
        raise TypeError(f"{config.implementation} is not a fitted model")
    validated.fit(_histories(splits.validation), config.seed, torch.get_num_threads())
    histories = _histories(splits.test)
    start = time.perf_counter()
    model.fit(histories, config.seed, torch.get_num_threads())
    seconds = time.perf_counter() - start
    state = checked_state(model, config)
    validation, test = (
        fitted_scorer(one, config, splits.test.num_items) for one in (validated, model)
    )
    return Outcome([], None, seconds, state, validation, test)


def _histories(split: Split) -> Split:
    """A copy of `split` in which its targets are nowhere: what is fitted by code of anybody's must
    not reach them."""
    users = np.arange(split.num_users)
    items = seen_pairs(split, users)[1].astype(np.int32)
    offsets = np.concatenate(([0], np.cumsum(split.lengths(users))))
    return Split(items, offsets, 0, split.num_items)


def _sampled_metrics(
    score: ScoreUsers, splits: Splits, config: RunConfig, cutoffs: list[int]
) -> dict[str, dict[str, float]]:
    """Metrics against sampled items, uniform and by popularity in the train part."""
    negatives = config.evaluation.sampled_negatives
    if negatives is None:
        raise ValueError("no sampled metrics were asked for")
    counts = item_counts(splits.train)[1:]
    found: dict[str, dict[str, float]] = {}
    for name, weights in (("uniform", np.ones(len(counts))), ("popularity", counts)):
        # A key of its own keeps these draws apart from those of training.
        rng = np.random.default_rng([config.seed, negatives, len(found)])
        with torch.inference_mode():
            ranks = rank_users_sampled(
                score, splits.test, weights, negatives, config.evaluation.batch_size, rng
            )
        found[name] = metrics_from_ranks(ranks, cutoffs)
    return found


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


def _commit() -> str | None:
    """The checkout's commit, marked `-dirty` where files differ from it; None outside of git."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()

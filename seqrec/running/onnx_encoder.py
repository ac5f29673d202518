"""The encoder of a network as an ONNX file, for a service that has no torch."""

import copy
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor, nn

from seqrec.errors import SeqrecError
from seqrec.models.network import Network
from seqrec.running.recommend import Recommender
from seqrec.wording import shortened

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
COMPARED = 32
"""Histories on which onnxruntime has to give the states that torch gives."""
TOLERANCE = 1e-4
"""Largest difference that counts as equal, relative to the largest state."""


def onnx_encoder(recommender: Recommender) -> bytes:
    """Return an ONNX file that turns histories into the vectors of users, as `user_vectors` does.

    Its input `histories`, int64 `[batch, time]`, holds numbers of items: from 1 in the order of
    `item_vectors`, oldest first, padded with 0 on the right. Its output `states` is float32
    `[batch, width]`. There may be any number of histories, each of 1 to `longest_history` items.

    onnxruntime has computed the states of histories of the run's own log before it is returned.
    Raises `SeqrecError` for a model that is no network or reads times, if torch cannot export the
    network, if onnxruntime computes other states, and if one of `PACKAGES` is missing.
    """
    name, network = recommender.config.model, recommender.model
    if not isinstance(network, Network):
        raise SeqrecError(f"{name}: is no network, so it has no encoder. Export without --onnx.")
    if network.task.times is not None:
        raise SeqrecError(
            f"{name}: reads when interactions happened, and an ONNX encoder is given items alone. "
            "Export without --onnx."
        )
    if missing := [package for package in PACKAGES if find_spec(package) is None]:
        raise SeqrecError(
            f"--onnx: needs {', '.join(missing)}, which the extra 'onnx' of seqrec installs: "
            f"pip install {' '.join(missing)}"
        )
    encoder = _Encoder(copy.deepcopy(network).cpu().eval())
    histories = _histories(recommender)
    try:
        with _quietly():
            file = _exported(encoder, histories)
            parts = histories, histories[:1, :1]
            gap = np.max([_gap(encoder, file, part) for part in parts])
    except Exception as error:  # a custom network may do anything, and exporters raise anything
        raise SeqrecError(
            f"{name}: cannot be exported as ONNX ({_reason(error)}). Export without --onnx; "
            "the vectors of users are exported by --users or --all-users."
        ) from error
    if not gap <= TOLERANCE:
        raise SeqrecError(
            f"{name}: its ONNX file computes other states than torch (they differ by {gap:.1g} of "
            "the largest), so it is not kept. Export without --onnx."
        )
    return file


def longest_history(recommender: Recommender) -> int:
    """Return how many of a user's last items a network reads."""
    assert isinstance(recommender.model, Network)
    return recommender.model.task.prediction_window(recommender.config.max_length)


class _Encoder(nn.Module):
    """Histories to states; what a task adds to a history, such as a mask, is inside."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, histories: Tensor) -> Tensor:
        batch = self.network.task.prediction_batch(histories)
        return self.network.states_at(batch.inputs, batch.positions).float()


def _histories(recommender: Recommender) -> Tensor:
    """Take the histories of some users of the log, `[users, time]`."""
    log, window = recommender.log, longest_history(recommender)
    users = np.unique(np.linspace(0, log.num_users - 1, COMPARED).astype(int))
    histories = np.zeros((len(users), window), np.int64)
    for row, user in zip(histories, users, strict=True):
        last = log.history(user)[-window:]
        row[: len(last)] = last
    return torch.from_numpy(histories)


def _exported(encoder: _Encoder, histories: Tensor) -> bytes:
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    program = torch.onnx.export(
        encoder,
        (histories,),
        dynamo=True,
        dynamic_shapes=({0: "batch", 1: "time"},),
        input_names=["histories"],
        output_names=["states"],
        verbose=False,
    )
    assert program is not None
    # The exporter notes paths of this machine at every node.
    ClearMetadataAndDocStringPass()(program.model)
    return program.model_proto.SerializeToString()


def _gap(encoder: _Encoder, file: bytes, histories: Tensor) -> float:
    """Return the largest difference between the states of onnxruntime and of torch, relative to
    the largest state; infinite where their shapes differ."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised, too
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    (found,) = session.run(["states"], {"histories": histories.numpy()})
    with torch.inference_mode():
        expected = encoder(histories).numpy()
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep back what exporters tell of their attempts; what fails in the end is raised."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _reason(error: BaseException) -> str:
    """Return the first line of the innermost error, which says what the exporter stumbled over."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return shortened(lines[0] if lines else type(error).__name__)

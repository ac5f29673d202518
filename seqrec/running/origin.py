"""What identifies a training: it continues from a saved state only if all of this is the same.

The number of threads, the libraries and the model of processor are not part of it. A training may
continue with others, to a result that differs in its last bits; its record then names each piece.
"""

from collections.abc import Sequence
from typing import Any

import torch

from seqrec.data.interactions import Interactions
from seqrec.experiment.schema import RunConfig
from seqrec.experiment.settings import flat_settings
from seqrec.records.record import Provenance, TrainingPiece
from seqrec.running.device import product_name
from seqrec.running.provenance import library_versions
from seqrec.training.arithmetic import Engine
from seqrec.wording import quoted, shortened

Key = dict[str, Any]
"""Names and values of everything that identifies a training."""

DIGESTS = ("data", "training code of seqrec", "file of the model", "file of the loss")
"""Names in a key whose values mean nothing to a reader."""


def training_key(config: RunConfig, log: Interactions, code: Provenance, engine: Engine) -> Key:
    """Return all that decides how a training goes, which the evaluation at its end does not."""
    settings = config.model_dump(mode="json", exclude={"evaluation"})
    digests = (log.digest, code.training_code, code.model_code, code.loss_code)
    return {
        **flat_settings(settings),
        **dict(zip(DIGESTS, digests, strict=True)),
        "precision": engine.precision,
        "logits per chunk": engine.logits_per_chunk,
        "compile": engine.compile,
        "kind of device": engine.device.type,
    }


def differences(begun: Key, now: Key) -> str:
    """List what has changed since a training was begun."""
    changed = [name for name in {**begun, **now} if begun.get(name) != now.get(name)]
    return shortened(
        ", ".join(
            f"other {name}"
            if name in DIGESTS
            else f"{name} {quoted(begun.get(name))} (now {quoted(now.get(name))})"
            for name in changed
        )
    )


def piece_from(first_epoch: int, engine: Engine) -> TrainingPiece:
    """Describe the piece of a training that begins here and now."""
    return TrainingPiece(
        first_epoch=first_epoch,
        threads=torch.get_num_threads(),
        device=product_name(engine.device),
        libraries=library_versions(),
    )


def with_piece(pieces: Sequence[TrainingPiece], piece: TrainingPiece) -> list[TrainingPiece]:
    """Append a piece, unless it computes with the same things as the last one."""
    return [*pieces] if pieces and not changes(pieces[-1], piece) else [*pieces, piece]


def changes(before: TrainingPiece, after: TrainingPiece) -> str:
    """List in what two pieces of a training differ."""
    return differences(_made_with(before), _made_with(after))


def _made_with(piece: TrainingPiece) -> Key:
    return {"threads": piece.threads, "device": piece.device, **piece.libraries}

"""Save and load the state of an unfinished training.

The files lie beside the run's record and are removed once it is written. Each is whole or absent,
and the last but one is kept too, so that a damaged file costs an epoch and not the run. A state
belongs to one training, which its key names. Any other training ignores it, since continuing from
it would give the result of neither.
"""

import hashlib
import io
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import click
import torch

from seqrec.errors import SeqrecError
from seqrec.files import open_regular, replacing
from seqrec.layout import RunFiles
from seqrec.records.record import TrainingPiece
from seqrec.running.origin import Key, differences
from seqrec.signals import handling
from seqrec.training.loop import Trainer

STOPPED_EXIT_CODE = 75
"""Exit code of a training that was told to stop and can go on (EX_TEMPFAIL of sysexits.h)."""


class SavedState(NamedTuple):
    """What a resume file holds."""

    key: Key
    """The key of the training that the state belongs to."""
    state: dict[str, Any]
    """A snapshot of the trainer."""
    runs_sharing_device: int
    """The most runs seen on the device, over all pieces of the training."""
    pieces: list[TrainingPiece]
    """The pieces of the training so far, as far as they differ."""
    refit: dict[str, Any] | None = None
    """A snapshot of the trainer that trains anew on train and validation, if it has begun."""


class ResumeFiles:
    """The two newest states of a training in a run's folder."""

    def __init__(self, folder: Path) -> None:
        files = RunFiles(folder)
        self.current, self.previous = files.resume, files.previous_resume

    def save(self, saved: SavedState) -> None:
        """Write a state in one step; it holds tensors, numbers, strings and containers of them."""
        buffer = io.BytesIO()
        pieces = [piece.model_dump() for piece in saved.pieces]
        torch.save(saved._asdict() | {"pieces": pieces}, buffer)
        content = buffer.getvalue()
        with replacing(self.current) as part:
            part.write_bytes(hashlib.sha256(content).digest() + content)
            if self.current.exists():
                self.current.replace(self.previous)

    def load(self, key: Key) -> SavedState | None:
        """Return the newest whole state of the training with this key, if there is one.

        Says on the terminal why a file is not used.
        """
        told = False
        for path in (self.current, self.previous):
            saved = _read(path, tell=True)
            if saved and saved.key == key:
                return saved
            if saved and not told:
                told = True
                click.echo(
                    f"{path}: not used, and the training starts anew: it was begun with "
                    f"{differences(saved.key, key)}.",
                    err=True,
                )
        return None

    def newest(self) -> SavedState | None:
        """Return the newest whole state, whatever training it belongs to."""
        return _read(self.current) or _read(self.previous)

    def remove(self) -> None:
        """Remove the states of a training that is done."""
        self.current.unlink(missing_ok=True)
        self.previous.unlink(missing_ok=True)


def _read(path: Path, tell: bool = False) -> SavedState | None:
    """Read a whole state, onto the host; None where there is no file, or a damaged one."""
    try:
        with open_regular(path) as file:
            digest, kind = file.read(32), file.peek(2)[:2]
            # What torch saves is a zip archive; anything else is not read, however large it is.
            content = file.read() if kind == b"PK" else b""
    except FileNotFoundError:
        return None
    except SeqrecError:
        content = digest = b""
    try:
        if hashlib.sha256(content).digest() != digest:
            raise ValueError("not what was written")
        # weights_only: a file in a results folder must not be able to run code.
        saved = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if "pieces" not in saved or not isinstance(saved["key"], dict):
            if tell:
                click.echo(f"{path}: written by an earlier version of seqrec, not used.", err=True)
            return None
        pieces = [TrainingPiece.model_validate(piece) for piece in saved["pieces"]]
        if not pieces:
            raise ValueError("nothing says by what it was trained")
        return SavedState(**saved | {"pieces": pieces})
    except (ValueError, UnpicklingError, RuntimeError, EOFError, LookupError, TypeError):
        if tell:
            click.echo(f"{path}: damaged, not used.", err=True)
        return None


@contextmanager
def stopped_by_signals(trainer: Trainer) -> Iterator[None]:
    """Tell `trainer` to stop on SIGTERM, SIGINT, SIGUSR1 or SIGHUP while the block runs."""

    def stop(*_: object) -> None:
        trainer.stop_requested = True

    with handling(stop, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        yield

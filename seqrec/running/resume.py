"""The resume sidecar: the state of an unfinished training beside its record, gone once it is done.

A sidecar is whole or absent. The one before the last is kept too, so that a damaged file costs an
epoch and not the run. It belongs to one configuration, data, training code, precision and kind of
device: under any other key it is ignored, since going on from it would give neither's result.
"""

import hashlib
import io
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import click
import torch

from seqrec.files import replacing
from seqrec.signals import handling

STOPPED_EXIT_CODE = 75
"""Exit code of a training that was told to stop and can go on (EX_TEMPFAIL of sysexits.h)."""


class Stopped(Exception):
    """A training was told to stop by a signal; its sidecar holds all it needs to go on."""


class Sidecar:
    """The two newest states of a training in `folder`, for the training with this `key`."""

    def __init__(self, folder: Path, key: str = "") -> None:
        self.current = folder / "resume.pt"
        self.previous = folder / "resume.previous.pt"
        self.key = key
        self.runs_sharing_device = 1
        """The most, over all pieces of the training."""

    def key_of_newest(self) -> str | None:
        """The key of the newest whole state, whatever training it is of; None where none is."""
        found = self._saved(torch.device("cpu"), lambda words: None)
        return next((saved["key"] for _, saved in found), None)

    def save(self, state: dict[str, Any]) -> None:
        """Write `state` (tensors, numbers, strings and containers of them) in one step."""
        buffer = io.BytesIO()
        sharing = self.runs_sharing_device
        torch.save({"key": self.key, "state": state, "runs_sharing_device": sharing}, buffer)
        content = buffer.getvalue()
        with replacing(self.current) as part:
            part.write_bytes(hashlib.sha256(content).digest() + content)
            if self.current.exists():
                self.current.replace(self.previous)

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """The newest whole state of this training, or None; says why one is not used."""

        def tell(words: str) -> None:
            click.echo(words, err=True)

        for path, saved in self._saved(device, tell):
            if saved["key"] == self.key:
                self.runs_sharing_device = saved["runs_sharing_device"]
                return saved["state"]
            tell(f"{path}: of another configuration, data, code or device; not used.")
        return None

    def _saved(
        self, device: torch.device, tell: Callable[[str], None]
    ) -> Iterator[tuple[Path, dict[str, Any]]]:
        """What whole files hold, the newest first; tells of each that is damaged."""
        for path in (self.current, self.previous):
            try:
                found = path.read_bytes()
            except FileNotFoundError:
                continue
            digest, content = found[:32], found[32:]
            try:
                if hashlib.sha256(content).digest() != digest:
                    raise ValueError("not what was written")
                # weights_only: a file in a results folder must not be able to run code.
                saved = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
                saved = {name: saved[name] for name in ("key", "state", "runs_sharing_device")}
            except (ValueError, UnpicklingError, RuntimeError, EOFError, LookupError, TypeError):
                tell(f"{path}: damaged, not used.")
                continue
            yield path, saved

    def remove(self) -> None:
        """The training is done."""
        self.current.unlink(missing_ok=True)
        self.previous.unlink(missing_ok=True)


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether SIGTERM, SIGINT, SIGUSR1 or SIGHUP has come since."""
    received: list[int] = []
    numbers = signal.SIGTERM, signal.SIGINT, signal.SIGUSR1
    with handling(lambda number, frame: received.append(number), *numbers):
        yield lambda: bool(received)

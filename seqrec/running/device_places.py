"""Hold a place on a device, so that runs share a machine's GPUs without a scheduler."""

import itertools
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import click
from filelock import FileLock, Timeout

from seqrec.errors import SeqrecError

DEVICE_RETRY_SECONDS = 0.25
"""How often a waiting process looks for a free place."""


class Place:
    """A place on a device, and the most runs that were ever seen on that device."""

    def __init__(self, device: str, folder: Path) -> None:
        self.device = device
        """`cpu`, or the name of a GPU as CUDA_VISIBLE_DEVICES takes it."""
        self.most_runs = 1
        """The most runs of this user seen on the device at once, this one included."""
        self._folder = folder

    def look(self) -> int:
        """Count the runs on the device now, and return the highest count so far."""
        with _gate(self._folder):
            self.most_runs = max(self.most_runs, _runs_on(self.device, self._folder))
        return self.most_runs


@contextmanager
def place_on_device(name: str, runs_per_gpu: int | None) -> Iterator[Place]:
    """Hold a place on the device called `name`: auto, cpu, cuda or cuda:<number>.

    If neither `name` nor a scheduler has chosen one GPU, the place is on the GPU with the fewest
    runs; with `runs_per_gpu`, waits until one has fewer. CUDA_VISIBLE_DEVICES then names that GPU
    alone for the rest of the process, so CUDA must not be in use yet. On any other device a place
    is free at once and only counted. GPUs are numbered as by nvidia-smi, for CUDA too.
    """
    # CUDA's own order differs on a machine with several kinds of GPU.
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    kind, _, number = name.partition(":")
    gpus = visible_gpus() if kind in ("auto", "cuda") else []
    may_choose = False
    if not gpus:
        devices = ["cpu"]
    elif number.isdigit():
        devices = gpus[int(number) :][:1] or ["cpu"]
    else:
        devices = gpus
        may_choose = "SLURM_JOB_ID" not in os.environ or len(gpus) > 1
    with place_on(devices, runs_per_gpu if may_choose else None) as place:
        if may_choose:
            os.environ["CUDA_VISIBLE_DEVICES"] = place.device
        yield place


@contextmanager
def place_on(devices: Sequence[str], places: int | None) -> Iterator[Place]:
    """Hold a place on the one of `devices` with the fewest runs.

    Each has as many `places`, or any number if None. While all are taken, says so once and waits.
    """
    folder = _lock_folder()
    has_told = False
    while (taken := _take(devices, places, folder)) is None:
        if not has_told:
            click.echo(f"every place on {', '.join(devices)} is taken; waiting.", err=True)
            has_told = True
        time.sleep(DEVICE_RETRY_SECONDS)
    device, lock = taken
    place = Place(device, folder)
    try:
        place.look()
        yield place
    finally:
        lock.release()


def visible_gpus() -> list[str]:
    """List the GPUs that this process may use, by names that CUDA_VISIBLE_DEVICES takes.

    Asks CUDA_VISIBLE_DEVICES or the driver, and leaves CUDA alone. Numbers become the driver's
    names, so that processes agree on a GPU whether they were given its number or its name.
    """
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None and not given.strip():
        return []
    known = _driver_gpus()
    if given is None:
        return known

    def valid(name: str) -> bool:
        number = int(name) if name.isdigit() else None
        return bool(name) and name[0] != "-" and not (known and number and number >= len(known))

    # CUDA ignores an invalid number and all that follows it.
    names = list(itertools.takewhile(valid, map(str.strip, given.split(","))))
    return [known[int(name)] if known and name.isdigit() else name for name in names]


def _driver_gpus() -> list[str]:
    """List UUIDs in nvidia-smi's order: of GPUs, or of the MIG devices into which one is split."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    found: list[str] = []
    for uuid in re.findall(r"UUID: ([^)]+)\)", listed):
        if uuid.startswith("MIG") and found and found[-1].startswith("GPU"):
            found.pop()
        found.append(uuid)
    return found


def _lock_folder() -> Path:
    """Return the folder of this user's locks on this machine; creates it if needed."""
    folder = Path(tempfile.gettempdir(), f"seqrec-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise SeqrecError(f"{folder}: belongs to another user. Set TMPDIR to another folder.")
    except OSError as error:
        raise SeqrecError(
            f"{folder}: cannot be created ({error.strerror}). Set TMPDIR to another folder."
        ) from error
    return folder


def _gate(folder: Path) -> FileLock:
    """Return the lock to hold while counting or taking places: counting briefly takes free ones."""
    return FileLock(folder / "gate.lock", poll_interval=0.01)


def _take(devices: Sequence[str], places: int | None, folder: Path) -> tuple[str, FileLock] | None:
    """Take a place on the device with the fewest runs; None if all are taken."""
    with _gate(folder):
        for device in sorted(devices, key=lambda device: _runs_on(device, folder)):
            for number in itertools.count() if places is None else range(places):
                lock = FileLock(folder / f"{quote(device, safe='')}.{number}.lock")
                if _acquired(lock):
                    return device, lock
    return None


def _runs_on(device: str, folder: Path) -> int:
    """Count the places on `device` that living processes hold."""
    runs = 0
    for path in folder.glob(f"{quote(device, safe='')}.*.lock"):
        lock = FileLock(path)
        if _acquired(lock):
            lock.release()
        else:
            runs += 1
    return runs


def _acquired(lock: FileLock) -> bool:
    """Take `lock` if it is free, and tell whether it was."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True

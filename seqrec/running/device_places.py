"""Places on the devices of a machine: trainings share them without a scheduler."""

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

POLL_SECONDS = 0.25
"""How soon a place that becomes free is taken by a process that waits for one."""


class Place:
    """A place on a device, and how many runs were seen on it."""

    def __init__(self, device: str, folder: Path) -> None:
        self.device = device
        """`cpu`, or a GPU by a name that CUDA_VISIBLE_DEVICES takes."""
        self.most_runs = 1
        """The most runs of this user that were on the device, this one included, at any look."""
        self._folder = folder

    def look(self) -> int:
        """Count the runs on the device now; returns the most so far."""
        with _gate(self._folder):
            self.most_runs = max(self.most_runs, _runs_on(self.device, self._folder))
        return self.most_runs


@contextmanager
def place_on_device(name: str, runs_per_gpu: int) -> Iterator[Place]:
    """Hold a place on the device that `name` means: auto, cpu, cuda or cuda:<number>.

    Where no number is given and no scheduler has chosen one GPU, it is on that with the fewest
    runs, of which each takes `runs_per_gpu` at a time; CUDA_VISIBLE_DEVICES then names that GPU
    alone, for the rest of the process, so CUDA must not be in use yet. Anything else is only
    counted. Numbers are those of nvidia-smi, for CUDA too.
    """
    # CUDA's own order is another on a machine with GPUs of several kinds.
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    kind, _, number = name.partition(":")
    gpus = visible_gpus() if kind in ("auto", "cuda") else []
    if not gpus:
        devices, places = ["cpu"], None
    elif number.isdigit():
        devices, places = gpus[int(number) :][:1] or ["cpu"], None
    elif "SLURM_JOB_ID" in os.environ and len(gpus) == 1:
        devices, places = gpus, None
    else:
        devices, places = gpus, runs_per_gpu
    with place_on(devices, places) as place:
        if places is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = place.device
        yield place


@contextmanager
def place_on(devices: Sequence[str], places: int | None) -> Iterator[Place]:
    """Hold one of `places` (None: any number) on that of `devices` with the fewest runs.

    Waits, with one message, while all places are taken.
    """
    folder = _lock_folder()
    told = False
    while (taken := _take(devices, places, folder)) is None:
        if not told:
            click.echo(f"all {places} places on {', '.join(devices)} are taken; waiting.", err=True)
            told = True
        time.sleep(POLL_SECONDS)
    device, lock = taken
    place = Place(device, folder)
    try:
        place.look()
        yield place
    finally:
        lock.release()


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, by names that CUDA_VISIBLE_DEVICES takes.

    From CUDA_VISIBLE_DEVICES or the driver, without touching CUDA. A number becomes the driver's
    name for it, so that processes that were told otherwise mean the same device.
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

    # As CUDA reads it: an invalid number and what follows it do not count.
    names = list(itertools.takewhile(valid, map(str.strip, given.split(","))))
    return [known[int(name)] if known and name.isdigit() else name for name in names]


def _driver_gpus() -> list[str]:
    """The UUIDs of GPUs, or of the MIG devices that one is split into, in nvidia-smi's order."""
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
    """A folder of this user on this machine."""
    folder = Path(tempfile.gettempdir(), f"seqrec-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise SeqrecError(f"{folder}: belongs to somebody else. Set TMPDIR to another folder.")
    except OSError as error:
        raise SeqrecError(
            f"{folder}: cannot be made ({error.strerror}). Set TMPDIR to another folder."
        ) from error
    return folder


def _gate(folder: Path) -> FileLock:
    """Held while places are counted or taken: counting takes free ones for a moment."""
    return FileLock(folder / "gate.lock", poll_interval=0.01)


def _take(devices: Sequence[str], places: int | None, folder: Path) -> tuple[str, FileLock] | None:
    """A place on the device with the fewest runs, or None where all are taken."""
    with _gate(folder):
        for device in sorted(devices, key=lambda device: _runs_on(device, folder)):
            for number in itertools.count() if places is None else range(places):
                lock = FileLock(folder / f"{quote(device, safe='')}.{number}.lock")
                if _acquired(lock):
                    return device, lock
    return None


def _runs_on(device: str, folder: Path) -> int:
    runs = 0
    for path in folder.glob(f"{quote(device, safe='')}.*.lock"):
        lock = FileLock(path)
        if _acquired(lock):
            lock.release()
        else:
            runs += 1
    return runs


def _acquired(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True

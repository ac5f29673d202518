"""A disk of a few kilobytes: a file system in memory, mounted for the length of a test."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Disk:
    """A mounted file system of a given size in bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, free: int) -> Path:
        """Leave so many bytes of it free (to a page); the file to remove to have them back."""
        found = os.statvfs(self.folder)
        filler = self.folder / "filler"
        filler.write_bytes(bytes(max(0, found.f_bavail * found.f_bsize - free)))
        return filler

    def grow(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", self.folder], check=True)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Disk]:
    """Mount a disk of `size` bytes at `folder`."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("mounting a small disk takes root")
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)

"""Why a record cannot be used: damaged, unreadable or of a later format."""

import os
from pathlib import Path

from seqrec.errors import SeqrecError


class UnusableRecord(SeqrecError):
    """A record that cannot be used, for a `problem` and with the remedy of its kind."""

    def __init__(self, folder: Path, problem: str) -> None:
        self.problem = problem
        super().__init__(f"{problem} {self.remedy(folder)}")

    @staticmethod
    def remedy(folder: Path) -> str:
        """Say what to do about the record in `folder`."""
        raise NotImplementedError


class DamagedRecord(UnusableRecord):
    """A record whose files are not what a run has written."""

    @staticmethod
    def remedy(folder: Path) -> str:
        return f"Delete {folder} and run the experiment again."


class UnreadableRecord(UnusableRecord):
    """A record that the operating system does not let us read; it may be whole."""

    @classmethod
    def of(cls, folder: Path, path: Path, error: OSError) -> "UnreadableRecord":
        """Say which file of the record cannot be read, and why."""
        why = error.strerror or os.strerror(error.errno or 0)
        return cls(folder, f"{path}: cannot be read ({why}).")

    @staticmethod
    def remedy(folder: Path) -> str:
        return f"Make {folder} and its files readable, then try again."


class NewerRecord(UnusableRecord):
    """A record of a later format, whole for all that we know."""

    @staticmethod
    def remedy(folder: Path) -> str:
        return f"Update seqrec to read {folder}; until then it is left as it is."

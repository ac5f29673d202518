"""What the adapters share. It runs in each library's own environment, and needs numpy alone.

An adapter is called as `PYTHON ADAPTER FOLDER EPOCHS THREADS`. It trains a SASRec as near to
`SETTINGS` as its library allows, and writes the best unseen items of every user.
"""

import json
import os
import sys
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

HISTORIES, LISTS = "histories.npz", "lists.npy"
SETTINGS: dict[str, Any] = {
    "max_length": 200,
    "width": 64,
    "blocks": 2,
    "heads": 1,
    "dropout": 0.1,
    "batch_size": 128,
    "learning_rate": 1e-3,
    "seed": 0,
}
LIST_LENGTH = 10


class Task(NamedTuple):
    """What an adapter is given."""

    folder: Path
    epochs: int
    threads: int
    output: IO[str]
    items: np.ndarray
    """int32 `[interactions]`: item numbers from 1, one user after another, in order of time. Every
    number up to the highest occurs."""
    offsets: np.ndarray
    """int64 `[users + 1]`: the last item of a user is the validation target, those before it are
    for training, and the test target is asked for after all of them."""

    @classmethod
    def given(cls) -> "Task":
        """Read the task that the command line names.

        What libraries print goes to standard error from then on: standard output is for `finish`.
        """
        output = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        folder, epochs, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
        with np.load(folder / HISTORIES) as arrays:
            return cls(folder, epochs, threads, output, arrays["items"], arrays["offsets"])

    @property
    def users(self) -> int:
        return len(self.offsets) - 1

    @property
    def num_items(self) -> int:
        return int(self.items.max())

    def history(self, user: int) -> np.ndarray:
        return self.items[self.offsets[user] : self.offsets[user + 1]]

    def lines(self) -> tuple[np.ndarray, np.ndarray]:
        """Return whose each interaction is, and its place in the history, int64 `[interactions]`
        each."""
        lengths = np.diff(self.offsets)
        return (
            np.repeat(np.arange(self.users), lengths),
            np.arange(len(self.items)) - np.repeat(self.offsets[:-1], lengths),
        )

    def is_trained(self) -> np.ndarray:
        """Mark what is for training, bool `[interactions]`."""
        kept = np.ones(len(self.items), bool)
        kept[self.offsets[1:] - 1] = False
        return kept

    def best_unseen(self, users: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return the items with the highest scores that are in no history, `[users, list]`.

        `scores` are `[users, items]`; column i is item i + 1. They are overwritten.
        """
        for row, user in enumerate(users):
            scores[row, self.history(user) - 1] = -np.inf
        best = np.argpartition(-scores, LIST_LENGTH, axis=1)[:, :LIST_LENGTH]
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")
        return np.take_along_axis(best, order, 1) + 1

    def finish(self, lists: np.ndarray, epoch_seconds: list[float], version: str) -> None:
        """Write the lists `[users, list]` of items, and report how long each epoch took."""
        np.save(self.folder / LISTS, lists.astype(np.int32))
        found = {"phase": "trained", "epoch seconds": epoch_seconds, "version": version}
        print(json.dumps(found), file=self.output, flush=True)

"""Seconds of RecTools' SASRec training steps on a log; run by the Python of its own environment.

    RECTOOLS_PYTHON tests/benchmarks/rectools_steps.py DATA MAX_LENGTH THREADS cpu|gpu

Needs `pip install 'rectools[torch]'` there, and nothing of this project.
"""

import json
import sys
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

WARM_UP, STEPS = 2, 8


class Clock(Callback):
    """Notes how long each step takes, in the class: RecTools copies its trainer."""

    seconds: ClassVar[list[float]] = []
    since = 0.0

    def on_train_batch_start(self, *arguments: object) -> None:
        Clock.since = time.perf_counter()

    def on_train_batch_end(self, *arguments: object) -> None:
        Clock.seconds.append(time.perf_counter() - Clock.since)


def main() -> None:
    folder, max_length, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    accelerator = sys.argv[4]
    torch.set_num_threads(threads)
    items, offsets = np.load(folder / "items.npy"), np.load(folder / "offsets.npy")
    lengths = np.diff(offsets)
    users = np.repeat(np.arange(len(lengths)), lengths)
    order = np.arange(len(items)) - np.repeat(offsets[:-1], lengths)
    # The train part: all but each user's last two.
    kept = order < np.repeat(lengths, lengths) - 2
    interactions = pd.DataFrame(
        {
            Columns.User: users[kept],
            Columns.Item: items[kept],
            Columns.Weight: 1.0,
            Columns.Datetime: pd.Timestamp("2000-01-01") + pd.to_timedelta(order[kept], "s"),
        }
    )

    def trainer() -> Trainer:
        return Trainer(
            max_steps=WARM_UP + STEPS,
            accelerator=accelerator,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[Clock()],
        )

    model = SASRecModel(
        n_blocks=2,
        n_heads=1,
        n_factors=64,
        session_max_len=max_length,
        dropout_rate=0.1,
        loss="softmax",
        lr=1e-3,
        batch_size=128,
        epochs=1,
        get_trainer_func=trainer,
    )
    model.fit(Dataset.construct(interactions))
    print(json.dumps(Clock.seconds[WARM_UP:]))


if __name__ == "__main__":
    main()

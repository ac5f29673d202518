"""SASRec of RecTools; run by the Python of its own environment."""

import time
from importlib.metadata import version
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from adapter import LIST_LENGTH, SETTINGS, Task
from pytorch_lightning import Callback, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


class Clock(Callback):
    """Notes how long each epoch takes, in the class: RecTools copies its trainer."""

    seconds: ClassVar[list[float]] = []
    since = 0.0

    def on_train_epoch_start(self, *arguments: object) -> None:
        Clock.since = time.perf_counter()

    def on_train_epoch_end(self, *arguments: object) -> None:
        Clock.seconds.append(time.perf_counter() - Clock.since)


def main() -> None:
    task = Task.given()
    torch.set_num_threads(task.threads)
    seed_everything(SETTINGS["seed"])
    users, places = task.lines()
    lines = pd.DataFrame(
        {
            Columns.User: users,
            Columns.Item: task.items,
            Columns.Weight: 1.0,
            Columns.Datetime: pd.Timestamp("2000-01-01") + pd.to_timedelta(places, "s"),
        }
    )
    trained = Dataset.construct(lines[task.is_trained()])

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=task.epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[Clock()],
        )

    model = SASRecModel(
        n_blocks=SETTINGS["blocks"],
        n_heads=SETTINGS["heads"],
        n_factors=SETTINGS["width"],
        session_max_len=SETTINGS["max_length"],
        dropout_rate=SETTINGS["dropout"],
        loss="softmax",
        lr=SETTINGS["learning_rate"],
        batch_size=SETTINGS["batch_size"],
        get_trainer_func=trainer,
    )
    model.fit(trained)

    def best(dataset: Dataset) -> pd.DataFrame:
        asked = np.arange(task.users)
        return model.recommend(
            users=asked,
            dataset=dataset,
            k=LIST_LENGTH,
            filter_viewed=True,
            on_unsupported_targets="ignore",
        )

    # Its own validation computes a loss; full ranking is what `recommend` does.
    start = time.perf_counter()
    best(trained)
    evaluation = time.perf_counter() - start
    found = best(Dataset.construct(lines))
    lists = np.zeros((task.users, LIST_LENGTH), np.int32)
    lists[found[Columns.User], found[Columns.Rank] - 1] = found[Columns.Item]
    task.finish(lists, [one + evaluation for one in Clock.seconds], version("rectools"))


if __name__ == "__main__":
    main()

"""SASRec of RePlay; run by the Python of its own environment."""

import time
from importlib.metadata import version

import lightning
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from adapter import LIST_LENGTH, SETTINGS, Task
from replay.data import FeatureHint, FeatureSource, FeatureType
from replay.data.nn import ParquetModule, TensorFeatureInfo, TensorFeatureSource, TensorSchema
from replay.nn.lightning import LightningModule
from replay.nn.lightning.callback import ComputeMetricsCallback, TorchTopItemsCallback
from replay.nn.lightning.optimizer import OptimizerFactory
from replay.nn.lightning.postprocessor import SeenItemsFilter
from replay.nn.sequential import SasRec
from replay.nn.transform.template import make_default_sasrec_transforms

ABSENT = -1
SCORED_AT_ONCE = 256


class Clock(lightning.Callback):
    """Notes how long each epoch takes, its validation included."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.since = 0.0

    def on_train_epoch_start(self, *arguments: object) -> None:
        self.since = time.perf_counter()

    def on_train_epoch_end(self, *arguments: object) -> None:
        self.seconds.append(time.perf_counter() - self.since)


def write(task: Task, name: str, held_out: int) -> str:
    """Write the histories without their last items, which are the targets; return the path."""
    histories = [task.history(user).astype(np.int64) - 1 for user in range(task.users)]
    known = [history[: len(history) - held_out] for history in histories]
    targets = [history[len(history) - held_out :] for history in histories]
    table = pa.table(
        {
            "user_id": pa.array(range(task.users), pa.int64()),
            "item_id": pa.array(known),
            "seen_ids": pa.array(known),
            "ground_truth": pa.array(targets, pa.list_(pa.int64())),
        }
    )
    path = task.folder / f"{name}.parquet"
    pq.write_table(table, path)
    return str(path)


def main() -> None:
    task = Task.given()
    torch.set_num_threads(task.threads)
    lightning.seed_everything(SETTINGS["seed"])
    length, items = SETTINGS["max_length"], task.num_items
    longest = int(np.diff(task.offsets).max())
    schema = TensorSchema(
        [
            TensorFeatureInfo(
                "item_id",
                is_seq=True,
                feature_type=FeatureType.CATEGORICAL,
                embedding_dim=SETTINGS["width"],
                padding_value=items,
                cardinality=items,
                feature_hint=FeatureHint.ITEM_ID,
                feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")],
            )
        ]
    )
    asked = {
        "user_id": {},
        "item_id": {"shape": length, "padding": items},
        "seen_ids": {"shape": longest, "padding": ABSENT},
        "ground_truth": {"shape": 1, "padding": ABSENT},
    }
    data = ParquetModule(
        batch_size={
            "train": SETTINGS["batch_size"],
            "validate": SCORED_AT_ONCE,
            "predict": SCORED_AT_ONCE,
        },
        metadata={
            "train": {"item_id": {"shape": length + 1, "padding": items}},
            "validate": asked,
            "predict": asked,
        },
        transforms=make_default_sasrec_transforms(schema),
        train_path=write(task, "train", held_out=1),
        validate_path=write(task, "validate", held_out=1),
        predict_path=write(task, "predict", held_out=0),
    )
    model = LightningModule(
        SasRec.from_params(
            schema,
            embedding_dim=SETTINGS["width"],
            num_heads=SETTINGS["heads"],
            num_blocks=SETTINGS["blocks"],
            max_sequence_length=length,
            dropout=SETTINGS["dropout"],
        ),
        optimizer_factory=OptimizerFactory(
            learning_rate=SETTINGS["learning_rate"], betas=(0.9, 0.999)
        ),
    )
    clock, seen = Clock(), SeenItemsFilter(items)
    best = TorchTopItemsCallback(LIST_LENGTH, "user_id", postprocessors=[seen])
    trainer = lightning.Trainer(
        max_epochs=task.epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[
            clock,
            ComputeMetricsCallback(["ndcg"], [LIST_LENGTH], [SeenItemsFilter(items)]),
            best,
        ],
    )
    trainer.fit(model, data)
    trainer.predict(model, data, return_predictions=False)
    users, found, _ = best.get_result()
    lists = np.zeros((task.users, LIST_LENGTH), np.int32)
    lists[users.numpy().ravel()] = found.numpy() + 1
    task.finish(lists, clock.seconds, version("replay-rec"))


if __name__ == "__main__":
    main()

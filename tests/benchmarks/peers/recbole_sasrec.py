"""SASRec of RecBole; run by the Python of its own environment."""

import logging
import time
from importlib.metadata import version

import numpy as np
import torch
from adapter import LIST_LENGTH, SETTINGS, Task
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.sequential_recommender import SASRec
from recbole.trainer import Trainer
from recbole.utils import init_seed
from recbole.utils.case_study import full_sort_scores

SCORED_AT_ONCE = 256


def write(task: Task) -> None:
    """Write what RecBole calls atomic files: every history, and an item after it.

    RecBole takes the last item of a user for the test target. That item is a copy, since the real
    one is nowhere here; the item before it is the validation target.
    """
    folder = task.folder / "peers"
    folder.mkdir(exist_ok=True)
    with (folder / "peers.inter").open("w") as file:
        file.write("user_id:token\titem_id:token\ttimestamp:float\n")
        for user in range(task.users):
            history = task.history(user)
            for place, item in enumerate([*history, history[-1]]):
                file.write(f"{user}\t{item}\t{place}\n")


def main() -> None:
    task = Task.given()
    write(task)
    settings = {
        "data_path": str(task.folder),
        "checkpoint_dir": str(task.folder),
        "USER_ID_FIELD": "user_id",
        "ITEM_ID_FIELD": "item_id",
        "TIME_FIELD": "timestamp",
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "MAX_ITEM_LIST_LENGTH": SETTINGS["max_length"],
        "n_layers": SETTINGS["blocks"],
        "n_heads": SETTINGS["heads"],
        "hidden_size": SETTINGS["width"],
        "inner_size": SETTINGS["width"],
        "hidden_act": "relu",
        "hidden_dropout_prob": SETTINGS["dropout"],
        "attn_dropout_prob": SETTINGS["dropout"],
        "loss_type": "CE",
        "train_neg_sample_args": None,
        "train_batch_size": SETTINGS["batch_size"],
        "eval_batch_size": SCORED_AT_ONCE,
        "learning_rate": SETTINGS["learning_rate"],
        "epochs": task.epochs,
        "eval_args": {
            "split": {"LS": "valid_and_test"},
            "group_by": "user",
            "order": "TO",
            "mode": "full",
        },
        "metrics": ["NDCG"],
        "topk": [LIST_LENGTH],
        "valid_metric": f"NDCG@{LIST_LENGTH}",
        "seed": SETTINGS["seed"],
        "use_gpu": False,
        "show_progress": False,
    }
    config = Config(model="SASRec", dataset="peers", config_dict=settings)
    logging.disable()
    torch.set_num_threads(task.threads)
    init_seed(config["seed"], config["reproducibility"])
    dataset = create_dataset(config)
    training, validation, test = data_preparation(config, dataset)
    init_seed(config["seed"], config["reproducibility"])
    model = SASRec(config, training.dataset)
    epochs, since = [], time.perf_counter()

    def note(*_: object) -> None:
        nonlocal since
        epochs.append(time.perf_counter() - since)
        since = time.perf_counter()

    Trainer(config, model).fit(training, validation, saved=False, verbose=False, callback_fn=note)
    # Their numbers of users and items are their own.
    columns = dataset.token2id("item_id", [str(item) for item in range(1, task.num_items + 1)])
    lists = []
    for first in range(0, task.users, SCORED_AT_ONCE):
        users = np.arange(first, min(first + SCORED_AT_ONCE, task.users))
        asked = dataset.token2id("user_id", [str(user) for user in users])
        scores = full_sort_scores(asked, model, test)
        lists.append(task.best_unseen(users, scores.numpy()[:, columns]))
    task.finish(np.concatenate(lists), epochs, version("recbole"))


if __name__ == "__main__":
    main()

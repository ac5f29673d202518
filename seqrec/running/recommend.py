"""What a trained run recommends next, in the ids of its dataset.

    from seqrec.running.recommend import Recommender
    model = Recommender.load("results/demo/runs/demo/sasrec+/seed-0")
    model.recommend([12, 87, 3], k=10)

A run's folder holds the model and its configuration; the ids of items and users come from the
preprocessed log that it was trained on.
"""

import difflib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from seqrec.data.interactions import Interactions
from seqrec.errors import SeqrecError, is_out_of_memory
from seqrec.experiment.custom import custom_code
from seqrec.experiment.schema import RunConfig
from seqrec.models.fitted import Fitted
from seqrec.models.network import Network
from seqrec.protocol.ranking import ScoreUsers, checked_scores
from seqrec.protocol.splits import Split, seen_pairs
from seqrec.running.device import choose_device
from seqrec.training.building import build_model
from seqrec.training.fitting import fitted_scorer
from seqrec.training.scoring import network_scorer
from seqrec.typed_yaml import check_values, load_yaml

PROCESSED = Path("data/processed")


class Recommender:
    """A finished run with its weights, and the log whose ids it speaks in."""

    def __init__(
        self,
        config: RunConfig,
        model: Network | Fitted,
        log: Interactions,
        device: torch.device | None = None,
    ) -> None:
        self.config = config
        self.log = log
        self._model = model
        self._device = device or torch.device("cpu")
        self._items = pd.Index(log.item_ids())

    @classmethod
    def load(
        cls, run: Path | str, data: Path | str | None = None, device: str = "auto"
    ) -> "Recommender":
        """The model in the folder `run`; `data` is its log, by default `data/processed/<dataset>`.

        Raises `SeqrecError` if there is no finished run, no weights, or no such log.
        """
        folder = Path(run)
        try:
            metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
            trained_on = metrics["data"]["sha256"]
        except FileNotFoundError:
            raise SeqrecError(
                f"{folder}: holds no finished run. Name a run's folder, as "
                "results/<experiment>/runs/<dataset>/<model>/seed-<n>."
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SeqrecError(f"{folder}/metrics.json: cannot be read ({error}).") from None
        weights = folder / "model.safetensors"
        if not weights.is_file():
            raise SeqrecError(
                f"{weights}: the weights are not there; git and promoted records leave them out. "
                "Run the experiment to train the model here."
            )
        path = folder / "config.yaml"
        config = check_values(RunConfig, load_yaml(path), str(path))
        log = cls._log(config, Path(data) if data else PROCESSED / config.dataset, trained_on)
        place = choose_device(device)
        return cls(config, cls._weights(config, weights, log.num_items, place), log, place)

    @staticmethod
    def _log(config: RunConfig, folder: Path, trained_on: str) -> Interactions:
        if not (folder / "digest.json").is_file():
            raise SeqrecError(
                f"{folder}: no log there, which has the ids of {config.dataset}. Make it by "
                f"`seqrec download {config.dataset}` and `seqrec preprocess {config.dataset}`, or "
                "say where it is with --data."
            )
        log = Interactions.load(folder)
        if log.digest != trained_on:
            raise SeqrecError(
                f"{folder}: is another log than the run was trained on, so its item numbers mean "
                "other items. Say where the right one is with --data, or train again."
            )
        return log

    @staticmethod
    def _weights(
        config: RunConfig, path: Path, num_items: int, device: torch.device
    ) -> Network | Fitted:
        model = build_model(config, num_items)
        try:
            state = load_file(path)
            if isinstance(model, Fitted):
                model.restore(state)
                return model
            model.load_state_dict(state)
        except (OSError, SafetensorError, RuntimeError, AttributeError) as error:
            raise SeqrecError(
                f"{path}: does not hold the weights of {config.implementation} "
                f"({str(error).splitlines()[0]}). Train the run again."
            ) from None
        with _memory_told(device):
            return model.to(device).eval()

    def recommend(self, history: Sequence[Any], k: int = 10) -> pd.DataFrame:
        """The `k` items to come next after `history`, item ids in order of time.

        One line an item, the best first: `rank` from 1, `item`, `score`. Items of the history are
        not recommended again, so there may be fewer than `k`.
        """
        table = pd.DataFrame({"user": 0, "item": pd.Series(list(history), dtype=object)})
        if table.empty:
            raise SeqrecError("the history is empty; give at least one item.")
        return self.recommend_users(table, k, "history").drop(columns="user")

    def recommend_users(
        self, users: pd.DataFrame, k: int = 10, where: str = "users"
    ) -> pd.DataFrame:
        """The same for many users, as `user`, `rank`, `item` and `score`.

        `users` has a line for each interaction: `user`, `item`, and optionally `timestamp`, without
        which the order of lines is that of time. With a column `user` alone, these are users of
        the dataset, and their histories are those of its log. `where` names it in messages.
        """
        if "user" not in users.columns or len(users) == 0:
            found = f"columns {', '.join(map(str, users.columns))}" if len(users) else "no line"
            raise SeqrecError(
                f"{where}: must hold a column 'user', and 'item' unless they are users of the "
                f"dataset; it has {found}."
            )
        users = users.reset_index(drop=True)
        _refuse_gaps(users["user"], "user", where)
        if "item" in users.columns:
            ids, split = self._histories(users, where)
            numbers = np.arange(len(ids))
        elif len(users.columns) > 1:
            others = ", ".join(str(name) for name in users.columns if name != "user")
            raise SeqrecError(
                f"{where}: has no column 'item', which holds the histories, but {others}. Rename "
                "that, or give the column 'user' alone for users of the dataset."
            )
        else:
            each = users["user"].drop_duplicates()
            ids = pd.Index(each)
            numbers = self._numbers(each, pd.Index(self.log.user_ids()), "user", where)
            split = Split(self.log.items, self.log.offsets, 0, self.log.num_items)
        found_users, ranks, items, scores = self._best(split, numbers, k)
        return pd.DataFrame(
            {
                "user": ids[found_users],
                "rank": ranks,
                "item": self._items[items],
                "score": scores,
            }
        )

    def _histories(self, users: pd.DataFrame, where: str) -> tuple[pd.Index, Split]:
        if isinstance(self._model, Fitted) and self._model.by_user:
            raise SeqrecError(
                f"{self.config.model}: knows the users that it was fitted on, and cannot read the "
                "history of others. Give users of the dataset (a file with the column 'user' "
                "alone, for --users), or take a model that reads histories, such as sasrec+."
            )
        _refuse_gaps(users["item"], "item", where)
        if "timestamp" in users.columns:
            _refuse_gaps(users["timestamp"], "timestamp", where)
            try:
                times = _as_times(users["timestamp"])
            except (ValueError, TypeError):
                raise SeqrecError(
                    f"{where}: timestamp: write numbers, or dates as 2024-01-31 or "
                    "2024-01-31T12:00."
                ) from None
            _refuse_gaps(times, "timestamp", where)
            users = users.loc[times.sort_values(kind="stable").index]
        numbers = self._numbers(users["item"], self._items, "item", where) + 1
        codes, ids = pd.factorize(users["user"])
        order = np.argsort(codes, kind="stable")
        offsets = np.concatenate(([0], np.cumsum(np.bincount(codes))))
        items = numbers[order].astype(np.int32)
        return pd.Index(ids), Split(items, offsets, 0, self.log.num_items)

    def _numbers(
        self, ids: pd.Series | pd.Index, known: pd.Index, what: str, where: str
    ) -> np.ndarray:
        """Places of `ids` in `known`, as `[ids]`; an id that is not there is an error."""
        numeric = pd.api.types.is_integer_dtype(known.dtype)
        values = pd.Series(ids)
        sought = pd.to_numeric(values, errors="coerce") if numeric else values.astype(str)
        found = known.get_indexer(pd.Index(sought))
        if (unknown := np.flatnonzero(found < 0)).size:
            first = int(unknown[0])
            others = f" ({len(unknown) - 1} more like it)" if len(unknown) > 1 else ""
            raise SeqrecError(
                f"{where}: row {int(values.index[first]) + 1}: {what} {values.iloc[first]} is "
                f"not among the {len(known):,} {what}s of {self.config.dataset} after its filter"
                f"{_nearest(sought.iloc[first], known, numeric)}{others}."
            )
        return found

    def _best(
        self, split: Split, users: np.ndarray, k: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Place of the user in `users`, rank, place of the item and score of all that is found."""
        score = self._scorer(split)
        size = self.config.evaluation.batch_size
        parts = []
        doing = custom_code(self.config.implementation, "while it recommends")
        with torch.inference_mode(), _memory_told(self._device), doing:
            for first in range(0, len(users), size):
                batch = users[first : first + size]
                values, items = self._top(score(batch), split, batch, k)
                row, column = np.nonzero(np.isfinite(values))
                parts.append((row + first, column + 1, items[row, column], values[row, column]))
        joined = (np.concatenate(column) for column in zip(*parts, strict=True))
        return tuple(joined)  # type: ignore[return-value]

    def _scorer(self, split: Split) -> ScoreUsers:
        if isinstance(self._model, Fitted):
            return fitted_scorer(self._model, self.config, self.log.num_items)
        return network_scorer(self._model, split, self.config.max_length, self._device)

    @staticmethod
    def _top(
        scores: Tensor, split: Split, users: np.ndarray, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores and places `[users, k]` of the best unseen items; what was seen scores -inf."""
        scores = checked_scores(scores)
        row, item = seen_pairs(split, users)
        scores[torch.from_numpy(row), torch.from_numpy(item - 1)] = -torch.inf
        values, items = scores.topk(min(k, scores.shape[1]), dim=1)
        return values.cpu().numpy(), items.cpu().numpy()


@contextmanager
def _memory_told(device: torch.device) -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        remedy = "free some" if device.type == "cpu" else "--device cpu uses the host's instead"
        raise SeqrecError(f"out of memory on {device}; {remedy}.") from None


def _refuse_gaps(values: pd.Series, column: str, where: str) -> None:
    if (gaps := np.flatnonzero(values.isna() | (values == ""))).size:
        row = int(values.index[gaps[0]]) + 1
        others = f" ({gaps.size - 1} more like it)" if gaps.size > 1 else ""
        raise SeqrecError(f"{where}: row {row}: no {column}{others}.")


def _as_times(values: pd.Series) -> pd.Series:
    try:
        return pd.to_numeric(values)
    except (ValueError, TypeError):
        return pd.to_datetime(values, format="ISO8601", utc=True)


def _nearest(value: Any, known: pd.Index, numeric: bool) -> str:
    if numeric:
        if pd.isna(value):
            return f"; they are whole numbers from {known.min()} to {known.max()}"
        # What is far away would wrap around in numpy's whole numbers.
        near = min(max(value, int(known.min())), int(known.max()))
        return f"; the nearest is {known[np.abs(known.to_numpy() - near).argmin()]}"
    close = difflib.get_close_matches(value, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; an example is {known[0]!r}"

"""Recommend what comes next with a trained model, in the ids of its dataset.

    from seqrec.running.recommend import Recommender
    model = Recommender.load("results/demo/runs/demo/sasrec+/seed-0")
    model.recommend([12, 87, 3], k=10)

A run's folder holds the model and its configuration; the ids of items and users come from the
preprocessed log on which it was trained.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from seqrec.data.interactions import Interactions
from seqrec.data.sequences import Sequences
from seqrec.errors import SeqrecError
from seqrec.experiment.custom import custom_code
from seqrec.experiment.schema import RunConfig
from seqrec.layout import RunFiles
from seqrec.models.fitted import Fitted
from seqrec.models.network import Network
from seqrec.models.tasks import Times
from seqrec.protocol.ranking import ScoreUsers, require_finite
from seqrec.protocol.splits import Split
from seqrec.running.histories import Ids, histories_of, texts_of
from seqrec.running.loading import load, reporting_out_of_memory
from seqrec.running.options import Seen
from seqrec.training.fitting import fitted_scorer
from seqrec.training.scoring import network_scorer
from seqrec.wording import quoted, shortened


class Recommender:
    """The trained model of a run, with the log whose ids it reads and returns."""

    def __init__(
        self,
        config: RunConfig,
        model: Network | Fitted,
        log: Interactions,
        device: torch.device | None = None,
    ) -> None:
        self.config = config
        self.log = log
        self.model = model
        self.device = device or torch.device("cpu")
        self._items = Ids("item", log.item_ids(), config.dataset)

    @classmethod
    def load(
        cls,
        run: Path | str,
        data: Path | str | None = None,
        device: str = "auto",
        trust: bool = False,
    ) -> "Recommender":
        """Load the model in the folder `run`; its log is in `data`, or `data/processed/<dataset>`.

        A record may name any module as its model, and to import it is to run it. One that is no
        built-in model is imported only with `trust`, or if an entry of `config/models/` names it.

        Raises `SeqrecError` for a model that is not trusted, if there is no finished run, if its
        weights are missing or damaged, or if configuration, weights or log are not those that the
        record is of.
        """
        loaded = load(RunFiles(Path(run)), Path(data) if data else None, device, trust)
        return cls(*loaded)

    def recommend(
        self,
        history: Sequence[Any],
        k: int = 10,
        *,
        only: Sequence[Any] | None = None,
        without: Sequence[Any] = (),
        seen: Seen | None = None,
        strict: bool = False,
    ) -> pd.DataFrame:
        """Recommend the `k` items to come next after `history`, a user's item ids, oldest first.

        Returns one row per item, the best first: `rank` from 1, `item`, `score`. There may be fewer
        than `k`. The options are those of `recommend_users`.
        Raises `SeqrecError` for a history without a known item, and a `k` below 1.
        """
        table = pd.DataFrame({"user": 0, "item": _listed(history, "history")})
        if table.empty:
            raise SeqrecError("the history is empty; give at least one item.")
        found = self.recommend_users(
            table, k, "history", only=only, without=without, seen=seen, strict=strict
        )
        return found.drop(columns="user")

    def recommend_users(
        self,
        users: pd.DataFrame,
        k: int = 10,
        where: str = "users",
        *,
        only: Sequence[Any] | None = None,
        without: Sequence[Any] = (),
        seen: Seen | None = None,
        strict: bool = False,
    ) -> pd.DataFrame:
        """Recommend the `k` items to come next for each of many users.

        `users` has one row per interaction: `user`, `item`, and optionally `timestamp`, without
        which the order of rows is that of time. With the column `user` alone, they are users of
        the dataset, and the log has their histories. `where` names the table in messages.

        Nothing but the items `only` is recommended, and none of the items `without`. Items of the
        user's own history are left out with `seen="drop"`, and may come again with `seen="keep"`;
        by default it is as in the evaluation of the run. Items that the dataset does not have are
        skipped with a warning, `SkippedIds`, or refused if `strict`.

        Returns `user`, `rank`, `item` and `score`, ids in the way that the dataset has them.
        Raises `SeqrecError` for a table without these columns, gaps in it, unknown users, no known
        item in it or in `only`, and a `k` below 1.
        """
        if k < 1:
            raise SeqrecError(f"k is {k}; ask for at least 1 item for each user.")
        excluded = self._excluded(only, without, strict)
        ids, log, places = self.histories(users, where, strict)
        split = Split.whole(log, keeps_seen=(seen or self.config.split.seen) == "keep")
        found_users, ranks, items, scores = self._best(split, places, k, excluded)
        return pd.DataFrame(
            {
                "user": ids[found_users],
                "rank": ranks,
                "item": self._items.index[items],
                "score": scores,
            }
        )

    def histories(
        self, users: pd.DataFrame, where: str = "users", strict: bool = False
    ) -> tuple[pd.Index, Sequences, np.ndarray]:
        """Find the histories of the users in a table, as `recommend_users` reads it.

        Returns the users' ids, sequences that hold their histories, and the places of the users
        among these sequences, `[users]`.
        """
        users = _checked_table(users, where)
        if "item" in users.columns:
            self._require_reader_of_histories()
            ids, log = histories_of(users, self._items, where, strict)
            return ids, log, np.arange(len(ids))
        known = Ids("user", self.log.user_ids(), self.config.dataset)
        places = known.places(users["user"].drop_duplicates(), where)
        return known.index[places], self.log, places

    def _excluded(
        self, only: Sequence[Any] | None, without: Sequence[Any], strict: bool
    ) -> np.ndarray:
        """Find the places of items that may not be recommended."""

        def places(ids: Sequence[Any], where: str, at_least_one: bool) -> np.ndarray:
            texts = texts_of(_listed(ids, where), "item", where)
            return self._items.known(texts, where, strict, at_least_one)[0]

        excluded = np.full(self.log.num_items, only is not None)
        if only is not None:
            excluded[places(only, "only", at_least_one=True)] = False
        if len(without):
            excluded[places(without, "without", at_least_one=False)] = True
        return np.flatnonzero(excluded)

    def _require_reader_of_histories(self) -> None:
        if isinstance(self.model, Fitted) and self.model.by_user:
            raise SeqrecError(
                f"{self.config.model}: knows only the users that it was fitted on, and cannot read "
                "the history of others. Give users of the dataset (a file with the column 'user' "
                "alone, for --users), or take a model that reads histories, such as sasrec+."
            )

    def _best(
        self, split: Split, users: np.ndarray, k: int, excluded: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Find the best items of `users`, which are places in `split`, apart from the `excluded`.

        Returns four arrays `[recommendations]`: place in `users`, rank, place of the item, score.
        """
        score = self.scorer(split)
        size = self.config.evaluation.batch_size
        parts = []
        doing = custom_code(self.config.implementation, "while it recommends")
        with torch.inference_mode(), reporting_out_of_memory(self.device), doing:
            for first in range(0, len(users), size):
                batch = users[first : first + size]
                values, items = _top(score(batch), split, batch, k, excluded)
                row, column = np.nonzero(np.isfinite(values))
                parts.append((row + first, column + 1, items[row, column], values[row, column]))
        joined = (np.concatenate(column) for column in zip(*parts, strict=True))
        return tuple(joined)  # type: ignore[return-value]

    def _require_known_times(self, told: Times | None, split: Split) -> None:
        if told == "target":
            raise SeqrecError(
                f"{self.config.model}: is told when the next interaction happens, which nobody "
                "knows beforehand, so it cannot recommend. Take a model that is not told."
            )
        if told is not None and split.times is None:
            raise SeqrecError(
                f"{self.config.model}: reads when interactions happened, and these histories have "
                "no times: those of a table only order its lines. Give users of the dataset (a "
                "file with the column 'user' alone, for --users), or take a model that reads items "
                "alone."
            )

    def scorer(self, split: Split) -> ScoreUsers:
        """Return what scores the users of `split` from their histories.

        Raises `SeqrecError` for a network that reads times which are not known.
        """
        if isinstance(self.model, Fitted):
            return fitted_scorer(self.model, self.config, split)
        self._require_known_times(self.model.task.times, split)
        return network_scorer(self.model, split, self.config.max_length, self.device)


def _checked_table(users: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the table with its rows numbered and its ids as texts, if its columns make sense."""
    if (twice := users.columns[users.columns.duplicated()]).size:
        raise SeqrecError(f"{where}: has two columns {quoted(twice[0])}. Rename or remove one.")
    if "user" not in users.columns or len(users) == 0:
        names = shortened(", ".join(map(str, users.columns)))
        found = f"columns {names}" if len(users) else "no line"
        raise SeqrecError(
            f"{where}: must have a column 'user', and 'item' unless they are users of the "
            f"dataset; it has {found}."
        )
    if "item" not in users.columns and len(users.columns) > 1:
        others = shortened(", ".join(str(name) for name in users.columns if name != "user"))
        raise SeqrecError(
            f"{where}: has no column 'item', which holds the histories, but {others}. Rename "
            "that, or give the column 'user' alone for users of the dataset."
        )
    users = users.reset_index(drop=True)
    columns: tuple[Literal["user", "item"], ...] = ("user", "item")
    return users.assign(
        **{name: texts_of(users[name], name, where) for name in columns if name in users.columns}
    )


def _listed(ids: Sequence[Any], where: str) -> pd.Series:
    """Return ids as a series; a single text is not meant as a list of its letters."""
    if isinstance(ids, str | bytes) or not isinstance(
        ids, Sequence | np.ndarray | pd.Series | pd.Index
    ):
        raise SeqrecError(
            f"{where}: {quoted(ids)} is not a list; write [{quoted(ids)}] for one item."
        )
    return pd.Series(list(ids), dtype=object)


def _top(
    scores: Tensor, split: Split, users: np.ndarray, k: int, excluded: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the scores and places `[users, k]` of the best items; others have the score -inf."""
    scores = require_finite(scores)
    row, item = split.unranked_pairs(users)
    scores[torch.from_numpy(row), torch.from_numpy(item - 1)] = -torch.inf
    scores[:, torch.from_numpy(excluded)] = -torch.inf
    values, items = scores.topk(min(k, scores.shape[1]), dim=1)
    return values.cpu().numpy(), items.cpu().numpy()

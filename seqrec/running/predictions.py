"""Read what another library predicts: for each row of a split a list of items, by original ids.

A mistake is one message that names the file, the row, the value and what to do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from seqrec.data.interactions import Interactions
from seqrec.data.sequences import Sequences
from seqrec.errors import SeqrecError
from seqrec.protocol.ranking import ScoreUsers
from seqrec.protocol.splits import USERS_AT_ONCE, Split
from seqrec.running.histories import Ids, texts_of
from seqrec.running.user_tables import read_table
from seqrec.wording import and_more, counted, quoted, shortened

At = Callable[[int], str]
"""Says where one of the sorted lines of a file stands, and what it says."""

COLUMNS = ("user", "item", "score", "rank", "target")
"""The columns that a file of predictions may have."""


@dataclass(frozen=True)
class Lists:
    """The items that a model predicts for the rows of a split, the best first."""

    items: Split
    """The list of each row as its history."""
    levels: np.ndarray
    """int64 `[lines]`: how many items of its list each equals or follows, itself included."""
    complete: np.ndarray
    """bool `[rows]`: whether a list holds all items that are ranked for the row."""

    @property
    def lengths(self) -> np.ndarray:
        """Count the items of each list, int64 `[rows]`."""
        return self.items.ends - self.items.starts

    @property
    def length(self) -> int | None:
        """Items of the longest list that does not hold all; None if each does."""
        return None if self.complete.all() else int(self.lengths[~self.complete].max())

    @property
    def shorter(self) -> int:
        """Number of lists that are shorter than the longest, without holding all items."""
        return int((self.lengths < (self.length or 0))[~self.complete].sum())

    def scorer(self) -> ScoreUsers:
        """Return what scores the items of each row: as listed, and all others below these."""
        num_items = self.items.num_items

        def score(rows: np.ndarray) -> Tensor:
            # Levels are whole numbers, exact in float32, and keep what is equal equal.
            scores = torch.full((len(rows), num_items), -(num_items + 1.0))
            row, item = self.items.pairs(rows)
            level = torch.from_numpy(self.levels[self.items.indices(rows)])
            scores[torch.from_numpy(row), torch.from_numpy(item - 1)] = -level.float()
            return scores

        return score

    def hold(self, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Tell which of some items are in the lists of these rows, bool `[items]`."""
        width, every = self.items.num_items + 1, np.arange(self.items.num_users)
        listed_row, listed = self.items.pairs(every)
        return np.isin(row * width + item, listed_row * width + listed)


def read_lists(path: Path, log: Interactions, split: Split, dataset: str) -> Lists:
    """Read the predictions in a CSV or Parquet file for all rows of a split.

    The file has the columns `user` and `item`, original ids, and `score` or `rank` or both. Where a
    user has several rows in the split, `target` says which one a line is for, from 1. Users of the
    dataset whom the split does not have are ignored. Raises `SeqrecError` for anything else: ids
    that the dataset does not have, numbers that are none, an item twice in a list, seen items
    where these are not ranked, and rows without a list.
    """
    where, table = str(path), _checked(read_table(path, COLUMNS), str(path))
    users, items = Ids("user", log.user_ids(), dataset), Ids("item", log.item_ids(), dataset)
    user, item = _places(table["user"], users, where), _places(table["item"], items, where) + 1
    numbers = {name: _numbers(table[name], where) for name in COLUMNS[2:] if name in table}
    worse = -numbers["score"] if "score" in numbers else numbers["rank"]
    rank = numbers.get("rank", worse)
    row, kept = _rows(numbers.get("target"), user, users, split, where)
    line = np.flatnonzero(kept)
    line = line[np.lexsort((rank[line], worse[line], row[line]))]
    row, item, worse, rank = (values[line] for values in (row, item, worse, rank))

    def at(place: int) -> str:
        """Say where one of the sorted lines stands, and what it says."""
        known = users.index[split.users_of(row[place : place + 1])[0]]
        number = int(line[place]) + 1
        return f"{where}: row {number}: item {items.index[item[place] - 1]} of user {known}"

    _require_sorted_ranks(row, worse, rank, at)
    _require_each_once(row * (log.num_items + 1) + item, at)
    _require_unseen(row, item, split, at)
    counts = np.bincount(row, minlength=split.num_users)
    _require_all_rows(counts, split, users, where)
    offsets = np.concatenate(([0], np.cumsum(counts)))
    lists = Split.whole(Sequences(item.astype(np.int32), offsets, log.num_items))
    return Lists(lists, _levels(row, worse) - offsets[row], counts == _ranked(split))


def _checked(table: pd.DataFrame, where: str) -> pd.DataFrame:
    if (twice := table.columns[table.columns.duplicated()]).size:
        raise SeqrecError(f"{where}: has two columns {quoted(twice[0])}. Rename or remove one.")
    names = set(table.columns)
    if not {"user", "item"} <= names or not {"score", "rank"} & names or table.empty:
        listed = shortened(", ".join(map(str, table.columns)))
        found = "no line" if table.empty else f"the columns {listed}. Rename or add some"
        raise SeqrecError(
            f"{where}: must have the columns 'user', 'item', and 'score' or 'rank'; it has {found}."
        )
    return table.reset_index(drop=True)


def _places(ids: pd.Series, known: Ids, where: str) -> np.ndarray:
    """Find the places of ids, int64 `[lines]`; each id is looked up once, as there are millions."""
    codes, distinct = pd.factorize(ids, use_na_sentinel=False)
    first = np.empty(len(distinct), np.int64)
    first[codes[::-1]] = np.arange(len(ids))[::-1]
    texts = texts_of(pd.Series(distinct, index=first, dtype=object), known.kind, where)
    return known.places(texts, where)[codes]


def _numbers(values: pd.Series, where: str) -> np.ndarray:
    """Read a column as finite numbers, float64 `[lines]`."""
    found = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    if (wrong := np.flatnonzero(~np.isfinite(found))).size:
        first = int(wrong[0])
        raise SeqrecError(
            f"{where}: row {first + 1}: {values.name} {quoted(values.iloc[first])} is not a finite "
            f"number{and_more(wrong.size)}. Give one for each item, or leave the item out."
        )
    # To read texts by themselves is exact in the last bit.
    return values.to_numpy().astype(np.float64)


def _rows(
    target: np.ndarray | None, user: np.ndarray, users: Ids, split: Split, where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Find the row of the split that each line is for, int64 `[lines]`, and which lines have one.

    Raises `SeqrecError` for a target that a user does not have.
    """
    of_rows = split.users_of(np.arange(split.num_users))
    first, end = (np.searchsorted(of_rows, user, side) for side in ("left", "right"))
    target = np.ones(len(user)) if target is None else target
    tested = end > first
    wrong = tested & ~((target >= 1) & (target <= end - first) & (target % 1 == 0))
    if (places := np.flatnonzero(wrong)).size:
        at = int(places[0])
        has = counted(int(end[at] - first[at]), "target")
        raise SeqrecError(
            f"{where}: row {at + 1}: target {target[at]:g} of user "
            f"{users.index[user[at]]}, who has {has}, counted from 1{and_more(places.size)}. "
            "`seqrec split --write` numbers them."
        )
    return first + target.astype(np.int64) - 1, tested


def _require_sorted_ranks(row: np.ndarray, worse: np.ndarray, rank: np.ndarray, at: At) -> None:
    """Raise `SeqrecError` if the ranks of a list contradict its scores."""
    contradicts = (np.diff(row) == 0) & (np.diff(worse) > 0) & (np.diff(rank) < 0)
    if (places := np.flatnonzero(contradicts)).size:
        raise SeqrecError(
            f"{at(int(places[0]) + 1)} has a better rank than an item with a higher score"
            f"{and_more(places.size)}. Higher scores must be better: turn them round, or leave out "
            "the column 'score' or 'rank'."
        )


def _require_each_once(keys: np.ndarray, at: At) -> None:
    order = np.argsort(keys, kind="stable")
    again = order[1:][keys[order][1:] == keys[order][:-1]]
    if again.size:
        raise SeqrecError(
            f"{at(int(again[0]))} is listed twice{and_more(again.size)}. List each item once; "
            "where a user has several targets, the column 'target' says which one a line is for."
        )


def _require_unseen(row: np.ndarray, item: np.ndarray, split: Split, at: At) -> None:
    """Raise `SeqrecError` for items that the user has met, where these are not ranked."""
    width = split.num_items + 1
    for first in range(0, split.num_users, USERS_AT_ONCE):
        rows = np.arange(first, min(first + USERS_AT_ONCE, split.num_users))
        begin, end = np.searchsorted(row, (rows[0], rows[-1] + 1))
        seen_row, seen = split.unranked_pairs(rows)
        keys = (row[begin:end] - first) * width + item[begin:end]
        if (met := np.flatnonzero(np.isin(keys, seen_row * width + seen))).size:
            raise SeqrecError(
                f"{at(int(begin + met[0]))} is in this user's history, and seen items are not "
                f"ranked{and_more(met.size)}. Leave seen items out, or score with split.seen=keep "
                "if users come back to items."
            )


def _require_all_rows(counts: np.ndarray, split: Split, users: Ids, where: str) -> None:
    if (missing := np.flatnonzero(counts == 0)).size:
        of_rows = split.users_of(np.arange(split.num_users))
        user = of_rows[missing[0]]
        number = int(missing[0] - np.searchsorted(of_rows, user)) + 1
        several = len(np.unique(of_rows)) < len(of_rows)
        raise SeqrecError(
            f"{where}: lacks {missing.size:,} of {counted(split.num_users, 'list')}: none for user "
            f"{users.index[user]}{f', target {number}' if several else ''}. Predict for all users "
            "in the file that `seqrec split --write` makes"
            + (", and give the column 'target' as there." if several else ".")
        )


def _levels(row: np.ndarray, worse: np.ndarray) -> np.ndarray:
    """Return the place after the last line with the row and the value of each, int64 `[lines]`."""
    changes = (np.diff(row) != 0) | (np.diff(worse) != 0)
    ends = np.append(np.flatnonzero(changes) + 1, len(row))
    return np.repeat(ends, np.diff(ends, prepend=0))


def _ranked(split: Split) -> np.ndarray:
    """Count the items that are ranked for each row, int64 `[rows]`."""
    width, counts = split.num_items + 1, []
    for first in range(0, split.num_users, USERS_AT_ONCE):
        rows = np.arange(first, min(first + USERS_AT_ONCE, split.num_users))
        row, item = split.unranked_pairs(rows)
        seen = np.unique(row * width + item) // width
        counts.append(split.num_items - np.bincount(seen, minlength=len(rows)))
    return np.concatenate(counts)

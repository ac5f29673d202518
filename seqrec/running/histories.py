"""Turn tables of users into histories of item numbers; every mistake is told with its row."""

import difflib
from typing import Any, Literal

import numpy as np
import pandas as pd

from seqrec.errors import SeqrecError
from seqrec.protocol.splits import Split


class Ids:
    """The original ids of a dataset's items or users, in the order of their numbers."""

    def __init__(self, kind: Literal["item", "user"], ids: np.ndarray, dataset: str) -> None:
        self.kind = kind
        self.index = pd.Index(ids)
        self.dataset = dataset

    def places(self, values: pd.Series, where: str) -> np.ndarray:
        """Find the places of `values` among the ids, from 0, as `[values]`.

        Raises `SeqrecError` for an id that is not among them; `where` names the table.
        """
        sought = pd.to_numeric(values, errors="coerce") if self._numeric else values.astype(str)
        found = self.index.get_indexer(pd.Index(sought))
        if (unknown := np.flatnonzero(found < 0)).size:
            first = int(unknown[0])
            raise SeqrecError(
                f"{where}: row {int(values.index[first]) + 1}: {self.kind} {values.iloc[first]} is "
                f"not among the {len(self.index):,} {self.kind}s of {self.dataset} after its filter"
                f"{self._hint(sought.iloc[first])}{_more(len(unknown))}."
            )
        return found

    @property
    def _numeric(self) -> bool:
        return pd.api.types.is_integer_dtype(self.index.dtype)

    def _hint(self, value: Any) -> str:
        """Suggest a known id in place of `value`."""
        known = self.index
        if self._numeric:
            if pd.isna(value):
                return f"; they are whole numbers from {known.min()} to {known.max()}"
            # A number far away would overflow numpy's integers.
            near = min(max(value, int(known.min())), int(known.max()))
            return f"; the nearest is {known[np.abs(known.to_numpy() - near).argmin()]}"
        close = difflib.get_close_matches(value, known, n=1)
        return f"; did you mean {close[0]!r}?" if close else f"; an example is {known[0]!r}"


def histories_of(table: pd.DataFrame, items: Ids, where: str) -> tuple[pd.Index, Split]:
    """Read the users and their histories from a table of interactions.

    `table` has the columns `user` and `item`, and maybe `timestamp`, without which the order of its
    rows is that of time. Raises `SeqrecError` for gaps, unknown items and unreadable times; `where`
    names the table.
    """
    require_filled(table["item"], "item", where)
    if "timestamp" in table.columns:
        require_filled(table["timestamp"], "timestamp", where)
        try:
            times = _as_times(table["timestamp"])
        except (ValueError, TypeError):
            raise SeqrecError(
                f"{where}: timestamp: write numbers, or dates as 2024-01-31 or 2024-01-31T12:00."
            ) from None
        require_filled(times, "timestamp", where)
        table = table.loc[times.sort_values(kind="stable").index]
    numbers = items.places(table["item"], where) + 1
    codes, users = pd.factorize(table["user"])
    by_user = np.argsort(codes, kind="stable")
    offsets = np.concatenate(([0], np.cumsum(np.bincount(codes))))
    histories = numbers[by_user].astype(np.int32)
    return pd.Index(users), Split(histories, offsets, 0, len(items.index))


def require_filled(values: pd.Series, column: str, where: str) -> None:
    """Raise `SeqrecError` if a value of the column is missing."""
    if (gaps := np.flatnonzero(values.isna() | (values == ""))).size:
        row = int(values.index[gaps[0]]) + 1
        raise SeqrecError(f"{where}: row {row}: no {column}{_more(gaps.size)}.")


def _as_times(values: pd.Series) -> pd.Series:
    try:
        return pd.to_numeric(values)
    except (ValueError, TypeError):
        return pd.to_datetime(values, format="ISO8601", utc=True)


def _more(count: int) -> str:
    return f" ({count - 1} more like it)" if count > 1 else ""

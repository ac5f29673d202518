"""Turn tables of users into histories of item numbers; mistakes are reported with their rows."""

import difflib
import numbers
import re
import warnings
from typing import Literal

import numpy as np
import pandas as pd

from seqrec.data.parsing import CANONICAL_INTEGER
from seqrec.data.sequences import Sequences
from seqrec.errors import SeqrecError
from seqrec.wording import LONGEST_QUOTE, and_more, counted, quoted, shortened


class SkippedIds(UserWarning):
    """Some ids are not those of the dataset, and are left out."""


class Ids:
    """The original ids of a dataset's items or users, in the order of their numbers."""

    def __init__(self, kind: Literal["item", "user"], ids: np.ndarray, dataset: str) -> None:
        self.kind = kind
        self.index = pd.Index(ids)
        self.dataset = dataset

    def places(self, ids: pd.Series, where: str) -> np.ndarray:
        """Find the places of `ids`, which are texts, among the known ones; from 0, as `[ids]`.

        Raises `SeqrecError` for an id that is not among them; `where` names the table.
        """
        found = self._found(ids)
        if (unknown := np.flatnonzero(found < 0)).size:
            hint = self._hint(str(ids.iloc[int(unknown[0])])) + and_more(unknown.size)
            end = "" if hint.endswith("?") else "."
            raise SeqrecError(f"{self._unknown(ids, unknown, where)}{hint}{end}")
        return found

    def known(
        self, ids: pd.Series, where: str, strict: bool, at_least_one: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the places of the known among `ids`, and which of `ids` these are, bool `[ids]`.

        Warns of the others, `SkippedIds`. Raises `SeqrecError` as `places` does if none is known
        but `at_least_one` is needed, and with `strict`.
        """
        found = self._found(ids)
        known = found >= 0
        if strict or (at_least_one and not known.any()):
            return self.places(ids, where), known
        if (unknown := np.flatnonzero(~known)).size:
            warnings.warn(
                f"{self._unknown(ids, unknown, where)}; skipped{and_more(unknown.size)}.",
                SkippedIds,
                stacklevel=2,
            )
        return found[known], known

    def _found(self, ids: pd.Series) -> np.ndarray:
        codes, distinct = pd.factorize(ids)
        return self._places_of([str(text) for text in distinct])[codes]

    def _unknown(self, ids: pd.Series, unknown: np.ndarray, where: str) -> str:
        """Say that the first of the unknown ids is not known."""
        first = int(unknown[0])
        return (
            f"{where}: row {int(ids.index[first]) + 1}: {self.kind} "
            f"{shortened(str(ids.iloc[first]))} is not among the {len(self.index):,} "
            f"{self.kind}s of {self.dataset} after its filter"
        )

    def _places_of(self, texts: list[str]) -> np.ndarray:
        """Find the places of `texts`, -1 for an unknown id.

        A number counts only in the one way in which parsing reads it, so `07` is not 7.
        """
        if not self._numeric:
            return self.index.get_indexer(pd.Index(texts, dtype=object))
        found = np.full(len(texts), -1)
        number = np.array([bool(re.fullmatch(CANONICAL_INTEGER, text)) for text in texts], bool)
        values = np.array([int(texts[i]) for i in np.flatnonzero(number)], np.int64)
        found[number] = self.index.get_indexer(pd.Index(values))
        return found

    @property
    def _numeric(self) -> bool:
        return pd.api.types.is_integer_dtype(self.index.dtype)

    def _hint(self, text: str) -> str:
        """Suggest a known id in place of `text`."""
        known, words = self.index, text.split()
        if len(words) > 1 and (self._places_of(words) >= 0).all():
            return "; it reads like several ids in one place"
        if not self._numeric:
            close = difflib.get_close_matches(text[:LONGEST_QUOTE], known, n=1)
            return (
                f"; did you mean {quoted(close[0])}?"
                if close
                else f"; an example is {quoted(known[0])}"
            )
        if not re.fullmatch("0|-?[1-9][0-9]{0,99}", text):
            return (
                f"; they are whole numbers from {known.min()} to {known.max()}, written without "
                "a fraction, an exponent or zeros in front"
            )
        # A number far away would overflow numpy's integers.
        near = min(max(int(text), int(known.min())), int(known.max()))
        return f"; the nearest is {known[np.abs(known.to_numpy() - near).argmin()]}"


def texts_of(values: pd.Series, kind: Literal["item", "user"], where: str) -> pd.Series:
    """Return ids as texts, without the white space around them, which parsing drops as well.

    Raises `SeqrecError` for a gap, and for a value that is neither text nor a whole number: as a
    number with a fraction, an id of 17 digits is no longer the same id. `where` names the table.
    """
    values = values.astype(object)
    require_filled(values, kind, where)
    wrong = [not _is_id(value) for value in values]
    if (places := np.flatnonzero(wrong)).size:
        first = int(places[0])
        raise SeqrecError(
            f"{where}: row {int(values.index[first]) + 1}: {kind} {quoted(values.iloc[first])} is "
            f"neither text nor a whole number{and_more(places.size)}. Write ids as the dataset "
            "does."
        )
    return pd.Series([str(value).strip() for value in values], index=values.index, dtype=object)


def _is_id(value: object) -> bool:
    return isinstance(value, str | numbers.Integral) and not isinstance(value, bool)


def histories_of(
    table: pd.DataFrame, items: Ids, where: str, strict: bool
) -> tuple[pd.Index, Sequences]:
    """Read the users and their histories from a table of interactions.

    `table` has the columns `user` and `item`, ids as texts, and maybe `timestamp`, without which
    the order of its rows is that of time. Rows with unknown items are skipped, as `Ids.known` says,
    and users who have no other. Raises `SeqrecError` as it does, and for unreadable times; `where`
    names the table.
    """
    if "timestamp" in table.columns:
        times = _times(table["timestamp"], where)
        table = table.loc[times.sort_values(kind="stable").index]
    places, known = items.known(table["item"], where, strict)
    codes, users = pd.factorize(table["user"][known])
    by_user = np.argsort(codes, kind="stable")
    offsets = np.concatenate(([0], np.cumsum(np.bincount(codes))))
    histories = (places + 1)[by_user].astype(np.int32)
    if lost := table["user"].nunique() - len(users):
        warnings.warn(
            f"{where}: {counted(lost, 'user')} without a known item; nothing is recommended there.",
            SkippedIds,
            stacklevel=2,
        )
    return pd.Index(users), Sequences(histories, offsets, len(items.index))


def require_filled(values: pd.Series, column: str, where: str) -> None:
    """Raise `SeqrecError` if a value of the column is missing or blank."""
    blank = np.array([isinstance(value, str) and not value.strip() for value in values], bool)
    if (gaps := np.flatnonzero(values.isna() | blank)).size:
        row = int(values.index[gaps[0]]) + 1
        raise SeqrecError(f"{where}: row {row}: no {column}{and_more(gaps.size)}.")


def _times(values: pd.Series, where: str) -> pd.Series:
    """Read times as numbers or dates that can be sorted."""
    require_filled(values, "timestamp", where)
    try:
        try:
            times = pd.to_numeric(values)
        except (ValueError, TypeError):
            times = pd.to_datetime(values, format="ISO8601", utc=True)
    except (ValueError, TypeError, OverflowError):
        times = None
    if (
        times is None
        or times.dtype == object
        or (times.isna() | times.isin([np.inf, -np.inf])).any()
    ):
        raise SeqrecError(
            f"{where}: timestamp: write numbers, or dates as 2024-01-31 or 2024-01-31T12:00."
        )
    return times

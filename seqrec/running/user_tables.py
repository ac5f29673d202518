"""Read tables of users, and write tables of recommendations, as CSV or Parquet files."""

import csv
import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from seqrec.errors import SeqrecError
from seqrec.files import replacing
from seqrec.wording import quoted, shortened

USER_COLUMNS = ("user", "item", "timestamp")
"""The columns that a table of users may have."""


def read_users(path: Path) -> pd.DataFrame:
    """Read a table of users from a CSV or Parquet file; see `read_table`."""
    return read_table(path, USER_COLUMNS)


def read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read `columns`, as far as they are there, from a CSV or Parquet file.

    Of other columns there are the names alone. What stands in a CSV is kept as text. Raises
    `SeqrecError` if the file cannot be read.
    """
    if not path.is_file():
        raise SeqrecError(f"{path}: no such file.")
    _require_known_suffix(path)
    try:
        return _read_parquet(path, columns) if path.suffix == ".parquet" else _read_csv(path)
    except (OSError, ValueError, NotImplementedError, pd.errors.ParserWarning) as error:
        reason = shortened(str(error).strip())
        raise SeqrecError(f"{path}: cannot be read as {path.suffix[1:]} ({reason}).") from None


def read_history(line: str) -> list[str]:
    """Read the item ids in a line of CSV, where an id that holds a comma stands in quotes.

    Raises `SeqrecError` for quotes that do not match.
    """
    try:
        rows = list(csv.reader(io.StringIO(line), skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise SeqrecError(f"history: cannot be read as csv ({error}).") from None
    return [item for row in rows for item in row]


def read_items(path: Path) -> list[str]:
    """Read the column `item` of a CSV or Parquet file; raises `SeqrecError` without one."""
    table = read_users(path)
    if "item" not in table.columns or table.empty:
        raise SeqrecError(f"{path}: must have a column 'item', with at least one line.")
    return list(table["item"])


def write_recommendations(path: Path, recommendations: pd.DataFrame) -> None:
    """Write recommendations to a CSV or Parquet file."""
    _require_known_suffix(path)
    with replacing(path) as part:
        if path.suffix == ".parquet":
            recommendations.to_parquet(part, index=False)
        else:
            recommendations.to_csv(part, index=False, lineterminator="\n")


def _read_csv(path: Path) -> pd.DataFrame:
    with warnings.catch_warnings():
        # Raised for a line with more fields than the header, which would shift all columns.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        # The header is read as a line, since pandas would rename a second column of one name.
        table = pd.read_csv(
            path,
            dtype=str,
            keep_default_na=False,
            header=None,
            index_col=False,
            encoding="utf-8-sig",
        )
    names = [str(name).strip() for name in table.iloc[0]]
    return table.iloc[1:].reset_index(drop=True).set_axis(names, axis="columns")


def _read_parquet(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read the columns that count; of others, which may be of any type, the names alone."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"it has two columns {quoted(twice)}")
        table = file.read([name for name in columns if name in names])
    # Whole numbers beside gaps would become floats, which lose digits of long ids.
    found = table.to_pandas(integer_object_nulls=True, ignore_metadata=True)
    return found.reindex(columns=names)


def _require_known_suffix(path: Path) -> None:
    if path.suffix not in (".csv", ".parquet"):
        raise SeqrecError(f"{path}: name a .csv or .parquet file.")

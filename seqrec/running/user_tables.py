"""Read tables of users, and write tables of recommendations, as CSV or Parquet files."""

import warnings
from pathlib import Path

import pandas as pd

from seqrec.errors import SeqrecError
from seqrec.files import replacing


def read_users(path: Path) -> pd.DataFrame:
    """Read a table of users from a CSV or Parquet file; ids in a CSV are kept as text.

    Raises `SeqrecError` if the file cannot be read.
    """
    if not path.is_file():
        raise SeqrecError(f"{path}: no such file.")
    _require_known_suffix(path)
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        with warnings.catch_warnings():
            # Raised for a line with more fields than the header, which would shift all columns.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False)
        return table.rename(columns=str.strip)
    except (OSError, ValueError, pd.errors.ParserWarning) as error:
        raise SeqrecError(f"{path}: cannot be read as {path.suffix[1:]} ({error}).") from None


def write_recommendations(path: Path, recommendations: pd.DataFrame) -> None:
    """Write recommendations to a CSV or Parquet file."""
    _require_known_suffix(path)
    with replacing(path) as part:
        if path.suffix == ".parquet":
            recommendations.to_parquet(part, index=False)
        else:
            recommendations.to_csv(part, index=False, lineterminator="\n")


def _require_known_suffix(path: Path) -> None:
    if path.suffix not in (".csv", ".parquet"):
        raise SeqrecError(f"{path}: name a .csv or .parquet file.")

"""Turn the times of raw files, numbers or dates, into unix seconds."""

import numpy as np

FINER_UNITS = ((1e11, 10**3), (1e14, 10**6), (1e17, 10**9))
"""From which size on numbers count milliseconds, microseconds and nanoseconds: in the coarser unit
they would be times after the year 5000."""
SINCE_1973 = 1e8
"""Seconds from which on numbers are taken for unix times beside other columns."""


def time_to_keep(columns: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return the first column that holds dates or unix times, and the first of all if none does."""

    def are_times(values: np.ndarray) -> bool:
        return values.dtype.kind == "M" or bool(np.median(np.abs(values)) >= SINCE_1973)

    return next(filter(are_times, columns), columns[0]) if len(columns) > 1 else columns[0]


def unix_seconds(times: np.ndarray) -> np.ndarray:
    """Return times as whole unix seconds, rounded down, int64 [interactions].

    Dates (datetime64) have a unit. Numbers are unix times in seconds, milliseconds, microseconds or
    nanoseconds; their median tells which, so that a few broken ones change nothing.
    """
    if np.issubdtype(times.dtype, np.datetime64):
        return times.astype("datetime64[s]").view(np.int64)
    per_second = ticks_per_second(times)
    if np.issubdtype(times.dtype, np.integer):
        seconds = times.astype(np.int64, copy=False)
        return seconds if per_second == 1 else seconds // per_second
    return np.floor(times / per_second).astype(np.int64)


def ticks_per_second(times: np.ndarray) -> int:
    """Return how many units of the numbers `times` make a second, judged by their size."""
    if not len(times):
        return 1
    size = np.median(np.abs(times) if times.min() < 0 else times)
    return max((ticks for least, ticks in FINER_UNITS if size >= least), default=1)

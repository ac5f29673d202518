"""How numbers are written in tables: thousands by commas, typographic minus signs, intervals."""

import math
from collections.abc import Callable, Sequence
from statistics import fmean, stdev


def number(value: float, decimals: int = 0) -> str:
    """Format as `1,234.50`."""
    return f"{value:,.{decimals}f}"


def signed(value: float, decimals: int) -> str:
    """Format with a sign, never as minus zero."""
    return f"{value:+z,.{decimals}f}".replace("-", "−")


def percent(difference: float) -> str:
    """Format a relative difference as `+1.5%`; blank for NaN."""
    return "" if math.isnan(difference) else f"{signed(100 * difference, 1)}%"


def second_decimals(value: float) -> int:
    """Choose how many decimals a duration in seconds is shown with."""
    return 0 if value >= 10 else 1 if value >= 1 else 2


def seconds(value: float | None) -> str:
    """Format a duration in seconds; blank where there is none."""
    return "" if value is None else number(value, second_decimals(value))


def interval(ends: tuple[float, float]) -> str:
    """Format the interval of a metric as `0.1234–0.2345`."""
    low, high = ends
    return f"{number(low, 4)}–{number(high, 4)}"


def signed_interval(ends: tuple[float, float], shown: Callable[[float], str]) -> str:
    """Format the interval of a difference in brackets, which leave room for signs."""
    low, high = ends
    return f"[{shown(low)}, {shown(high)}]"


def over_seeds(values: Sequence[float], decimals: int) -> str:
    """Format the mean of some seeds, with both values of two and the standard deviation of more.

    A standard deviation of two values would be little but luck.
    """
    mean = number(fmean(values), decimals)
    if len(values) > 2:
        return f"{mean} ± {number(stdev(values), decimals)}"
    if len(values) == 2:
        return f"{mean} ({', '.join(number(value, decimals) for value in sorted(values))})"
    return mean


def span(values: Sequence[float]) -> str:
    """Format the smallest and the largest of some numbers as `1–3`, or as one if they agree."""
    least, most = number(min(values)), number(max(values))
    return least if least == most else f"{least}–{most}"


def p_value(p: float) -> str:
    """Format a p-value to four decimals."""
    return "< 0.0001" if p < 0.0001 else number(p, 4)

"""Signals by which a process is told to stop."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def handling(
    handler: Callable[[int, FrameType | None], object], *numbers: signal.Signals
) -> Iterator[None]:
    """Call `handler` for these signals meanwhile, and for SIGHUP, by which a terminal is closed;
    unless that is ignored, as under nohup."""
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers = *numbers, signal.SIGHUP
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)

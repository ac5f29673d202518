"""React to the signals that tell a process to stop."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def handling(
    handler: Callable[[int, FrameType | None], object], *numbers: signal.Signals
) -> Iterator[None]:
    """Install `handler` for these signals and for SIGHUP while the block runs.

    SIGHUP, which a closing terminal sends, stays ignored where it is, as under nohup.
    """
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers = *numbers, signal.SIGHUP
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
